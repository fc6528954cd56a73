import { expect, test } from 'vitest'
import { schedule } from '../../../agent/engine/schedule.ts'
import type { Schedule, ScheduleInput } from '../../../agent/engine/schedule.ts'
import { prepareWork } from '../../../agent/engine/work.ts'
import type { StepState, StepStatus } from '../../../agent/state/state.ts'
import type { Plan, Step } from '../../../schemas/plan.ts'
import { changesOf, planOf, step } from './build-work.ts'

const NOW = Date.parse('2026-01-01T00:10:00.000Z')

function state(of: Step, status: StepStatus, more: Partial<StepState> = {}): [string, StepState] {
  return [
    of.id,
    { status, node: of.node, digest: of.digest, since: '2026-01-01T00:09:00.000Z', began: '2026-01-01T00:09:00.000Z', n: 1, failures: 0, lost: 0, sent: null, accepted: false, reason: null, code: null, on: null, approval: null, retryAt: null, provides: {}, sealed: {}, seconds: 0, ...more },
  ]
}

type More = Omit<Partial<ScheduleInput>, 'steps'> & { readonly steps?: readonly [string, StepState][]; readonly changes?: Parameters<typeof changesOf>[1]; readonly only?: readonly string[] }

function ask(plan: Plan, { steps = [], changes, only, ...more }: More = {}): Schedule {
  const work = prepareWork({ commit: 'c', plan, changes: changesOf(plan, changes) }, only ?? null)
  return schedule({
    work,
    steps: new Map(steps),
    active: new Set(),
    bootstrapped: new Set(),
    approved: new Set(),
    resumed: {},
    frozen: false,
    cancelled: false,
    limits: { running: 100, install: 10 },
    now: NOW,
    askAt: new Map(),
    patienceMs: 600_000,
    ...more,
  })
}

const reasons = (of: Schedule, id: string): (string | undefined)[][] => (of.blocked.get(id) ?? []).map((reason) => [reason.code, reason.step])

const a = step({ id: 'd/a@n1' })
const b = step({ id: 'd/b@n1', needs: ['d/a@n1'] })
const c = step({ id: 'd/c@n2', needs: ['d/a@n1'] })
const free = step({ id: 'd/f@n1' })
const plan = planOf([a, b, c, free])

test('a step starts when all that it needs is done, and one at a time on a node', () => {
  const first = ask(plan)
  expect(first.start).toEqual(['d/a@n1'])
  expect(reasons(first, 'd/b@n1')).toEqual([['NEEDS', 'd/a@n1']])
  expect(reasons(first, 'd/f@n1')).toEqual([['NODE_BUSY', 'd/a@n1']])
  expect(first.done).toBeNull()
  const second = ask(plan, { steps: [state(a, 'unchanged')] })
  expect(second.start).toEqual(['d/b@n1', 'd/c@n2'])
  expect(ask(plan, { steps: [state(a, 'succeeded'), state(b, 'running')] }).start).toEqual(['d/c@n2'])
})

test('what is not among the changes stands', () => {
  expect(ask(plan, { changes: { ids: ['d/b@n1'] } }).start).toEqual(['d/b@n1'])
  expect(ask(plan, { changes: { ids: [] } }).done).toBe('complete')
})

test('a failure fences its node, skips what needs it, and lets other branches go on', () => {
  const other = step({ id: 'd/x@n3' })
  const after = step({ id: 'd/y@n3', needs: ['d/c@n2'] })
  const now = ask(planOf([a, b, c, free, other, after]), { steps: [state(a, 'failed')] })
  expect(now.start).toEqual(['d/x@n3'])
  expect([...now.skip]).toEqual([['d/b@n1', 'd/a@n1'], ['d/c@n2', 'd/a@n1'], ['d/f@n1', 'd/a@n1'], ['d/y@n3', 'd/a@n1']])
  const end = ask(plan, { steps: [state(a, 'failed'), state(b, 'skipped'), state(c, 'skipped'), state(free, 'skipped')] })
  expect(end.done).toBe('failed')
})

test('a state of another version of the step says nothing, unless it still runs', () => {
  expect(ask(plan, { steps: [state({ ...a, digest: 'old' }, 'failed')] }).start).toEqual(['d/a@n1'])
  const running = ask(plan, { steps: [state({ ...a, digest: 'old' }, 'running')] })
  expect(running.start).toEqual([])
  expect(running.done).toBeNull()
})

test('a node that waits for a person is deferred whole, but for what the waiting step needs', () => {
  const discover = step({ id: 'discover@n1' })
  const install = step({ id: 'install@n1', needs: ['discover@n1'], destructive: true, once: 'k' })
  const removal = step({ id: 'd/old@n1#remove' })
  const elsewhere = step({ id: 'd/c@n2' })
  const whole = planOf([discover, install, elsewhere])
  const now = ask(whole, { changes: { removals: [removal], approve: ['install@n1'] } })
  expect(now.start).toEqual(['discover@n1', 'd/c@n2'])
  expect(reasons(now, 'd/old@n1#remove')).toEqual([['NODE_DEFERRED', 'install@n1']])
  const waiting = ask(whole, {
    changes: { removals: [removal] },
    steps: [state(discover, 'succeeded'), state(install, 'waiting', { on: 'person' }), state(elsewhere, 'succeeded')],
    askAt: new Map([['install@n1', Infinity]]),
  })
  expect(waiting.start).toEqual([])
  expect(waiting.done).toBe('partial')
  expect(reasons(waiting, 'd/old@n1#remove')).toEqual([['NODE_DEFERRED', 'install@n1']])
  const approved = ask(whole, { changes: { removals: [removal], approve: ['install@n1'] }, approved: new Set(['install@n1']), steps: [state(discover, 'succeeded')] })
  expect(approved.start).toEqual(['d/old@n1#remove', 'd/c@n2'])
})

test('nothing runs on a node of which `protect` refuses a step, and the run ends partial', () => {
  const discover = step({ id: 'discover@n1' })
  const install = step({ id: 'install@n1', needs: ['discover@n1'], destructive: true, once: 'k' })
  const elsewhere = step({ id: 'd/c@n2' })
  const whole = planOf([discover, install, elsewhere])
  const changes = changesOf(whole)
  const work = prepareWork({ commit: 'c', plan: whole, changes: { ...changes, changes: changes.changes.map((one) => (one.step.id === 'install@n1' ? { ...one, protectedBy: 'db.yaml:3:1' } : one)) } }, null)
  const now = ask(whole, { work, approved: new Set(['install@n1']) })
  expect(now.start).toEqual(['d/c@n2'])
  expect(reasons(now, 'discover@n1')).toEqual([['REFUSED', 'install@n1']])
  expect(now.blocked.get('install@n1')).toContainEqual({ code: 'REFUSED', message: 'n1 is protected at db.yaml:3:1: take `protect` away in a commit of its own and apply that first', step: 'install@n1' })
  expect(ask(whole, { work, steps: [state(elsewhere, 'succeeded')] }).done).toBe('partial')
  const held = { ...work, changes: { ...changes, changes: changes.changes.map((one) => (one.step.id === 'install@n1' ? { ...one, heldBy: 'n9' } : one)) } }
  expect(reasons(ask(whole, { work: prepareWork(held, null), approved: new Set(['install@n1']) }), 'install@n1')).toContainEqual(['REFUSED', 'install@n1'])
})

test('a node that lacks a disk which its installation writes is left alone when it is to be installed, also by what leads to that', () => {
  const install = step({ id: 'install@n1', destructive: true, once: 'k' })
  const drain = step({ id: 'operation/again/drain@n1', kind: 'operation' })
  const elsewhere = step({ id: 'd/c@n2' })
  const whole = planOf([install, elsewhere])
  const changes = changesOf(whole)
  const [like] = changes.changes
  if (like === undefined) throw new Error('nothing changes')
  const lacking = changes.changes.map((one) => (one.step.id === 'install@n1' ? { ...one, lacks: ['serial:B'] } : one))
  const work = prepareWork({ commit: 'c', plan: whole, changes: { ...changes, changes: [...lacking, { ...like, step: drain, consequence: 'run', needsApproval: false }] } }, null)
  const now = ask(whole, { work, approved: new Set(['install@n1']) })
  expect(now.start).toEqual(['d/c@n2'])
  expect(reasons(now, drain.id)).toEqual([['REFUSED', 'install@n1']])
  expect(now.blocked.get('install@n1')).toContainEqual({ code: 'REFUSED', message: 'serial:B of n1 is not in its machine any more: put it back, or let `crowbar lock --rebind n1:disks` choose another', step: 'install@n1' })
})

test('removals go before the roles of their node', () => {
  const removal = step({ id: 'd/old@n1#remove' })
  const late = step({ id: 'd/older@n1#remove', needs: ['d/old@n2#remove'] })
  const far = step({ id: 'd/old@n2#remove' })
  const now = ask(plan, { changes: { removals: [removal] } })
  expect(now.start).toEqual(['d/old@n1#remove'])
  expect(reasons(now, 'd/a@n1')).toEqual([['REMOVAL_FIRST', 'd/old@n1#remove']])
  expect(ask(plan, { changes: { removals: [late, far] } }).start).toEqual(['d/old@n2#remove'])
})

test('a run waits for machines with patience, and ends partial when that is over', () => {
  const waiting = state(a, 'waiting', { on: 'machine', reason: 'n1 is not connected' })
  const askAt = new Map([['d/a@n1', NOW + 60_000]])
  const soon = ask(planOf([a]), { steps: [waiting], askAt })
  expect(soon).toMatchObject({ start: [], done: null, wakeAt: NOW + 60_000 })
  expect(ask(planOf([a]), { steps: [waiting], askAt: new Map() }).start).toEqual(['d/a@n1'])
  const late = ask(planOf([a]), { steps: [waiting], askAt, patienceMs: 30_000 })
  expect(late.done).toBe('partial')
  expect(late.blocked.get('d/a@n1')).toEqual([{ code: 'WAITING', message: 'n1 is not connected' }])
})

test('a step that is tried again keeps the run open until its time', () => {
  const retrying = state(a, 'retrying', { retryAt: '2026-01-01T00:10:05.000Z' })
  expect(ask(planOf([a]), { steps: [retrying] })).toMatchObject({ start: [], done: null, wakeAt: NOW + 5000 })
  expect(ask(planOf([a]), { steps: [retrying], now: NOW + 5000 }).start).toEqual(['d/a@n1'])
})

test('what nobody knows the end of holds its node, and the run ends partial', () => {
  const now = ask(plan, { steps: [state(a, 'unknown', { reason: 'the node knows nothing of it' })] })
  expect(now.start).toEqual([])
  expect(reasons(now, 'd/f@n1')).toEqual([['UNKNOWN', 'd/a@n1']])
  expect(now.done).toBe('partial')
})

test('frozen: nothing starts, and the run does not end', () => {
  const now = ask(plan, { frozen: true })
  expect(now).toMatchObject({ start: [], done: null })
  expect(reasons(now, 'd/a@n1')).toEqual([['FROZEN', undefined]])
})

test('cancelled: nothing starts, and the run has failed when nothing runs any more', () => {
  expect(ask(plan, { cancelled: true })).toMatchObject({ start: [], done: 'failed' })
  expect(ask(plan, { cancelled: true, active: new Set(['d/a@n1']) }).done).toBeNull()
})

test('limits hold for everything and for installs', () => {
  const installs = ['n1', 'n2', 'n3'].map((node) => step({ id: `install@${node}`, destructive: true, once: 'k' }))
  expect(ask(planOf([...installs, step({ id: 'd/x@n4' })]), { limits: { running: 3, install: 2 } }).start).toEqual(['install@n1', 'install@n2', 'd/x@n4'])
  expect(ask(planOf(installs), { limits: { running: 1, install: 2 } }).start).toEqual(['install@n1'])
})

test('a chosen part of the changes leaves the rest, and what needs the rest cannot start', () => {
  const now = ask(plan, { only: ['d/b@n1', 'd/f@n1'] })
  expect(now.start).toEqual(['d/f@n1'])
  expect(reasons(now, 'd/b@n1')).toEqual([['EXCLUDED', 'd/a@n1']])
  expect(now.blocked.has('d/c@n2')).toBe(false)
})

test('a step that reads what a changed step provides is looked at again', () => {
  const reader = step({ id: 'd/r@n2', needs: [{ step: 'd/a@n1', kind: 'data', at: 'x' }] })
  const next = step({ id: 'd/s@n3', needs: [{ step: 'd/r@n2', kind: 'data', at: 'x' }] })
  const work = prepareWork({ commit: 'c', plan: planOf([a, reader, next, c]), changes: changesOf(planOf([a, reader, next, c]), { ids: ['d/a@n1'] }) }, null)
  expect(work.order.map((item) => [item.id, item.change !== undefined])).toEqual([['d/a@n1', true], ['d/r@n2', false], ['d/s@n3', false]])
})

const members = [{ node: 'n1', index: 0 }, { node: 'n2', index: 1 }]
const role = { barclamp: 'test', members, founder: 'n1', cluster: false, min: 2 }
const one = step({ id: 'd/db@n1' })
const two = step({ id: 'd/db@n2' })

test('until it has its cluster, a role runs nowhere with too few machines', () => {
  const few = planOf([one, two], { roles: { 'd/db': role }, nodes: { n2: { machine: null } } })
  expect(ask(few).start).toEqual([])
  expect(reasons(ask(few), 'd/db@n1')).toEqual([['MEMBERS', undefined]])
  expect(ask(few).done).toBe('partial')
  expect(ask(few, { bootstrapped: new Set(['d/db']) }).start).toEqual(['d/db@n1', 'd/db@n2'])
  expect(ask(planOf([one, two], { roles: { 'd/db': role } })).start).toEqual(['d/db@n1', 'd/db@n2'])
})

test('a cluster waits for every member until it stands, and its barrier for nobody without a machine afterwards', () => {
  const barrier = step({ id: 'barrier/d/db', needs: ['d/db@n1', 'd/db@n2'], deployment: 'd', role: 'db' })
  const missing = planOf([one, two, barrier], { roles: { 'd/db': { ...role, min: 1, cluster: true } }, nodes: { n2: { machine: null } } })
  expect(reasons(ask(missing), 'd/db@n1')).toEqual([['MEMBERS', undefined]])
  const standing = { bootstrapped: new Set(['d/db']), steps: [state(one, 'succeeded'), state(two, 'waiting', { on: 'machine' })], askAt: new Map([['d/db@n2', Infinity]]) }
  expect(ask(missing, standing).start).toEqual(['barrier/d/db'])
})

test('what comes after a deployment comes after the machines that joined it later', () => {
  const member = step({ id: 'store/s@n1' })
  const front = step({ id: 'front/f@n2', needs: ['barrier/store'] })
  const early = planOf([step({ id: 'barrier/store', node: null }), front])
  const barrier = step({ id: 'barrier/store', node: null, needs: ['store/s@n1'] })
  const late = planOf([member, barrier, front])
  expect(ask(early, { steps: [state(barrier, 'succeeded')] }).start).toEqual(['front/f@n2'])
  // In one run, whose plan was replaced; and in a later one, for which the barrier stands.
  const extended = ask(late, { steps: [state(barrier, 'succeeded')] })
  expect([extended.start, reasons(extended, 'front/f@n2')]).toEqual([['store/s@n1'], [['NEEDS', 'barrier/store']]])
  expect(ask(late, { steps: [state(barrier, 'succeeded'), state(member, 'succeeded')] }).start).toEqual(['front/f@n2'])
  const next = ask(late, { changes: { ids: ['store/s@n1', 'front/f@n2'] } })
  expect([next.start, reasons(next, 'front/f@n2')]).toEqual([['store/s@n1'], [['NEEDS', 'barrier/store']]])
  expect(ask(late, { changes: { ids: ['front/f@n2'] } }).start).toEqual(['front/f@n2'])
})
