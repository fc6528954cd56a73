import type { Diagnostic } from '../../schemas/diagnostic.ts'
import type { Tree } from '../tree/tree.ts'

/** A commit of a repository with barclamps that a compilation asks for. */
export interface GitQuestion {
  readonly url: string
  /** As the site says it. */
  readonly ref: string
  /** The commit that the lock, or the ref itself, pins; null: nothing does. */
  readonly commit: string | null
  /** Only what is below this folder of it; empty: all. */
  readonly within: string
}

export type GitAnswer =
  /** Paths are those of the repository; `diagnostics` are about files of it. */
  | { readonly kind: 'found'; readonly commit: string; readonly tree: Tree; readonly diagnostics: readonly Diagnostic[] }
  /** No commit is pinned, and this is not the moment to ask the network which it would be. */
  | { readonly kind: 'unpinned' }
  /** It is not here and could not be had. `message` is what was tried and what happened, without a full stop. */
  | { readonly kind: 'unreachable'; readonly message: string; readonly fix: string }

/**
 * Gives the files of commits that are not the site's own. A pinned commit has one content wherever it is kept, so that a
 * compilation that asks for pinned ones stays pure; which commit an unpinned ref stands for is the network's to say, and
 * only `crowbar lock` asks that.
 */
export type GitTrees = (question: GitQuestion) => GitAnswer

/** The key of a source in the lock. Neither part holds a space, so that no two sources share one. */
export function pinKey(url: string, ref: string): string {
  return `${url} ${ref}`
}

/** What a file of another repository is called in diagnostics and plans. No path of a site holds a colon and two slashes like it. */
export function gitPath({ url, ref }: Pick<GitQuestion, 'url' | 'ref'>, path: string): string {
  return `${url}@${ref}:${path}`
}

/** Whether a ref is a whole commit id, which pins itself. */
export function isCommitId(ref: string): boolean {
  return /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(ref)
}

const SCHEME = /^(?:https?|ssh|git|file):\/\//
const SCP = /^(?:[A-Za-z0-9_][\w.-]*@)?[A-Za-z0-9][\w.-]*:[^:\s-][^\s]*$/

/** Why git is not asked for a URL: what is wrong with it and what to write; undefined: nothing is. */
export function problemOfUrl(url: string): { readonly summary: string; readonly fix: string } | undefined {
  const kinds = 'Use an https://, ssh://, http://, git:// or file:// URL, user@host:path, or an absolute path.'
  // oxlint-disable-next-line no-control-regex -- so that no URL can write to a terminal or into a header
  if (/[\s\u0000-\u001f\u007f]/.test(url)) return { summary: 'The URL holds a space or a control character', fix: kinds }
  if (url.startsWith('-')) return { summary: 'The URL begins with a hyphen', fix: kinds }
  if (url.startsWith('/')) return undefined
  if (/^(?:https?:\/\/[^/@]*@|[a-z]+:\/\/[^/@]*:[^/@]*@)/i.test(url)) return { summary: 'The URL holds a password, or a token in place of a name', fix: 'Take it out, and give it to git: a credential helper, or an ssh key.' }
  if (/^[A-Za-z][A-Za-z0-9+.-]*::/.test(url)) return { summary: `The URL is for another program (${url.slice(0, url.indexOf(':'))}), which is not run`, fix: kinds }
  if (SCHEME.test(url)) return /^[a-z]+:\/\/(?:[^/@]*@)?-/.test(url) ? { summary: 'The host of the URL begins with a hyphen', fix: kinds } : undefined
  return SCP.test(url) && !url.includes('://') ? undefined : { summary: 'This is no URL of a git repository', fix: kinds }
}

/** Why something is no name of a branch, tag or commit (git-check-ref-format(1)); undefined: it is one. */
export function problemOfRef(ref: string): string | undefined {
  // oxlint-disable-next-line no-control-regex -- as git has it
  if (/[\s\u0000-\u001f\u007f~^:?*[\\]/.test(ref)) return 'holds a character that no branch, tag or commit has'
  if (ref.startsWith('-')) return 'begins with a hyphen'
  if (ref.startsWith('/') || ref.endsWith('/') || ref.endsWith('.') || ref.includes('..') || ref.includes('//') || ref.includes('@{') || ref.length > 255) return 'is no name of a branch, a tag or a commit'
  return undefined
}
