/** What became of an attempt to use the site repository that did not work. */
export type SiteErrorCode =
  /** The repository that is followed does not answer. */
  | 'SITE_UNREACHABLE'
  /** It answers, but has no such branch. */
  | 'SITE_BRANCH_MISSING'
  /** git did something that it never should on the agent's own clone. */
  | 'SITE_GIT_FAILED'
  | 'SITE_NO_GIT'

/** The message says what was attempted, on what, and what git said. */
export class SiteError extends Error {
  readonly code: SiteErrorCode

  constructor(code: SiteErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'SiteError'
    this.code = code
  }
}
