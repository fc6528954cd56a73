/** Why a step may not start now. `code` is for programs, `message` for people. */
export interface BlockReason {
  readonly code: 'NEEDS' | 'NODE_BUSY' | 'NODE_DEFERRED' | 'REMOVAL_FIRST' | 'FROZEN' | 'LIMIT' | 'MEMBERS' | 'WAITING' | 'RETRY' | 'UNKNOWN' | 'EXCLUDED' | 'CANCELLED' | 'REFUSED' | 'BATCH' | 'GATE' | 'PAUSED' | 'ROLLOUT_STOPPED'
  readonly message: string
  /** The step that it waits for, when it is one. */
  readonly step?: string
}
