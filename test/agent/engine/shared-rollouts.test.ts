import { expect, test } from 'vitest'
import { schedule } from '../../../agent/engine/schedule.ts'
import type { Schedule } from '../../../agent/engine/schedule.ts'
import { prepareWork } from '../../../agent/engine/work.ts'
import type { StepState, StepStatus } from '../../../agent/state/state.ts'
import type { Rollout } from '../../../schemas/changes.ts'
import { changesOf, planOf, rolloutOf, step } from './build-work.ts'

/** Two roles with waves of their own: r on n1 to n4, s on n3 to n6. */
const R = ['n1', 'n2', 'n3', 'n4']
const S = ['n3', 'n4', 'n5', 'n6']
const r = R.map(node => step({ id: `d/r@${node}` }))
const s = S.map(node => step({ id: `e/s@${node}` }))
const plan = planOf([...r, ...s])
const inBatches = (nodes: readonly string[], size: number): string[][] => Array.from({ length: Math.ceil(nodes.length / size) }, (_, at) => nodes.slice(at * size, at * size + size))

interface Sizes {
  readonly r?: number
  readonly s?: number
  readonly of?: Partial<Rollout>
}

function ask(states: Readonly<Record<string, StepStatus>>, { r: first = 1, s: second = 1, of = {} }: Sizes = {}): Schedule {
  const rollouts = [rolloutOf(r, inBatches(R, first), of), rolloutOf(s, inBatches(S, second), { ...of, id: 'rollout/e/s' })]
  const work = prepareWork({ commit: 'c', plan, changes: changesOf(plan, { rollouts }) }, null)
  const time = '2026-01-01T00:09:00.000Z'
  const steps = new Map(Object.entries(states).map(([id, status]): [string, StepState] => {
    const at = work.items.get(id)?.step
    return [id, { status, node: at?.node ?? null, digest: at?.digest ?? '', since: time, began: time, n: 1, failures: 0, lost: 0, sent: null, accepted: false, reason: null, code: null, on: null, approval: null, retryAt: null, provides: {}, sealed: {}, seconds: 0 }]
  }))
  return schedule({ work, steps, active: new Set(), bootstrapped: new Set(), approved: new Set(), resumed: {}, frozen: false, cancelled: false, limits: { running: 100, install: 10 }, now: 0, askAt: new Map(), patienceMs: 0 })
}

test('two rollouts have no more nodes at work than either is for, and a node that both have counts once', () => {
  // Nobody has both n1 and n3: only r has n1, and s may take n3, since of r's nodes there would be two.
  const begun = ask({})
  expect(begun.start).toEqual(['d/r@n1'])
  expect(begun.blocked.get('e/s@n3')).toEqual([{ code: 'BATCH', message: 'd/r@n1 runs, and rollout/d/r, which has n3 too, is for one node at a time', step: 'd/r@n1' }])
  // As soon as nothing of r runs; and what both want of one node goes on there, one after the other.
  expect(ask({ 'd/r@n1': 'succeeded', 'e/s@n3': 'running' }).start).toEqual([])
  expect(ask({ 'd/r@n1': 'succeeded', 'd/r@n2': 'succeeded', 'd/r@n3': 'running' }).blocked.get('e/s@n3')?.map(({ code }) => code)).toEqual(['NODE_BUSY'])
  // What r has not is nothing to it.
  expect(ask({ 'd/r@n1': 'succeeded', 'e/s@n3': 'succeeded', 'e/s@n4': 'succeeded' }).start).toEqual(['d/r@n2', 'e/s@n5'])
})

test('the smaller of two batches holds for the nodes of both', () => {
  expect(ask({}, { r: 2, s: 2 }).start).toEqual(['d/r@n1', 'd/r@n2'])
  expect(ask({ 'd/r@n1': 'running' }, { r: 2, s: 1 }).start).toEqual(['d/r@n2'])
  // s is at its first node, n3, and so takes one of n3 and n4 at a time, whoever works there.
  expect(ask({ 'd/r@n1': 'succeeded', 'd/r@n2': 'succeeded' }, { r: 2, s: 1 }).start).toEqual(['d/r@n3'])
  expect(ask({ 'd/r@n1': 'succeeded', 'd/r@n2': 'succeeded', 'e/s@n3': 'succeeded', 'e/s@n4': 'succeeded', 'e/s@n5': 'succeeded', 'e/s@n6': 'succeeded' }, { r: 2, s: 1 }).start).toEqual(['d/r@n3', 'd/r@n4'])
})

test('a node that fails by the work of one has failed for the other, once', () => {
  const done = { 'd/r@n1': 'succeeded', 'd/r@n2': 'succeeded', 'e/s@n3': 'failed', 'd/r@n3': 'skipped' } as const
  for (const [maxFailures, states] of [[0, ['stopped', 'stopped']], [1, ['rolling', 'rolling']]] as const) {
    const after = ask(done, { of: { maxFailures } })
    expect(after.rollouts.map(({ state, failed }) => [state, failed])).toEqual(states.map(state => [state, ['n3']]))
  }
  // One of each: two nodes of r, of which r has one by itself.
  const both = ask({ 'd/r@n1': 'failed', 'e/s@n3': 'failed' }, { of: { maxFailures: 1 } })
  expect(both.rollouts.map(({ id, state }) => [id, state])).toEqual([['rollout/d/r', 'stopped'], ['rollout/e/s', 'rolling']])
})

test('whatever runs, rollouts end: nothing waits for room that nobody will make', () => {
  for (const [first, second] of [[1, 1], [1, 4], [4, 1], [2, 3], [3, 2]] as const) {
    const states: Record<string, StepStatus> = {}
    let most = 0
    for (let turn = 0; turn < 50 && Object.keys(states).length < 8; turn++) {
      const { start } = ask(states, { r: first, s: second })
      most = Math.max(most, new Set(start.map(id => id.slice(4))).size)
      for (const id of start) states[id] = 'succeeded'
    }
    expect([first, second, Object.keys(states).length]).toEqual([first, second, 8])
    expect(most).toBeLessThanOrEqual(first + second)
  }
})
