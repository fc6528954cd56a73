import { expect, test } from 'vitest'
import { approvalCode } from '../../../schemas/approval.ts'
import { digestBytes } from '../../../schemas/canonical.ts'
import type { Approval, Changes } from '../../../schemas/changes.ts'
import type { Tried } from '../../../schemas/control.ts'
import type { DiskState } from '../../../schemas/inventory.ts'
import type { Plan } from '../../../schemas/plan.ts'
import { printAnswer } from '../../../agent/cli/apply.ts'
import { operations } from '../../../agent/control/operations.ts'
import type { OperationsOptions } from '../../../agent/control/operations.ts'
import type { Engine } from '../../../agent/engine/engine.ts'
import { EngineError } from '../../../agent/engine/engine-error.ts'
import type { Compiled } from '../../../agent/reconcile/reconcile.ts'
import { summaryOf } from '../../../agent/control/status.ts'
import { emptyState } from '../../../agent/state/growing-state.ts'

const APPROVAL: Approval = { step: 'install@web', once: 'k', machine: 'm-1', disks: [{ id: 'serial:S1', serial: 'S1', bytes: 1000, signature: digestBytes('seen') }] }

function compiled(asOf: number): Compiled {
  return { kind: 'compiled', commit: 'c'.repeat(40), plan: { nodes: {}, steps: [] } as unknown as Plan, changes: { changes: [{ consequence: 'run' }], unchanged: 0, renamed: [], violations: [] } as unknown as Changes, lockChanged: false, asOf } as unknown as Compiled
}

function over(engine: Partial<Engine>, looks: Compiled[] = [], log: unknown[] = []) {
  const keeper = { current: compiled(1), lookNow: () => Promise.resolve({ kind: 'compiled', compiled: looks.shift() ?? compiled(0), head: '', own: [], machines: [] }) }
  return operations({ engine: { state: emptyState(), ...engine }, keeper, refusalOf: (work: { readonly changes: Changes }) => Promise.resolve(work.changes.unchanged === 99 ? new EngineError('SECRETS_MISSING', 'no identity for db/root; d/a@n1 wants it') : undefined), store: { read: () => Promise.resolve(log) }, signal: AbortSignal.timeout(5000) } as unknown as OperationsOptions)
}

test('a commit is compiled anew when steps ended meanwhile, and only then begins a run', async () => {
  const asked: (number | undefined)[] = []
  const start: Engine['start'] = (_work, { asOf }) => {
    asked.push(asOf)
    return asOf === 9 ? Promise.resolve(7) : Promise.reject(new EngineError('WORK_STALE', 'steps have ended'))
  }
  expect(await over({ start }, [compiled(3), compiled(9)]).apply({ ref: null, approve: [] })).toMatchObject({ outcome: 'started', run: 7 })
  expect(asked).toEqual([3, 9])
  expect(await over({ start }).apply({ ref: null, approve: [] })).toMatchObject({ outcome: 'refused', message: 'steps have ended' })
})

test('a commit that asks for nothing waits for the run that goes on, and voids what was approved of that one', async () => {
  const told: string[] = []
  const engine: Partial<Engine> = {
    state: { ...emptyState(), run: { run: 2, ended: null, work: { commit: 'b'.repeat(40) } } } as unknown as Engine['state'],
    hurry: () => void told.push('hurry'),
    idle: () => Promise.resolve(void told.push('idle')),
    start: (work) => {
      told.push(`start ${work.changes.changes.length}`)
      // The first run has done something meanwhile, which the commit takes back.
      return told.length === 3 ? Promise.reject(new EngineError('WORK_STALE', 'steps have ended')) : Promise.resolve(3)
    },
  }
  const none = { ...compiled(1), changes: { ...compiled(1).changes, changes: [] } } as unknown as Compiled
  expect(await over(engine, [none, compiled(2)]).apply({ ref: null, approve: [] })).toMatchObject({ outcome: 'started', run: 3 })
  expect(told).toEqual(['hurry', 'idle', 'start 0', 'hurry', 'idle', 'start 1'])
})

const CHOSEN = { target: ['n1'], exclude: [], pulledIn: [{ step: 'd/a@n2', by: 'd/b@n1' }], deferred: [{ step: 'd/c@n1', by: 'd/x@n3' }], excluded: 4 }
const change = (id: string, more: object = {}): object => ({ step: { id, node: 'n1' }, consequence: 'run', needsApproval: false, protectedBy: null, ...more })

test('what was chosen is compiled again, and is all that the run is asked for', async () => {
  const asked: unknown[] = []
  const start: Engine['start'] = (_work, { only }) => {
    asked.push(only)
    return Promise.resolve(3)
  }
  const keeper = {
    current: compiled(1),
    lookNow: () => Promise.resolve({ kind: 'compiled', compiled: compiled(0), head: '', own: [], machines: [] }),
    compileRevision: (revision: string, _signal: AbortSignal, filter: unknown) => {
      asked.push(revision, filter)
      return Promise.resolve({ ...compiled(1), changes: { changes: [change('d/a@n2'), change('d/b@n1')], rollouts: [], selection: CHOSEN, unchanged: 0, renamed: [], violations: [] } })
    },
  }
  const over = (engine: Partial<Engine>) => operations({ engine: { state: emptyState(), ...engine }, keeper, store: {}, signal: AbortSignal.timeout(5000) } as unknown as OperationsOptions)
  const answer = await over({ start }).apply({ ref: null, approve: [], target: ['n1'] })
  expect(answer).toMatchObject({ outcome: 'started', run: 3, selection: CHOSEN, message: expect.stringContaining('pulled in: d/a@n2 (needed by d/b@n1); deferred: d/c@n1 (needs d/x@n3); 4 left out') as string })
  expect(asked).toEqual(['c'.repeat(40), { target: ['n1'], exclude: [] }, ['d/a@n2', 'd/b@n1']])
  const going = { ...emptyState(), run: { run: 2, ended: null, work: { commit: 'c'.repeat(40) } } } as unknown as Engine['state']
  expect(await over({ start, state: going }).apply({ ref: null, approve: [], target: ['n1'] })).toMatchObject({ outcome: 'refused', message: expect.stringContaining('run 2') as string })
})

test('a dry run says what would run, what waits for whom, and in which batches; it starts nothing', async () => {
  const changes = { changes: [change('d/a@n1'), change('install@n1', { needsApproval: true, consequence: 'wipe' })], rollouts: [{ id: 'rollout/d/a', batches: [['n1'], ['n2']], pause: 'after-first' }], unchanged: 1, renamed: [], violations: [] }
  const answer = await over({}, [{ ...compiled(1), changes } as unknown as Compiled]).apply({ ref: null, approve: [], dryRun: true })
  expect(answer).toMatchObject({ outcome: 'planned', run: null, steps: 2, message: '2 steps to run (run 1, wipe 1), 1 stand; nothing was started' })
  expect(printAnswer(answer)).toBe(`2 steps to run (run 1, wipe 1), 1 stand; nothing was started
STEP        DOES  WAITS FOR
d/a@n1      run
install@n1  wipe  an approval: crowbar approve install@n1
rollout/d/a: 2 batches, pause after-first
  1  n1
  2  n2
`)
})

test('a dry run on the nodes says what each step would change there, and what nobody can say; not while a run goes on', async () => {
  const changes = { changes: [change('d/a@n1'), change('d/b@n1'), change('d/c@n1'), change('d/d@n2')], rollouts: [], unchanged: 0, renamed: [], violations: [] }
  const tried = new Map<string, Tried>([
    ['d/a@n1', { foreseen: [{ what: 'write it', at: 'p.yml:3', effect: 'change', detail: '-a\n+b\u001b[2J' }, { what: 'run it', at: null, effect: 'unknown', detail: 'not in a dry run' }], assumes: ['d/x@n3'], because: null }],
    ['d/b@n1', { foreseen: [], assumes: [], because: null }],
    ['d/c@n1', { foreseen: [], assumes: [], because: 'd/x@n3 has not provided key' }],
  ])
  const asking = (state: Engine['state']): ReturnType<typeof operations> => operations({
    engine: { state }, keeper: { current: null, lookNow: () => Promise.resolve({ kind: 'compiled', compiled: { ...compiled(1), changes }, head: '', own: [], machines: [] }) },
    refusalOf: () => Promise.resolve(undefined), dryRun: () => Promise.resolve(tried), signal: AbortSignal.timeout(5000),
  } as unknown as OperationsOptions)
  const answer = await asking(emptyState()).apply({ ref: null, approve: [], dryRun: 'nodes' })
  expect(printAnswer(answer).split('\n').slice(6)).toEqual([
    '', 'd/a@n1: 1 would change, 1 of unknown effect (given what d/x@n3 provided last)', '  write it  p.yml:3', '      -a', '      +b?[2J', '  UNKNOWN run it', '      not in a dry run',
    '', 'd/b@n1: nothing would change', '', 'd/c@n1: unknown effect: d/x@n3 has not provided key', '',
  ])
  const going = { ...emptyState(), run: { run: 2, ended: null, work: { commit: 'c'.repeat(40) } } } as unknown as Engine['state']
  expect(await asking(going).apply({ ref: null, approve: [], dryRun: 'nodes' })).toMatchObject({ outcome: 'refused', message: expect.stringContaining('run 2 goes on') as string })
})

test('a dry run says that the run would be refused, and why', async () => {
  const changes = { changes: [change('d/a@n1')], rollouts: [], unchanged: 99, violations: [] }
  const answer = await over({}, [{ ...compiled(1), changes } as unknown as Compiled]).apply({ ref: null, approve: [], dryRun: true })
  expect(answer).toMatchObject({ outcome: 'refused', message: 'the run would be refused: no identity for db/root; d/a@n1 wants it' })
})

test('a rollout that pauses is approved by its name, and goes on', async () => {
  const resumed: string[] = []
  const engine = { state: emptyState(), work: { plan: { steps: [] }, changes: { changes: [] } }, schedule: { rollouts: [{ id: 'rollout/d/a', pauseAfter: 0 }, { id: 'rollout/d/b', pauseAfter: null }] }, resumeRollout: (id: string) => Promise.resolve(void resumed.push(id)) } as unknown as Partial<Engine>
  expect(await over(engine).approve({ steps: ['rollout/*'], dryRun: true })).toMatchObject({ outcome: 'shown', approved: [], rollouts: ['rollout/d/a'], message: 'rollout/d/a to go on after batch 1' })
  expect(resumed).toEqual([])
  expect(await over(engine).approve({ steps: ['rollout/*'], seen: [] })).toEqual({ outcome: 'approved', approved: ['rollout/d/a'], approvals: [], rollouts: ['rollout/d/a'], message: 'approved rollout/d/a to go on after batch 1.' })
  expect(await over(engine).approve({ steps: ['rollout/d/b'] })).toMatchObject({ outcome: 'nothing', approved: [], message: 'nothing that can be approved matches rollout/d/b; what can be approved: rollout/d/a.' })
  expect(resumed).toEqual(['rollout/d/a'])
})

test('an approval says which disks it allows to overwrite, as they are known at that moment', async () => {
  const state = emptyState()
  state.machines.set('m-1', { id: 'm-1', disks: [{ id: 'serial:S1', serial: 'S1', bytes: 1000, signature: 'seen', summary: 'ext4 "a\u001bdatabase"' }] } as never)
  state.run = { run: 1, steps: new Map([['install@web', { approval: APPROVAL }]]) } as never
  const given: Approval[] = []
  const approve: Engine['approve'] = (approval) => Promise.resolve(void given.push(approval))
  const seen = 'install@web, which overwrites serial:S1 (serial S1, 1000 bytes: ext4 "a?database") of machine m-1'
  const asked = over({ state, work: undefined, approve })
  expect(await asked.approve({ steps: ['install@*'], dryRun: true })).toMatchObject({ outcome: 'shown', approved: [], message: seen, approvals: [{ step: 'install@web', code: approvalCode(APPROVAL), disks: [{ summary: 'ext4 "a?database"' }] }] })
  expect(given).toEqual([])
  expect(await asked.approve({ steps: ['install@*'] })).toMatchObject({ outcome: 'approved', approved: ['install@web'], message: `approved ${seen}.` })
  expect(await asked.approve({ steps: ['install@*'], seen: [approvalCode(APPROVAL)] })).toMatchObject({ outcome: 'approved' })
  expect(given).toEqual([APPROVAL, APPROVAL])
})

test('what is not what was shown is not approved, nor anything beside it; what differs is said', async () => {
  const state = emptyState()
  state.machines.set('m-1', { id: 'm-1', disks: [{ id: 'serial:S1', serial: 'S1', bytes: 1000, signature: 'by now', summary: 'xfs' }] } as never)
  const now: Approval = { ...APPROVAL, disks: APPROVAL.disks.map(disk => ({ ...disk, signature: digestBytes('by now') })) }
  const other: Approval = { ...APPROVAL, step: 'install@db', disks: [] }
  state.run = { run: 1, steps: new Map([['install@web', { approval: now }], ['install@db', { approval: other }]]) } as never
  const given: Approval[] = []
  const approve: Engine['approve'] = approval => Promise.resolve(void given.push(approval))
  const asked = over({ state, work: undefined, approve }, [], [{ type: 'step.waiting', data: { approval: APPROVAL } }])
  const answer = await asked.approve({ steps: ['install@*'], seen: [approvalCode(APPROVAL), approvalCode(other)] })
  expect(answer).toMatchObject({ outcome: 'changed', approved: [] })
  expect(answer.message).toBe('nothing was approved. install@web, which overwrites serial:S1 (serial S1, 1000 bytes: xfs) of machine m-1; that is not what was shown: what is on disk serial:S1 differs from what was shown.')
  expect(await asked.approve({ steps: ['install@web'], seen: ['0123456789abcdef'] })).toMatchObject({ outcome: 'changed', message: expect.stringContaining('none of the codes is of this step') as string })
  expect(given).toEqual([])
})

test('what is shown of a disk is never of another content than what the approval would overwrite', () => {
  const disk = { id: 'serial:S1', signature: digestBytes('now') }
  expect(summaryOf(disk, [{ id: 'serial:S1', signature: 'now', summary: 'ext4 database' } as DiskState])).toBe('ext4 database')
  expect(summaryOf(disk, [{ id: 'serial:S1', signature: 'before', summary: 'swap' } as DiskState])).toBe('not as it was last looked at')
})
