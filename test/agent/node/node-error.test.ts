import { expect, test } from 'vitest'
import { described, NodeError } from '../../../agent/node/node-error.ts'

test('when cleaning up fails too, the first failure is told first, and its code counts', async () => {
  const failing = async (): Promise<void> => {
    await using held = new AsyncDisposableStack()
    held.defer(() => Promise.reject(new Error('the array /dev/md0 cannot be stopped')))
    held.defer(() => Promise.reject(new Error('it is busy')))
    throw new NodeError('PROGRAM_FAILED', 'umount failed')
  }
  expect(described(await failing().catch((error: unknown) => error))).toEqual({ code: 'PROGRAM_FAILED', message: 'umount failed; then it is busy; then the array /dev/md0 cannot be stopped' })
  expect(described('nonsense')).toEqual({ code: 'FAILED', message: 'nonsense' })
})
