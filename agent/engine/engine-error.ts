export type EngineErrorCode =
  /** A run goes on already. */
  | 'RUN_ACTIVE'
  | 'NO_RUN'
  /** There is no such rollout in the run, or nothing at which it would pause any more. */
  | 'NO_PAUSE'
  /** The changes lead away from a ledger that steps have moved since: compile again. */
  | 'WORK_STALE'
  /** This agent has no driver for a kind of step, or its driver cannot carry the step out. Nothing was started. */
  | 'KIND_UNSUPPORTED'
  /** Secrets that steps want cannot be decrypted. Nothing was started. */
  | 'SECRETS_MISSING'
  /** Offline, and artifact sets that steps need are not in the store. Nothing was started. */
  | 'NOT_STAGED'
  /** The changes violate something of level `deny`. Nothing was started. `data` names the `policy`. */
  | 'CHANGES_DENIED'
  /** Only what starts a run can give nodes other names. */
  | 'RENAMES'
  | 'ENGINE_CLOSED'

/** Why the engine did not do what it was asked. `data` names `step` and `kind` where a step is the reason. */
export class EngineError extends Error {
  readonly code: EngineErrorCode
  readonly data: Readonly<Record<string, unknown>>

  constructor(code: EngineErrorCode, message: string, data: Readonly<Record<string, unknown>> = {}) {
    super(message)
    this.name = 'EngineError'
    this.code = code
    this.data = data
  }
}
