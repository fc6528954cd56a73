/** Why a client gets no bytes. Codes are stable. */
export type ProxyErrorCode =
  /** Nobody vouches for it: no source, suite or signed index has it. */
  | 'NOT_FOUND'
  /** Every upstream was asked, and none gave it. */
  | 'UPSTREAM_FAILED'
  /** A signature is missing or wrong, or a body is not what the signed index says. */
  | 'NOT_GENUINE'
  /** It is not in the store, and no upstream may be asked. */
  | 'OFFLINE'
  /** Not what this proxy is for. */
  | 'REFUSED'
  | 'STORE_FULL'

const STATUS: Readonly<Record<ProxyErrorCode, number>> = { NOT_FOUND: 404, UPSTREAM_FAILED: 502, NOT_GENUINE: 502, OFFLINE: 504, REFUSED: 403, STORE_FULL: 507 }

/** An answer that is no bytes: what was asked for, of which upstream, what happened. The message is for the client's user. */
export class ProxyError extends Error {
  readonly code: ProxyErrorCode

  constructor(code: ProxyErrorCode, message: string, options: { readonly cause?: unknown } = {}) {
    super(message, options)
    this.name = 'ProxyError'
    this.code = code
  }

  /** HTTP status for the client. */
  get status(): number {
    return STATUS[this.code]
  }
}
