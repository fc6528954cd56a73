import { expect, test } from 'vitest'
import { printable } from '../../../agent/control/printable.ts'

test('what a machine says of itself cannot overwrite on a terminal what a person reads before approving', () => {
  const status = { disks: [{ serial: 'A\u001b[1A\u001b[2KB', summary: 'ext4 "x\rblank', bytes: 3 }], approvals: null, message: 'two\nlines, \u202etxet, ümläut ✓', ok: true }
  expect(printable(status)).toEqual({ disks: [{ serial: 'A?[1A?[2KB', summary: 'ext4 "x?blank', bytes: 3 }], approvals: null, message: 'two\nlines, ?txet, ümläut ✓', ok: true })
})
