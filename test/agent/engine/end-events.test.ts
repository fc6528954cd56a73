import { expect, test } from 'vitest'
import { endEvents } from '../../../agent/engine/end-events.ts'
import type { Work } from '../../../agent/engine/work.ts'
import type { RunState } from '../../../agent/state/state.ts'

test('what was done before the run was last extended counts, an older version of what is still to be done does not', () => {
  const steps = new Map([
    ['discover@n1', { status: 'succeeded', digest: 'a' }],
    ['stage/x', { status: 'unchanged', digest: 'b' }],
    ['install@n1', { status: 'succeeded', digest: 'c' }],
    ['d/a@n1', { status: 'succeeded', digest: 'older' }],
  ])
  const order = [{ id: 'install@n1', step: { id: 'install@n1', digest: 'c' } }, { id: 'd/a@n1', step: { id: 'd/a@n1', node: 'n1', digest: 'd' } }]
  const [ended] = endEvents({ run: 1, cancelled: null, steps } as unknown as RunState, { work: { order } as unknown as Work, how: 'partial', rollouts: [] })
  expect(ended?.data).toMatchObject({ succeeded: 2, unchanged: 1, failed: 0, waiting: 1, reason: '1 wait' })
})
