import { expect, test } from 'vitest'
import { chooseDisks } from '../../../agent/drivers/choose-disks.ts'
import type { DiskQuestion } from '../../../agent/drivers/choose-disks.ts'
import { approvalFor, signatureDigest } from '../../../schemas/approval.ts'
import type { DiskState } from '../../../schemas/inventory.ts'
import { step } from '../engine/build-work.ts'

const install = step({ id: 'install@n1', destructive: true, once: 'key' })
const disk = (more: Partial<DiskState> = {}): DiskState => ({ id: 'serial:A', serial: 'A', model: 'm', bytes: 10, blank: false, signature: 'gpt', summary: 'gpt: ext4 /', stamp: null, ...more })
const blank = disk({ blank: true, signature: 'blank', summary: 'blank' })
const target = { entry: 'system', id: 'serial:A', serial: 'A', bytes: 10 }
const question = (more: Partial<DiskQuestion>): DiskQuestion => ({ step: install, machine: 'm', targets: [target], disks: [disk()], approval: undefined, unfinished: undefined, ...more })
const approval = approvalFor(install, 'm', [disk()], [target])
const expected = (of: DiskState): object => ({ id: of.id, serial: of.serial, bytes: of.bytes, signature: signatureDigest(of) })
const unfinished = { attempt: '1/install@n1/1', n: 1, once: 'key', machine: 'm', disks: [expected(blank)] as DiskQuestion['unfinished'] extends infer U ? NonNullable<U> extends { disks: infer D } ? NonNullable<D> : never : never, stamp: 'our stamp', approved: false, before: null }

test('a blank disk is written without asking', () => {
  expect(chooseDisks(question({ disks: [blank] }))).toEqual({ kind: 'write', disks: [expected(blank)], approved: false, resumed: null })
})

test('a disk with something on it is asked for, by serial and by what is on it', () => {
  expect(chooseDisks(question({}))).toEqual({ kind: 'ask', reason: 'it overwrites serial:A (serial A: gpt: ext4 /)', approval, voids: null })
})

test('a disk whose content is not known to be blank is asked for, also with somebody else’s stamp', () => {
  expect(chooseDisks(question({ disks: [disk({ ...blank, stamp: 'a stranger’s' })] }))).toMatchObject({ kind: 'ask', reason: 'it overwrites serial:A (serial A: an unfinished write)' })
})

test('an approval allows exactly what it saw', () => {
  expect(chooseDisks(question({ approval }))).toEqual({ kind: 'write', disks: [expected(disk())], approved: true, resumed: null })
  expect(chooseDisks(question({ approval, disks: [disk({ signature: 'other' })] }))).toMatchObject({ kind: 'ask', voids: 'what is on disk serial:A differs from what was approved' })
  expect(chooseDisks(question({ approval, machine: 'm2' }))).toMatchObject({ kind: 'ask', voids: 'it is for machine m' })
  expect(chooseDisks(question({ approval, step: { ...install, once: 'other' } }))).toMatchObject({ kind: 'ask' })
})

test('a target that is not there, or is another disk, is never written', () => {
  expect(chooseDisks(question({ approval, disks: [] }))).toMatchObject({ kind: 'missing' })
  expect(chooseDisks(question({ approval, disks: [disk({ serial: 'B' })] }))).toMatchObject({ kind: 'missing' })
  expect(chooseDisks(question({ approval, disks: [disk({ bytes: 11 })] }))).toMatchObject({ kind: 'missing' })
  expect(chooseDisks(question({ approval, disks: [disk(), disk({ signature: 'twin' })] }))).toMatchObject({ kind: 'missing' })
})

test('an interrupted attempt goes on when each disk carries its stamp or is as it was', () => {
  const half = disk({ signature: 'half', stamp: 'our stamp' })
  expect(chooseDisks(question({ disks: [half], unfinished }))).toEqual({ kind: 'write', disks: unfinished.disks, approved: false, resumed: unfinished })
  expect(chooseDisks(question({ disks: [blank], unfinished }))).toMatchObject({ kind: 'write', resumed: unfinished })
})

test('a stamp counts for nothing without the logged attempt, and for no other machine, key or disk', () => {
  const half = disk({ signature: 'half', stamp: 'our stamp' })
  expect(chooseDisks(question({ disks: [half] }))).toMatchObject({ kind: 'ask' })
  expect(chooseDisks(question({ disks: [half], unfinished: { ...unfinished, once: 'other' } }))).toMatchObject({ kind: 'ask' })
  expect(chooseDisks(question({ disks: [half], unfinished: { ...unfinished, machine: 'm2' } }))).toMatchObject({ kind: 'ask' })
  expect(chooseDisks(question({ disks: [disk({ signature: 'half', stamp: 'other' })], unfinished }))).toMatchObject({ kind: 'ask' })
  expect(chooseDisks(question({ disks: [disk({ signature: 'written since' })], unfinished }))).toMatchObject({ kind: 'ask' })
})

test('what was begun under an approval goes on only while that approval is in force', () => {
  const half = disk({ signature: 'half', stamp: 'our stamp' })
  const approved = { ...unfinished, approved: true, disks: [expected(disk())] as typeof unfinished.disks }
  expect(chooseDisks(question({ disks: [half], unfinished: approved, approval }))).toMatchObject({ kind: 'write', approved: true, resumed: approved })
  expect(chooseDisks(question({ disks: [half], unfinished: approved }))).toMatchObject({ kind: 'ask' })
})

test('without a once-key nothing is written, and nothing can be approved', () => {
  expect(chooseDisks(question({ step: { ...install, once: null }, disks: [blank] }))).toMatchObject({ kind: 'unknown' })
})
