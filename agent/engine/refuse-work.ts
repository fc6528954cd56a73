import type { Ledger } from '../../schemas/ledger.ts'
import type { Step, StepKind } from '../../schemas/plan.ts'
import { renamesOf } from '../../schemas/renames.ts'
import type { Driver } from '../drivers/driver.ts'
import type { NewEvent } from '../log/event-types.ts'
import type { CompiledWork, EngineOptions } from './engine.ts'
import { EngineError } from './engine-error.ts'
import { deniedBy } from './work-questions.ts'
import { prepareWork } from './work.ts'
import type { Work } from './work.ts'

/** Why work is not begun, and what is written of it. */
export interface WorkRefusal {
  readonly event: NewEvent
  readonly error: EngineError
}

/** Changes that violate something of level `deny`; undefined when none does. */
export function refuseDenied({ commit, plan, changes }: CompiledWork): WorkRefusal | undefined {
  const denied = deniedBy(changes)
  if (denied === undefined) return undefined
  const { policy, message } = denied
  return { event: { type: 'run.refused', data: { commit, planId: plan.id, code: 'CHANGES_DENIED', message, step: null } }, error: new EngineError('CHANGES_DENIED', message, { policy }) }
}

/** Why a run of this work would be refused; undefined when it would begin. Nothing is written. */
export async function refusalOfWork(compiled: CompiledWork, { only, drivers, examine }: { readonly only: readonly string[] | null; readonly drivers: readonly Driver[]; readonly examine: EngineOptions['examine'] }): Promise<EngineError | undefined> {
  const byKind = new Map(drivers.map((driver) => [driver.kind, driver]))
  const refusal = refuseDenied(compiled) ?? (await refuseUnsupported(prepareWork(compiled, only), { drivers: byKind, examine }))
  return refusal?.error
}

/** The same for a run that goes on: its steps have the names that nodes had when it started. @throws {EngineError} RENAMES */
export function refuseExtension(work: CompiledWork, ledger: Ledger): WorkRefusal | undefined {
  if (renamesOf(ledger, work.plan).size > 0) throw new EngineError('RENAMES', `${work.commit} gives nodes other names, which takes a run of its own`)
  return refuseDenied(work)
}

/** The first step that this agent cannot carry out, or that lacks something that it will need; undefined when all can be. */
export async function refuseUnsupported(work: Work, { drivers, examine }: { readonly drivers: ReadonlyMap<StepKind, Driver>; readonly examine: EngineOptions['examine'] }): Promise<WorkRefusal | undefined> {
  const refusal = (error: EngineError, step: string): WorkRefusal => ({ event: { type: 'run.refused', data: { commit: work.commit, planId: work.plan.id, code: error.code, message: error.message, step } }, error })
  for (const { step } of work.order) {
    const driver = drivers.get(step.kind)
    const why = driver === undefined ? noDriver(step.kind) : driver.refuse?.(step, work.plan)
    if (why !== undefined) return refusal(unsupported(step, why), step.id)
  }
  const found = await examine(work.order.map(({ step }) => step), work)
  return found === undefined ? undefined : refusal(new EngineError(found.code, found.message, { step: found.step }), found.step)
}

export function unsupported(step: Step, why: string): EngineError {
  return new EngineError('KIND_UNSUPPORTED', `${step.id}: ${why}`, { step: step.id, kind: step.kind })
}

export function noDriver(kind: StepKind): string {
  return `this agent cannot carry out steps of kind ${kind}`
}
