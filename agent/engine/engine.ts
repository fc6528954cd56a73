import type { Approval, Changes } from '../../schemas/changes.ts'
import type { Plan } from '../../schemas/plan.ts'
import type { State } from '../state/state.ts'
import type { Schedule } from './schedule.ts'

/** What the compiler made of a commit, against the ledger. */
export interface CompiledWork {
  readonly commit: string
  readonly plan: Plan
  readonly changes: Changes
}

/**
 * Carries out changes. At most one run at a time.
 *
 * Everything it knows is in the log: whoever opens an engine on the log of a killed one goes on where that was.
 */
export interface Engine extends AsyncDisposable {
  /** As of the last event. */
  readonly state: State
  /** What may start now and why the rest may not; undefined when no run was ever started. For `status` and `why-not`. */
  readonly schedule: Schedule | undefined
  /** The plan and changes of the last run. */
  readonly work: CompiledWork | undefined
  /**
   * Begins a run. @returns its number; undefined when there is nothing to do, and then nothing is written.
   * @throws {EngineError} RUN_ACTIVE; KIND_UNSUPPORTED (with `step` and `kind`), after writing `run.refused`.
   */
  start(work: CompiledWork, options: { readonly reason: string; readonly only?: readonly string[] }): Promise<number | undefined>
  /**
   * Gives the last run a newer plan: what was started stands, the rest is replaced. Also continues a run that ended.
   * @throws {EngineError} NO_RUN; KIND_UNSUPPORTED.
   */
  extend(work: CompiledWork, options: { readonly reason: string }): Promise<void>
  /** Takes up what an earlier life left: settles what was sent, goes on with the run. Call once, before anything else. */
  resume(): Promise<void>
  /** Gives an approval, and continues a run that waits for it. */
  approve(approval: Approval, options: { readonly by: string }): Promise<void>
  /** Nothing starts until thaw(), also after a restart. */
  freeze(options: { readonly by: string; readonly reason: string }): Promise<void>
  thaw(options: { readonly by: string }): Promise<void>
  /** @throws {EngineError} NO_RUN when no run goes on. */
  cancel(options: { readonly by: string }): Promise<void>
  /** Does not wait for machines any longer: ends the run as soon as nothing runs, because another one is to start. */
  hurry(): void
  /** Resolves when no run goes on. Rejects with the signal's reason. */
  idle(options: { readonly signal: AbortSignal }): Promise<void>
}
