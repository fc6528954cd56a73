import { expect, test } from 'vitest'
import { foldRuns } from '../../../agent/control/runs.ts'
import { printNodes } from '../../../agent/cli/nodes.ts'
import { printRuns } from '../../../agent/cli/runs.ts'
import type { LogEvent } from '../../../agent/log/event-types.ts'

const work = { commit: 'a'.repeat(40), planId: 'p', plan: 'p', changesId: 'c', changes: 'c', only: null, rollouts: [] }
const event = (seq: number, type: string, data: object): LogEvent => ({ seq, time: `2026-01-01T00:00:0${seq}.000Z`, stream: 'run/1', epoch: 1, type, v: 1, data }) as unknown as LogEvent
const sums = { succeeded: 3, unchanged: 1, failed: 0, skipped: 0, waiting: 1 }

const EVENTS = [
  event(1, 'run.started', { run: 1, ...work, steps: 5, reason: 'apply' }),
  event(2, 'run.ended', { run: 1, state: 'partial', reason: '1 wait', ...sums }),
  event(3, 'run.continued', { run: 1, reason: 'an operator approved rollout/d/r' }),
  event(4, 'run.extended', { run: 1, ...work, commit: 'b'.repeat(40), steps: 6, reason: 'machines were seen' }),
  event(5, 'run.ended', { run: 1, state: 'complete', reason: 'every step is done', ...sums, waiting: 0 }),
  event(6, 'run.started', { run: 2, ...work, steps: 2, reason: 'apply' }),
]

test('runs are told as they ended last, the newest first', () => {
  expect(foldRuns(EVENTS)).toEqual([
    { run: 2, commit: 'a'.repeat(40), state: 'running', reason: 'apply', started: '2026-01-01T00:00:06.000Z', ended: null, steps: 2, succeeded: 0, unchanged: 0, failed: 0, skipped: 0, waiting: 0 },
    { run: 1, commit: 'b'.repeat(40), state: 'complete', reason: 'every step is done', started: '2026-01-01T00:00:01.000Z', ended: '2026-01-01T00:00:05.000Z', steps: 6, ...sums, waiting: 0 },
  ])
})

test('as tables', () => {
  expect(printRuns(foldRuns(EVENTS))).toBe(
    'RUN  COMMIT        STATE     STARTED              ENDED                STEPS  OK  SAME  FAILED  SKIPPED  WAITING  BECAUSE\n' +
    '2    aaaaaaaaaaaa  running   2026-01-01 00:00:06  -                    2                                          apply\n' +
    '1    bbbbbbbbbbbb  complete  2026-01-01 00:00:01  2026-01-01 00:00:05  6      3   1     0       0        0        every step is done\n',
  )
  expect(printRuns([])).toBe('no run yet\n')
  expect(printNodes([{ name: 'n1', machine: 'm-1', os: 'debian-12', address: '192.0.2.10', connected: 'installed', incarnation: `sha256:${'0123456789abcdef'.repeat(4)}`, doing: 'done' }])).toBe(
    'NODE  MACHINE  OS         INCARNATION   ADDRESS     CONNECTED  STATE\nn1    m-1      debian-12  0123456789ab  192.0.2.10  installed  done\n',
  )
})
