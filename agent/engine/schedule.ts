/** Why a step may not start now. `code` is for programs, `message` for people. */
export interface BlockReason {
  readonly code: 'NEEDS' | 'NODE_BUSY' | 'NODE_DEFERRED' | 'REMOVAL_FIRST' | 'APPROVAL' | 'FROZEN' | 'LIMIT' | 'MEMBERS' | 'WAITING' | 'RETRY' | 'UNKNOWN' | 'EXCLUDED' | 'CANCELLED'
  readonly message: string
  /** The step that it waits for, when it is one. */
  readonly step?: string
}

export interface Schedule {
  /** To start now, in plan order; at most one a node. */
  readonly start: readonly string[]
  /** Never to start: step → the failed step that is the cause. */
  readonly skip: ReadonlyMap<string, string>
  readonly blocked: ReadonlyMap<string, readonly BlockReason[]>
  /** How the run ends now; null while it goes on. */
  readonly done: 'complete' | 'partial' | 'failed' | null
  /** Milliseconds since 1970 when time alone may change this; undefined: only events can. */
  readonly wakeAt?: number
}
