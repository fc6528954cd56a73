/** Why the log did not do what it was asked. Codes are stable; messages are for people. */
export type LogErrorCode =
  /** Another agent raised the epoch: this one must stop. */
  | 'STALE_EPOCH'
  | 'SEQUENCE_MOVED'
  | 'STORE_CLOSED'
  /** More waits to be written than the bound allows. */
  | 'STORE_FULL'
  | 'DOCUMENT_MISSING'
  | 'SEALED_MISSING'
  | 'SEALED_BROKEN'
  /** The log was written by a newer Crowbar. */
  | 'EVENT_UNKNOWN'
  /** The database could not be opened, read or written; see `cause`. */
  | 'STORE_BROKEN'

/** A failure of the event store. */
export class LogError extends Error {
  readonly code: LogErrorCode
  readonly data: Readonly<Record<string, unknown>>

  constructor(code: LogErrorCode, message: string, options: { readonly data?: Readonly<Record<string, unknown>>; readonly cause?: unknown } = {}) {
    super(message, options.cause === undefined ? {} : { cause: options.cause })
    this.name = 'LogError'
    this.code = code
    this.data = options.data ?? {}
  }
}
