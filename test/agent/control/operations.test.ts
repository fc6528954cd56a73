import { expect, test } from 'vitest'
import { approvalCode } from '../../../schemas/approval.ts'
import { digestBytes } from '../../../schemas/canonical.ts'
import type { Approval, Changes } from '../../../schemas/changes.ts'
import type { DiskState } from '../../../schemas/inventory.ts'
import type { Plan } from '../../../schemas/plan.ts'
import { operations } from '../../../agent/control/operations.ts'
import type { OperationsOptions } from '../../../agent/control/operations.ts'
import type { Engine } from '../../../agent/engine/engine.ts'
import { EngineError } from '../../../agent/engine/engine-error.ts'
import type { Compiled } from '../../../agent/reconcile/reconcile.ts'
import { summaryOf } from '../../../agent/control/status.ts'
import { emptyState } from '../../../agent/state/growing-state.ts'

const APPROVAL: Approval = { step: 'install@web', once: 'k', machine: 'm-1', disks: [{ id: 'serial:S1', serial: 'S1', bytes: 1000, signature: digestBytes('seen') }] }

function compiled(asOf: number): Compiled {
  return { kind: 'compiled', commit: 'c'.repeat(40), plan: { nodes: {}, steps: [] } as unknown as Plan, changes: { changes: [{ consequence: 'run' }], unchanged: 0, violations: [] } as unknown as Changes, lockChanged: false, asOf } as unknown as Compiled
}

function over(engine: Partial<Engine>, looks: Compiled[] = [], log: unknown[] = []) {
  const keeper = { current: compiled(1), lookNow: () => Promise.resolve({ kind: 'compiled', compiled: looks.shift() ?? compiled(0), head: '', own: [], machines: [] }) }
  return operations({ engine: { state: emptyState(), ...engine }, keeper, store: { read: () => Promise.resolve(log) }, signal: AbortSignal.timeout(5000) } as unknown as OperationsOptions)
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
