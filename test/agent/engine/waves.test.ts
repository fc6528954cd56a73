import { expect, test } from 'vitest'
import { keepRollouts } from '../../../agent/engine/rollouts.ts'
import { schedule } from '../../../agent/engine/schedule.ts'
import type { Schedule } from '../../../agent/engine/schedule.ts'
import { prepareWork } from '../../../agent/engine/work.ts'
import type { StepState, StepStatus } from '../../../agent/state/state.ts'
import type { Rollout } from '../../../schemas/changes.ts'
import type { Step } from '../../../schemas/plan.ts'
import { changesOf, planOf, rolloutOf, step } from './build-work.ts'

const NOW = Date.parse('2026-01-01T00:10:00.000Z')
const nodes = ['n1', 'n2', 'n3', 'n4']
const roles = nodes.map(node => step({ id: `d/r@${node}`, entries: { check: 'check.sh' } }))
const plan = planOf(roles)
const batches = [['n1'], ['n2', 'n3'], ['n4']]
const founder = (node: string): Step['needs'][number] => ({ step: `d/r@${node}`, kind: 'founder', at: '' })

function ask(rollout: Partial<Rollout>, states: Readonly<Record<string, StepStatus>>, resumed: Readonly<Record<string, readonly number[]>> = {}): Schedule {
  const work = prepareWork({ commit: 'c', plan, changes: changesOf(plan, { rollouts: [rolloutOf(roles, batches, rollout)] }) }, null)
  const time = '2026-01-01T00:09:00.000Z'
  const steps = new Map(Object.entries(states).map(([id, status]): [string, StepState] => {
    const of = work.items.get(id)?.step
    return [id, { status, node: of?.node ?? null, digest: of?.digest ?? '', since: time, began: time, n: 1, failures: 0, lost: 0, sent: null, accepted: false, reason: null, code: null, on: null, approval: null, retryAt: null, provides: {}, sealed: {}, seconds: 0 }]
  }))
  return schedule({ work, steps, active: new Set(), bootstrapped: new Set(), approved: new Set(), resumed, frozen: false, cancelled: false, limits: { running: 100, install: 10 }, now: NOW, askAt: new Map(), patienceMs: 0 })
}

const why = (of: Schedule, id: string): string[] => (of.blocked.get(id) ?? []).map(({ code, message }) => `${code}: ${message}`)

test('a batch starts when the one before has ended', () => {
  expect(ask({}, {}).start).toEqual(['d/r@n1'])
  expect(why(ask({}, { 'd/r@n1': 'running' }), 'd/r@n4')).toEqual(['BATCH: it waits for batch 1 of rollout/d/r'])
  expect(ask({}, { 'd/r@n1': 'succeeded' }).start).toEqual(['d/r@n2', 'd/r@n3'])
  expect(ask({}, { 'd/r@n1': 'succeeded', 'd/r@n2': 'succeeded', 'd/r@n3': 'running' }).start).toEqual([])
})

test('more failures than the budget allows stop the rollout, and the run has failed', () => {
  const states = { 'd/r@n1': 'succeeded', 'd/r@n2': 'failed', 'd/r@n3': 'succeeded' } as const
  const stopped = ask({}, states)
  expect([stopped.start, stopped.done]).toEqual([[], 'failed'])
  expect(why(stopped, 'd/r@n4')).toEqual(['ROLLOUT_STOPPED: rollout/d/r stopped: 1 of 4 nodes failed (budget 0)'])
  expect(ask({ maxFailures: 1 }, states).start).toEqual(['d/r@n4'])
})

test('the gate runs on the nodes of the batch, and the next batch waits for it', () => {
  const gate = { role: 'd/r', timeout: 60 }
  const at = ask({ gate }, { 'd/r@n1': 'succeeded' })
  expect(at.start).toEqual(['gate/rollout/d/r/1@n1'])
  expect(why(at, 'd/r@n2')).toEqual(['GATE: it waits until d/r passes its check after batch 1 of rollout/d/r'])
  expect(ask({ gate }, { 'd/r@n1': 'succeeded', 'gate/rollout/d/r/1@n1': 'succeeded' }).start).toEqual(['d/r@n2', 'd/r@n3'])
  const refused = ask({ gate, maxFailures: 3 }, { 'd/r@n1': 'succeeded', 'gate/rollout/d/r/1@n1': 'failed' })
  expect([refused.start, refused.done]).toEqual([[], 'failed'])
  expect(why(refused, 'd/r@n2')).toEqual(['ROLLOUT_STOPPED: rollout/d/r stopped: d/r did not pass its check on n1 after batch 1'])
})

test('a pause ends when a person says so, also before it begins; the last batch has none', () => {
  const paused = ask({ pause: 'after-first' }, { 'd/r@n1': 'succeeded' })
  expect([paused.start, paused.done, paused.rollouts[0]?.state, paused.rollouts[0]?.pauseAfter]).toEqual([[], 'partial', 'paused', 0])
  expect(why(paused, 'd/r@n2')).toEqual(['PAUSED: rollout/d/r pauses after batch 1 of 3: crowbar approve rollout/d/r'])
  expect(ask({ pause: 'after-first' }, {}).rollouts[0]?.pauseAfter).toBe(0)
  expect(ask({ pause: 'after-first' }, { 'd/r@n1': 'succeeded' }, { 'rollout/d/r': [0] }).start).toEqual(['d/r@n2', 'd/r@n3'])
  const two = { 'd/r@n1': 'succeeded', 'd/r@n2': 'succeeded', 'd/r@n3': 'succeeded' } as const
  expect(ask({ pause: 'after-each' }, two, { 'rollout/d/r': [0] }).done).toBe('partial')
  expect(ask({ pause: 'after-each' }, { ...two, 'd/r@n4': 'succeeded' }, { 'rollout/d/r': [0, 1] }).done).toBe('complete')
})

test('an extension keeps the batches, and nodes that are new come last, together', () => {
  const five = ['n5', 'n6'].map(node => step({ id: `d/r@${node}` }))
  const bigger = planOf([...roles, ...five])
  const kept = [{ id: 'rollout/d/r', batches, maxFailures: 2, gate: null, pause: 'never' as const }]
  const left = rolloutOf([...roles.slice(2), ...five], [['n3'], ['n5', 'n4'], ['n6']], { maxFailures: 0 })
  expect(keepRollouts(kept, changesOf(bigger, { rollouts: [left] }), () => true)).toEqual([{ ...kept[0], batches: [...batches, ['n5', 'n6']] }])
  expect(keepRollouts(kept, changesOf(bigger, { rollouts: [left] }), id => id !== 'd/r@n5')).toEqual([{ ...kept[0], batches: [...batches, ['n6']] }])
  expect(keepRollouts(kept, changesOf(bigger), () => true)).toEqual(kept)
  // The first batch could not end without n6, nor n6 without n7.
  const founded = planOf([...bigger.steps.map(one => (one.id === 'd/r@n1' ? { ...one, needs: [founder('n6')] } : one.id === 'd/r@n6' ? { ...one, needs: [founder('n7')] } : one)), step({ id: 'd/r@n7' })])
  const late = rolloutOf(founded.steps, [['n7'], ['n6'], ['n1'], ['n5']])
  expect(keepRollouts(kept, changesOf(founded, { rollouts: [late] }), () => true)).toEqual([{ ...kept[0], batches: [[...batches[0] ?? [], 'n6', 'n7'], ...batches.slice(1), ['n5']] }])
})

test('what a rollout governs on a node without a batch waits', () => {
  const unclaimed = planOf(roles, { nodes: { n4: { machine: null } } })
  const work = prepareWork({ commit: 'c', plan: unclaimed, changes: changesOf(unclaimed, { rollouts: [rolloutOf(roles, [['n1', 'n2', 'n3']])] }) }, null)
  const now = schedule({ work, steps: new Map(), active: new Set(), bootstrapped: new Set(), approved: new Set(), resumed: {}, frozen: false, cancelled: false, limits: { running: 100, install: 10 }, now: NOW, askAt: new Map(), patienceMs: 0 })
  expect(now.start).toEqual(['d/r@n1', 'd/r@n2', 'd/r@n3'])
  expect(why(now, 'd/r@n4')).toEqual(['BATCH: n4 is in no batch of rollout/d/r yet: it comes last, when it has a machine'])
})
