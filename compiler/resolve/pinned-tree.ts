import type { Range, Report } from '../../schemas/diagnostic.ts'
import { own } from '../../schemas/own.ts'
import { error } from '../diagnostics/diagnostic.ts'
import { rangeOf } from '../parse/document.ts'
import type { Site } from '../validate/site.ts'
import { isCommitId, pinKey, problemOfRef, problemOfUrl } from './git-source.ts'
import type { GitAnswer, GitTrees } from './git-source.ts'

export interface PinnedTreeQuestion {
  readonly url: string
  readonly ref: string
  /** A folder of the repository, as an author writes it; default all of it. */
  readonly path: string | undefined
  /** Where `git`, `ref` and `path` stand, for what is wrong with them. */
  readonly at: (field: 'git' | 'ref' | 'path') => Range
  readonly site: Site
  readonly gitTrees: GitTrees
}

/** The files of a commit of another repository, and the pin that leads to it. */
export interface PinnedTree {
  readonly answer: Extract<GitAnswer, { readonly kind: 'found' }>
  /** `path` without what says nothing; empty: all. */
  readonly within: string
  /** Key of the lock → commit. */
  readonly pin: readonly [string, string]
}

/** Gives the files of a git repository as the lock pins it. Undefined: reported. */
export function pinnedTree({ url, ref, path, at, site, gitTrees }: PinnedTreeQuestion, report: Report): PinnedTree | undefined {
  const wrongUrl = problemOfUrl(url)
  const wrongRef = problemOfRef(ref)
  if (wrongUrl !== undefined) report(error('VALUE_INVALID', at('git'), `${wrongUrl.summary}.`, { fix: wrongUrl.fix }))
  if (wrongRef !== undefined) report(error('VALUE_INVALID', at('ref'), `The ref ${wrongRef}.`, { fix: 'Name a branch, a tag or a whole commit id.' }))
  if (wrongUrl !== undefined || wrongRef !== undefined) return undefined
  const key = pinKey(url, ref)
  const pinned = isCommitId(ref) ? ref : (own(site.lock?.value.barclamps, key) ?? null)
  if (pinned !== null && !isCommitId(pinned)) {
    report(error('LOCK_INVALID', rangeOf(site.lock?.source ?? site.site.source, ['barclamps', key]), 'This is no commit id.', { fix: 'Crowbar writes this file: restore it from the last commit.' }))
    return undefined
  }
  const within = (path ?? '').replace(/^(?:\.\/)+/, '').replace(/^\.$/, '').replace(/\/+$/, '')
  const answer = gitTrees({ url, ref, commit: pinned, within })
  if (answer.kind === 'found') return { answer, within, pin: [key, answer.commit] }
  if (answer.kind === 'unpinned') report(error('BARCLAMP_UNPINNED', at('ref'), `The lock does not say which commit ${ref} of this repository is.`, { fix: 'Run `crowbar lock`, which asks the repository, and commit the result.' }))
  else report(error('BARCLAMP_UNREACHABLE', at('git'), `${answer.message}.`, { fix: answer.fix }))
  return undefined
}
