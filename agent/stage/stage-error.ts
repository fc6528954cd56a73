/** Why staging could not go on. Codes are stable; messages are for people. */
export type StageErrorCode =
  /** What arrived has another hash than was expected; nothing was kept. */
  | 'STORE_HASH_MISMATCH'
  /** Not of the form `sha256:<64 lower-case hex digits>`. */
  | 'STORE_BAD_HASH'
  /** A reference name with characters or segments that are not allowed. */
  | 'STORE_BAD_REFERENCE'
  /** The store has no object of that hash. */
  | 'STORE_MISSING'
  /** An object of the store is not what its name says, or the disk does not give it. */
  | 'STORE_DAMAGED'
  /** The file system of the store is full, or its user's quota is used up; nothing of what came is kept. */
  | 'STORE_FULL'
  | 'PROGRAM_MISSING'
  | 'PROGRAM_FAILED'
  | 'PROGRAM_TIMEOUT'
  /** This machine's apt has no source of Debian packages that could serve the suite. */
  | 'APT_NO_SOURCE'
  /** What signs a repository is no key of its source's keyring. */
  | 'APT_UNTRUSTED'
  | 'APT_PACKAGE_UNKNOWN'
  /** The packages exist and cannot be installed together. */
  | 'APT_UNRESOLVABLE'
  /** A package could not be fetched, or its hash differs from the signed index. */
  | 'APT_DOWNLOAD'
  /** The file of the key that repositories are signed with is not usable. */
  | 'KEY_INVALID'
  /** A stored document is not what its reader expects. */
  | 'MANIFEST_INVALID'

/** A failure of the store, of a program it runs, or of apt; `data` holds what a program needs to react to it. */
export class StageError extends Error {
  readonly code: StageErrorCode
  readonly data: Readonly<Record<string, unknown>>

  constructor(code: StageErrorCode, message: string, options: { readonly data?: Readonly<Record<string, unknown>>; readonly cause?: unknown } = {}) {
    super(message, options.cause === undefined ? {} : { cause: options.cause })
    this.name = 'StageError'
    this.code = code
    this.data = options.data ?? {}
  }
}
