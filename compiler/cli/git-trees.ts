import { homedir } from 'node:os'
import { join } from 'node:path'
import type { GitAnswer, GitTrees } from '../resolve/git-source.ts'
import { askRemote, fetchCommit, readKept } from '../tree/git-cache.ts'
import type { GitCacheOptions } from '../tree/git-cache.ts'
import { NoGitError } from '../tree/git.ts'
import { TreeError } from '../tree/tree-error.ts'

/** Which refs the network is asked for. */
export interface Pinning {
  /** `pinned`: none; `new`: those that the lock does not pin; `all`: the others too, so that their pins move. */
  readonly ask: 'pinned' | 'new' | 'all'
  /** Milliseconds for one fetch; default ten minutes. */
  readonly fetchMs?: number
}

/**
 * Commits of repositories with barclamps: from `${XDG_CACHE_HOME:-~/.cache}/crowbar/barclamps`, and fetched into it once
 * when they are not there. What is pinned and kept needs no network.
 */
export function gitTrees({ ask, fetchMs = 600_000 }: Pinning): GitTrees {
  const options: GitCacheOptions = { folder: barclampCache(), environment: process.env, watched: process.stderr.isTTY && process.stdin.isTTY, fetchMs, maxKib: 1024 * 1024 }
  return (question) => {
    try {
      return answer(question, ask, options)
    } catch (cause) {
      if (cause instanceof NoGitError) return { kind: 'unreachable', message: 'There is no git program to fetch barclamps with', fix: 'Install git.' }
      if (cause instanceof TreeError) return { kind: 'unreachable', message: `${cause.message.charAt(0).toUpperCase()}${cause.message.slice(1)}`, fix: 'Mend or remove what is there; it is fetched again.' }
      throw cause
    }
  }
}

/** Where commits of barclamps are kept. */
export function barclampCache(): string {
  const base = process.env['XDG_CACHE_HOME'] ?? ''
  return join(base.startsWith('/') ? base : join(homedir(), '.cache'), 'crowbar', 'barclamps')
}

function answer({ url, ref, commit: pinned, within }: Parameters<GitTrees>[0], ask: Pinning['ask'], options: GitCacheOptions): GitAnswer {
  const reach = 'See that this machine reaches it by git as this user, or bring the cache from one that does.'
  let commit = pinned
  if (commit !== ref && (ask === 'all' || (ask === 'new' && commit === null))) {
    const asked = askRemote(url, ref, options)
    if (asked.kind === 'failed') return { kind: 'unreachable', message: `The repository cannot be asked what ${ref} is: ${asked.message}`, fix: reach }
    if (asked.kind === 'absent') return { kind: 'unreachable', message: `The repository has no branch or tag ${ref}`, fix: 'Name one that it has, or a whole commit id of 40 digits.' }
    commit = asked.commit
  }
  if (commit === null) return { kind: 'unpinned' }
  let kept = readKept(commit, within, options)
  if (kept === undefined) {
    if (process.stderr.isTTY) process.stderr.write(`fetching ${ref} of ${url}\n`)
    const why = fetchCommit(url, commit, options)
    if (why !== undefined) return { kind: 'unreachable', message: `Commit ${commit.slice(0, 12)} of the barclamps is not kept here, and cannot be fetched: ${why}`, fix: `${reach} If the commit is gone for good, \`crowbar lock --update-barclamps\` takes the one that ${ref} is now.` }
    kept = readKept(commit, within, options)
  }
  if (kept === undefined) throw new TreeError('GIT_FAILED', `commit ${commit} was fetched and is not there`)
  return { kind: 'found', commit, ...kept }
}
