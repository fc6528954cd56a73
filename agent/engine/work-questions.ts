import type { Driver } from '../drivers/driver.ts'
import type { Changes } from '../../schemas/changes.ts'
import type { Step, StepKind } from '../../schemas/plan.ts'
import type { RunWork } from '../log/event-types.ts'
import type { State } from '../state/state.ts'
import { parseAttempt } from './attempt-id.ts'
import type { EngineOptions } from './engine.ts'
import { EngineError } from './engine-error.ts'
import type { Work } from './work.ts'

/** The policy that forbids these changes altogether, and what to say of it. */
export function deniedBy(changes: Changes): { readonly policy: string; readonly message: string } | undefined {
  const denied = changes.violations.find(({ level }) => level === 'deny')
  if (denied === undefined) return undefined
  return { policy: denied.policy, message: `${denied.policy}: ${denied.message}${denied.at === null ? '' : ` (${denied.at})`}` }
}

/** Whether an attempt was sent to this machine: none may speak for another, nor of what was never sent. */
export function ownsAttempt({ attempt, machine }: { readonly attempt: string; readonly machine: string }, state: State, work: Work | undefined): boolean {
  const { step: id = '', n } = parseAttempt(attempt) ?? { n: Infinity }
  const step = n > (state.tries.get(id) ?? 0) ? undefined : state.run?.steps.get(id)
  return step !== undefined && (step.sent?.machine ?? (step.node === null ? null : work?.plan.nodes[step.node]?.machine)) === machine
}

/** The error for a step that cannot be carried out here. */
export function unsupported(step: Step, why: string): EngineError {
  return new EngineError('KIND_UNSUPPORTED', `${step.id}: ${why}`, { step: step.id, kind: step.kind })
}

/** Why this agent cannot carry out some step of the work; undefined when it can carry out all of them. */
export async function refusalOf(work: Work, { drivers, examine }: { readonly drivers: ReadonlyMap<StepKind, Driver>; readonly examine: EngineOptions['examine'] }): Promise<{ readonly error: EngineError; readonly step: string } | undefined> {
  for (const { step } of work.order) {
    const driver = drivers.get(step.kind)
    const why = driver === undefined ? `this agent cannot carry out steps of kind ${step.kind}` : driver.refuse?.(step, work.plan)
    if (why !== undefined) return { error: unsupported(step, why), step: step.id }
  }
  const found = await examine(work.order.map(({ step }) => step), work)
  return found === undefined ? undefined : { error: new EngineError(found.code, found.message, { step: found.step }), step: found.step }
}

/** What a run's events say of its work; `plan` and `changes` are keys of the store. */
export function runWork(work: Work, { plan, changes }: { readonly plan: string; readonly changes: string }, only: readonly string[] | null): RunWork {
  return { commit: work.commit, planId: work.plan.id, plan, changesId: work.changes.id, changes, only }
}
