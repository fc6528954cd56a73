import type { Git } from './git.ts'
import { SiteError } from './site-error.ts'

/** What became of a push. */
export type Pushed =
  | { readonly kind: 'pushed' }
  /** Somebody else was first: fetch, look again, decide again. */
  | { readonly kind: 'rejected'; readonly message: string }
  /** The remote does not take it (a hook, a protected or checked-out branch): trying again changes nothing. */
  | { readonly kind: 'refused'; readonly message: string }
  | { readonly kind: 'unreachable'; readonly message: string }

export interface PushOptions {
  readonly repository: string
  readonly commit: string
  /** Full ref of the remote. */
  readonly ref: string
  /** What the ref has to be at the remote for the push to count; null: it must not exist. */
  readonly expected: string | null
}

/** Moves one ref of the remote by compare-and-swap. */
export async function pushTo(git: Git, { repository, commit, ref, expected }: PushOptions, signal: AbortSignal): Promise<Pushed> {
  try {
    const lease = `--force-with-lease=${ref}:${expected ?? ''}`
    const { status, stdout, stderr } = await git(['push', '--porcelain', '--no-verify', lease, 'origin', `${commit}:${ref}`], { signal })
    if (status === 0) return { kind: 'pushed' }
    const line = stdout.toString('utf8').split('\n').find((text) => text.startsWith('!'))
    const said = line?.split('\t').slice(2).join(' ') ?? stderr.trim()
    // Two pushes at one moment: the loser fails at the lock of the ref or finds that it moved.
    if (said.startsWith('[rejected]') || /cannot lock ref|failed to update ref|reference already exists|incorrect old value/i.test(said)) {
      return { kind: 'rejected', message: `${ref} of ${repository} is not ${expected ?? 'absent'} any more: ${said}` }
    }
    if (line !== undefined) return { kind: 'refused', message: `${repository} does not take ${ref}: ${said}\n${stderr.trim()}` }
    return { kind: 'unreachable', message: `cannot push to ${repository}: ${said}` }
  } catch (cause) {
    if (cause instanceof SiteError && cause.code === 'SITE_UNREACHABLE') return { kind: 'unreachable', message: cause.message }
    throw cause
  }
}
