import type { Approval, Changes } from '../../schemas/changes.ts'
import type { Plan, Step } from '../../schemas/plan.ts'
import type { Driver, Timers } from '../drivers/driver.ts'
import type { NodeSessions } from '../drivers/sessions.ts'
import type { Documents } from '../log/documents.ts'
import type { EventStore } from '../log/store.ts'
import type { LiveLedger } from '../state/open-ledger.ts'
import type { LiveState } from '../state/open-state.ts'
import type { State } from '../state/state.ts'
import type { EngineErrorCode } from './engine-error.ts'
import type { Limits, Schedule } from './schedule.ts'

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
  /** Resolves with the reason when the engine cannot go on (another agent took over, the log is broken); the agent must end. */
  readonly broken: Promise<unknown>
  /**
   * Begins a run, after writing which nodes have other names from here on. Approvals of what the work does not ask for any more are void.
   * @returns its number; undefined when there is nothing to do and no run before it may go on, and then nothing else is written.
   * @param options.asOf the event up to which the ledger was folded that the changes lead away from.
   * @throws {EngineError} RUN_ACTIVE; WORK_STALE when steps were sent or done after `asOf`: they would be repeated;
   *   KIND_UNSUPPORTED (with `step` and `kind`), SECRETS_MISSING and CHANGES_DENIED, after writing `run.refused`.
   */
  start(work: CompiledWork, options: { readonly reason: string; readonly only?: readonly string[]; readonly asOf?: number }): Promise<number | undefined>
  /**
   * Gives the last run a newer plan: what was started stands, the rest is replaced. Also continues a run that ended.
   * Nothing is written when nothing of it is left to do.
   * @throws {EngineError} NO_RUN, also when a person cancelled it; RENAMES; KIND_UNSUPPORTED, SECRETS_MISSING and CHANGES_DENIED, and then the run goes on as it was.
   */
  extend(work: CompiledWork, options: { readonly reason: string }): Promise<void>
  /** Takes up what an earlier life left: settles what was sent, goes on with the run. Call once, before anything else. */
  resume(): Promise<void>
  /** Gives an approval, and continues a run that ended while its step waited. */
  approve(approval: Approval, options: { readonly by: string }): Promise<void>
  /** Lets a rollout go on after the pause at which it is, or to which it will come next. @throws {EngineError} NO_PAUSE. */
  resumeRollout(id: string, options: { readonly by: string }): Promise<void>
  /** Nothing starts until thaw(), also after a restart. */
  freeze(options: { readonly by: string; readonly reason: string }): Promise<void>
  thaw(options: { readonly by: string }): Promise<void>
  /** Starts nothing more: the run ends when what runs has ended. Called again, what runs is asked to stop. @throws {EngineError} NO_RUN when none goes on. */
  cancel(options: { readonly by: string }): Promise<void>
  /** Waits for no machine any longer: ends the run as soon as nothing runs, because another one is to start. */
  hurry(): void
  /** Resolves when no run goes on. Rejects with the signal's reason. */
  idle(options: { readonly signal: AbortSignal }): Promise<void>
}

export interface EngineOptions {
  readonly store: EventStore
  readonly documents: Documents
  readonly state: LiveState
  readonly ledger: LiveLedger
  readonly sessions: NodeSessions
  readonly drivers: readonly Driver[]
  readonly timers: Timers
  readonly epoch: number
  readonly limits: (plan: Plan) => Limits
  /** For how long a run stays open only because machines are waited for, milliseconds. */
  readonly patienceMs: number
  /** Why steps cannot be carried out that no driver knows; undefined when they can. Asked before a run starts. */
  readonly examine: (steps: readonly Step[], work: CompiledWork) => Promise<{ readonly code: EngineErrorCode; readonly message: string; readonly step: string } | undefined>
}
