/** What can go wrong with a virtual rack. */
export type RackErrorCode =
  | 'RACK_NEEDS_ROOT'
  | 'RACK_NO_INTERFACE'
  | 'RACK_NO_MACHINE'
  | 'RACK_NO_CONTAINER'
  | 'RACK_BAD_DISTURBANCE'
  | 'RACK_OUT_NOT_EMPTY'
  | 'RACK_BAD_DOCUMENT'
  | 'RACK_MACHINE_DIED'
  | 'RACK_NO_FIRMWARE'
  | 'RACK_CANARY_CHANGED'

/** A rehearsal that cannot be built or carried out: what was attempted, on what, what happened. */
export class RackError extends Error {
  readonly code: RackErrorCode
  readonly data: Readonly<Record<string, unknown>>

  constructor(code: RackErrorCode, message: string, options: { readonly data?: Readonly<Record<string, unknown>>; readonly cause?: unknown } = {}) {
    super(message, { cause: options.cause })
    this.name = 'RackError'
    this.code = code
    this.data = options.data ?? {}
  }
}
