/** Why a bundle cannot be made, believed or loaded. Codes are stable; messages are for people. */
export type BundleErrorCode =
  /** Not a bundle, or one of a later version. */
  | 'BUNDLE_UNREADABLE'
  /** Cut off, changed or put together from several. */
  | 'BUNDLE_DAMAGED'
  /** Signed by a key that nobody named, or the signature is wrong. */
  | 'BUNDLE_UNTRUSTED'
  /** A volume is not there. */
  | 'BUNDLE_INCOMPLETE'
  /** It adds to another bundle whose objects are not in the store. */
  | 'BUNDLE_BASE_MISSING'
  /** What the plan needs is not in the store. */
  | 'BUNDLE_NOT_STAGED'
  /** The commit's lock is not the one that it asks for, or what is here does not go with what comes. */
  | 'BUNDLE_STALE'
  /** It would carry a private key. */
  | 'BUNDLE_SECRET'
  /** It cannot be made or put where it is to go. */
  | 'BUNDLE_REFUSED'

/** As documented: 1 the input is at fault, 3 refused, 4 a stale or missing base. */
const EXIT: Readonly<Record<BundleErrorCode, number>> = {
  BUNDLE_UNREADABLE: 1, BUNDLE_DAMAGED: 1, BUNDLE_UNTRUSTED: 3, BUNDLE_INCOMPLETE: 1, BUNDLE_BASE_MISSING: 4, BUNDLE_NOT_STAGED: 1, BUNDLE_STALE: 4, BUNDLE_SECRET: 3, BUNDLE_REFUSED: 1,
}

export class BundleError extends Error {
  readonly code: BundleErrorCode

  constructor(code: BundleErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'BundleError'
    this.code = code
  }

  get exitCode(): number {
    return EXIT[this.code]
  }
}
