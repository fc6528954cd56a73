import type { Changes } from '../../schemas/changes.ts'
import type { EventType, NewEvent, RunWork } from '../log/event-types.ts'
import type { RunState, State } from '../state/state.ts'
import type { CompiledWork } from './engine.ts'
import { parseAttempt } from './attempt-id.ts'
import { staleApprovals } from './stale-approvals.ts'
import type { Work } from './work.ts'

/** The policy that forbids these changes altogether, and what to say of it. */
export function deniedBy(changes: Changes): { readonly policy: string; readonly message: string } | undefined {
  const denied = changes.violations.find(({ level }) => level === 'deny')
  if (denied === undefined) return undefined
  return { policy: denied.policy, message: `${denied.policy}: ${denied.message}${denied.at === null ? '' : ` (${denied.at})`}` }
}

/** Whether changes that were made before an event may lead away from another ledger than there is after it. */
export function movesLedger({ type }: { readonly type: EventType }): boolean {
  return type === 'step.sent' || type === 'step.succeeded' || type === 'step.unchanged' || type === 'node.renamed'
}

/** What is written before a run: approvals that are void by it, and names that nodes have from here on. */
export function firstEvents(state: State, work: CompiledWork): readonly NewEvent[] {
  const nodes = work.changes.renamed.map(({ from, to, machine }) => ({ from, to, machine }))
  return [...staleApprovals(state, work), ...(nodes.length === 0 ? [] : [{ type: 'node.renamed', data: { commit: work.commit, nodes } } as const])]
}

/** Whether an attempt was sent to this machine: none may speak for another, nor of what was never sent. */
export function ownsAttempt({ attempt, machine }: { readonly attempt: string; readonly machine: string }, state: State, work: Work | undefined): boolean {
  const { step: id = '', n } = parseAttempt(attempt) ?? { n: Infinity }
  const step = n > (state.tries.get(id) ?? 0) ? undefined : state.run?.steps.get(id)
  return step !== undefined && (step.sent?.machine ?? (step.node === null ? null : work?.plan.nodes[step.node]?.machine)) === machine
}

/** What a run's events say of its work; `plan` and `changes` are keys of the store. */
export function runWork(work: Work, { plan, changes }: { readonly plan: string; readonly changes: string }, only: readonly string[] | null): RunWork {
  return { commit: work.commit, planId: work.plan.id, plan, changesId: work.changes.id, changes, only, rollouts: work.rollouts }
}

/** Whether a run may still do something: it goes on, or goes on again when what it waits for is there. */
export function mayGoOn(run: Pick<RunState, 'ended' | 'cancelled'> | null): boolean {
  return run !== null && run.ended?.state !== 'complete' && run.cancelled === null
}

/** What continues a run that ended while something waited; nothing when it goes on, is complete or was cancelled. */
export function continued(run: RunState | null, reason: string): readonly NewEvent[] {
  if (run === null || run.ended === null || !mayGoOn(run)) return []
  return [{ type: 'run.continued', data: { run: run.run, reason } }]
}
