/** Why an image could not be built. Codes are stable; messages are for people. */
export type ImageErrorCode =
  /** Only root may build it on this machine. */
  | 'IMAGE_NEEDS_ROOT'
  /** What was built has other packages than were resolved. */
  | 'IMAGE_DIFFERS'
  /** Debian packages that this machine lacks; `data.names`, `data.command`. */
  | 'HOST_PACKAGES_MISSING'
  /** A file that the image's recipe names is not in its packages. */
  | 'IMAGE_FILE_MISSING'
  /** Not an ELF file of 64 bits, little endian. */
  | 'ELF_UNREADABLE'
  | 'BUNDLE_FAILED'

/** A failure to build an image; `data` holds what a program needs to react to it. */
export class ImageError extends Error {
  readonly code: ImageErrorCode
  readonly data: Readonly<Record<string, unknown>>

  constructor(code: ImageErrorCode, message: string, options: { readonly data?: Readonly<Record<string, unknown>>; readonly cause?: unknown } = {}) {
    super(message, options.cause === undefined ? {} : { cause: options.cause })
    this.name = 'ImageError'
    this.code = code
    this.data = options.data ?? {}
  }
}
