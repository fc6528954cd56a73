/** One try at one upstream that did not give what was asked for. */
export class UpstreamError extends Error {
  /** `absent`: it says that it has no such thing; it is well. `wrong`: what came is not what it should be. `unasked`: an answer to another question, as a range that is not the one. */
  readonly kind: 'unreachable' | 'timeout' | 'status' | 'unasked' | 'absent' | 'truncated' | 'wrong'

  constructor(kind: UpstreamError['kind'], message: string, options: { readonly cause?: unknown } = {}) {
    super(message, options)
    this.name = 'UpstreamError'
    this.kind = kind
  }
}
