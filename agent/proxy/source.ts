import type { Trust } from './apt/check-signature.ts'

/** One archive of Debian packages: the same bytes at every upstream. */
export interface ArchiveSource {
  /** URLs, the best first. */
  readonly upstreams: readonly string[]
  /** `bookworm`, or `./` and the like for a flat one. Empty: any. */
  readonly suites: readonly string[]
  readonly components: readonly string[]
  readonly architectures: readonly string[]
  readonly trust: Trust
}

/** An upstream that the proxy serves from, under the name that the site gives it. */
export type ProxySource =
  | { readonly type: 'apt'; readonly name: string; readonly archives: readonly ArchiveSource[] }
  | { readonly type: 'git'; readonly name: string; readonly upstreams: readonly string[] }
  /** A registry of npm, or a simple index of Python packages: the URLs that npm and pip would be given. */
  | { readonly type: 'npm' | 'pypi'; readonly name: string; readonly upstreams: readonly string[] }
  /** `sha256`: 64 hex digits; null: nothing vouches for it, so it is not served. */
  | { readonly type: 'file'; readonly name: string; readonly upstreams: readonly string[]; readonly sha256: string | null }

/** Below an upstream's base, without `.`, `..`, empty segments or escapes; undefined when it is no such path. */
export function plainPath(escaped: string): string | undefined {
  try {
    const segments = escaped.split('/').map(decodeURIComponent).filter(one => one !== '' && one !== '.')
    return segments.some(one => one === '..' || one.includes('/') || one.includes('\0')) ? undefined : segments.join('/')
  } catch {
    // A malformed escape is no path.
    return undefined
  }
}
