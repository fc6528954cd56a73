import { setTimeout as wait } from 'node:timers/promises'
import type { SiteRepository } from './repository.ts'
import { SiteError } from './site-error.ts'

/** What is new at the site repository. */
export type SiteNews =
  /** The branch has another head, which comes after the one before it. `previous`: null for the first. */
  | { readonly kind: 'commit'; readonly commit: string; readonly previous: string | null }
  /** The branch has a head that does not come after the one before it: somebody rewrote it. */
  | { readonly kind: 'rewritten'; readonly commit: string; readonly previous: string }
  /** Said once, when it begins; the next of the other kinds ends it. `reachable` does when the head is the same. */
  | { readonly kind: 'unreachable'; readonly code: 'SITE_UNREACHABLE' | 'SITE_BRANCH_MISSING'; readonly message: string }
  | { readonly kind: 'reachable'; readonly commit: string }

export interface FollowOptions {
  readonly signal: AbortSignal
  /** Milliseconds between two looks at the remote. */
  readonly everyMs: number
  /** The last head that was dealt with; only later ones are news. */
  readonly since: string | null
}

/** Looks at the remote again and again and says what is new. Ends, without an error, when the signal is aborted. */
export async function* follow(site: SiteRepository, { signal, everyMs, since }: FollowOptions): AsyncGenerator<SiteNews, void> {
  let last = since
  let outage: string | undefined
  while (!signal.aborted) {
    try {
      const commit = await site.fetch(signal)
      if (commit !== last) {
        const rewritten = last !== null && !(await site.isAncestor(last, commit, signal))
        const previous = last
        last = commit
        outage = undefined
        yield rewritten && previous !== null ? { kind: 'rewritten', commit, previous } : { kind: 'commit', commit, previous }
      } else if (outage !== undefined) {
        outage = undefined
        yield { kind: 'reachable', commit }
      }
    } catch (cause) {
      if (signal.aborted) return
      if (!(cause instanceof SiteError) || (cause.code !== 'SITE_UNREACHABLE' && cause.code !== 'SITE_BRANCH_MISSING')) throw cause
      if (outage !== cause.code) {
        outage = cause.code
        yield { kind: 'unreachable', code: cause.code, message: cause.message }
      }
    }
    // An abort ends the wait early; the loop's condition ends the rest.
    await wait(everyMs, undefined, { signal }).catch(() => {})
  }
}
