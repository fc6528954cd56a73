import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { LEDGER_REF } from '../../schemas/ledger.ts'
import { takeTurns } from '../take-turns.ts'
import { gitIn, must } from './git.ts'
import type { Git } from './git.ts'
import { pushTo } from './push.ts'
import type { Pushed } from './push.ts'
import { SiteError } from './site-error.ts'
import { writeCommit } from './write-commit.ts'

export interface SiteOptions {
  /** A path, a bare repository, or a URL that git knows. */
  readonly repository: string
  readonly branch: string
  /** Where the agent's clone is kept, bare; made when it is not there. */
  readonly folder: string
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly signal: AbortSignal
}

/** What a commit by the agent is made of. */
export interface CommitFiles {
  /** The commit that it comes after. */
  readonly base: string
  /** Path → text; null takes the file away. What is not named stays. */
  readonly files: ReadonlyMap<string, string | null>
  readonly message: string
}

/** How publishing the ledger ended. `commit` is in the clone in any case. */
export type Published = { readonly commit: string; readonly outcome: Pushed | { readonly kind: 'unchanged' } }

/**
 * The agent's clone of the site repository: read for compiling, written for inventory, lock and ledger. It has no work
 * tree, is nobody else's, and can be deleted at any time but for a ledger that was not pushed yet.
 *
 * Every method that waits takes a signal and rejects with its reason; a remote that does not answer is
 * SITE_UNREACHABLE from `fetch`, and a value from what pushes.
 */
export interface SiteRepository {
  /** The clone, for `crowbar compile --site`. */
  readonly folder: string
  readonly branch: string
  /** The branch as it was last fetched or pushed; null before the first fetch. */
  head(signal: AbortSignal): Promise<string | null>
  /** Gets the branch and the ledger. @throws {SiteError} SITE_UNREACHABLE or SITE_BRANCH_MISSING */
  fetch(signal: AbortSignal): Promise<string>
  /** Whether one commit is another or comes before it. False when one of them is not in the clone. */
  isAncestor(older: string, newer: string, signal: AbortSignal): Promise<boolean>
  /** A commit with these files on top of `base`; `base` itself when that changes nothing. Nothing is pushed. */
  commitFiles(commit: CommitFiles, signal: AbortSignal): Promise<string>
  /** Moves the branch from `base` to `commit`, which has to come after it; only if it is still there. Never forces. */
  push(commit: string, base: string, signal: AbortSignal): Promise<Pushed>
  /**
   * Whether nobody but this agent made the commits after `older` up to `newer`, its newest. It notes them before they are
   * pushed, so that it knows them in its next life too, and when a push arrived whose answer did not.
   */
  isOwnSince(older: string, newer: string, signal: AbortSignal): Promise<boolean>
  /** Offers a commit for review on a branch of the agent's own, in place of what it offered before. */
  propose(commit: string, signal: AbortSignal, branch?: string): Promise<Pushed>
  /** Makes a ledger of exactly these files, after the last one, and pushes it. */
  publishLedger(files: ReadonlyMap<string, string | Uint8Array>, message: string, signal: AbortSignal): Promise<Published>
  /** Gives up the clone's own ledger for the one that the remote has: the next one comes after that. */
  followLedger(signal: AbortSignal): Promise<void>
  /** What a full ref of the clone stands for; null when there is none. */
  readRef(ref: string, signal: AbortSignal): Promise<string | null>
  /** The text files of a commit below a folder (with a slash at its end, or empty for all), by path. */
  readFiles(commit: string, folder: string, signal: AbortSignal): Promise<ReadonlyMap<string, string>>
  /** The same, as bytes. */
  readBytes(commit: string, folder: string, signal: AbortSignal): Promise<ReadonlyMap<string, Buffer>>
}

/** Where the clone keeps what the remote was last seen to have. */
const SEEN = 'refs/crowbar-remote'
/** The ledger as the remote was last seen to have it, for `readRef`. */
export const SEEN_LEDGER = `${SEEN}/applied`

/** The newest commit that the agent made for the branch, and what its unbroken line of own commits stands on. */
const OWN = { newest: 'refs/crowbar-own/newest', since: 'refs/crowbar-own/since' } as const

/** Opens the agent's clone, or makes it. Does not speak to the remote yet. */
export async function openSite(options: SiteOptions): Promise<SiteRepository> {
  const { folder, branch, repository, now, signal } = options
  const config = join(folder, 'agent.gitconfig')
  await mkdir(folder, { recursive: true, mode: 0o700 })
  await writeFile(config, userConfig(repository))
  const git = gitIn(folder, config)
  await must(git, ['init', '--quiet', '--bare', '--initial-branch=main'], { signal })
  await must(git, ['config', 'remote.origin.url', repository], { signal })
  await must(git, ['config', 'gc.autoDetach', 'false'], { signal })
  const heads = `refs/heads/${branch}`
  if ((await git(['check-ref-format', heads], { signal })).status !== 0) throw new SiteError('SITE_BRANCH_MISSING', `${JSON.stringify(branch)} is no name of a branch`)
  const seenHead = `${SEEN}/heads`
  const seenLedger = SEEN_LEDGER

  // What moves refs takes turns: a fetch that looked before a push must not write what it saw after it.
  const inTurn = takeTurns()

  const site: SiteRepository = {
    folder,
    branch,
    head: (stop) => readRef(git, seenHead, stop),
    readRef: (ref, stop) => readRef(git, ref, stop),
    isAncestor: async (older, newer, stop) => (await git(['merge-base', '--is-ancestor', older, newer], { signal: stop })).status === 0,

    fetch: (stop) => inTurn(async () => {
      const remote = await listRemote(git, repository, [heads, LEDGER_REF], stop)
      const head = remote.get(heads)
      if (head === undefined) throw new SiteError('SITE_BRANCH_MISSING', `${repository} has no branch ${branch}`)
      const ledger = remote.get(LEDGER_REF)
      const wanted = [`+${heads}:${seenHead}`, ...(ledger === undefined ? [] : [`+${LEDGER_REF}:${seenLedger}`])]
      const known = (await readRef(git, seenHead, stop)) === head && (ledger === undefined || (await readRef(git, seenLedger, stop)) === ledger)
      if (!known) {
        const { status, stderr } = await git(['fetch', '--quiet', '--no-tags', '--no-write-fetch-head', 'origin', ...wanted], { signal: stop })
        if (status !== 0) throw new SiteError('SITE_UNREACHABLE', `cannot fetch from ${repository}: ${stderr.trim()}`)
      }
      if (ledger === undefined) await git(['update-ref', '-d', seenLedger], { signal: stop })
      else await adoptLedger(git, seenLedger, stop)
      return (await readRef(git, seenHead, stop)) ?? head
    }),

    commitFiles: ({ base, files, message }, stop) => writeCommit(git, { parent: base, files, message, replaceAll: false, at: now() }, stop),

    push: (commit, base, stop) => inTurn(async () => {
      if (commit === base) return { kind: 'pushed' }
      if (!(await site.isAncestor(base, commit, stop))) throw new SiteError('SITE_GIT_FAILED', `${commit} does not come after ${base}, so pushing it would lose commits`)
      if ((await readRef(git, OWN.newest, stop)) !== base) await must(git, ['update-ref', OWN.since, base], { signal: stop })
      await must(git, ['update-ref', OWN.newest, commit], { signal: stop })
      const pushed = await pushTo(git, { repository, commit, ref: heads, expected: base }, stop)
      if (pushed.kind === 'pushed') await must(git, ['update-ref', seenHead, commit], { signal: stop })
      return pushed
    }),

    async isOwnSince(older, newer, stop) {
      const since = await readRef(git, OWN.since, stop)
      return since !== null && (await readRef(git, OWN.newest, stop)) === newer && (await site.isAncestor(since, older, stop)) && site.isAncestor(older, newer, stop)
    },

    async propose(commit, stop, own = 'crowbar/inventory') {
      const ref = `refs/heads/${own}`
      if (ref === heads) throw new SiteError('SITE_GIT_FAILED', `${own} is the branch that is followed: a proposal there would be no proposal`)
      const remote = await listRemote(git, repository, [ref], stop).catch((cause: unknown) => unreachable(cause))
      if (remote instanceof SiteError) return { kind: 'unreachable', message: remote.message }
      const before = remote.get(ref) ?? null
      return before === commit ? { kind: 'pushed' } : pushTo(git, { repository, commit, ref, expected: before }, stop)
    },

    publishLedger: (files, message, stop) => inTurn(async () => {
      const parent = await readRef(git, LEDGER_REF, stop)
      const commit = await writeCommit(git, { parent, files, message, replaceAll: true, at: now() }, stop)
      const seen = await readRef(git, seenLedger, stop)
      if (commit !== parent) await must(git, ['update-ref', LEDGER_REF, commit, parent ?? '0'.repeat(commit.length)], { signal: stop })
      if (commit === seen) return { commit, outcome: { kind: 'unchanged' } }
      if (seen !== null && !(await site.isAncestor(seen, commit, stop))) {
        return { commit, outcome: { kind: 'rejected', message: `${LEDGER_REF} of ${repository} is at ${seen}, which this agent did not write` } }
      }
      const outcome = await pushTo(git, { repository, commit, ref: LEDGER_REF, expected: seen }, stop)
      if (outcome.kind === 'pushed') await must(git, ['update-ref', seenLedger, commit], { signal: stop })
      return { commit, outcome }
    }),

    async followLedger(stop) {
      if ((await readRef(git, seenLedger, stop)) !== null) await must(git, ['update-ref', LEDGER_REF, seenLedger], { signal: stop })
    },

    readFiles: async (commit, below, stop) => new Map([...(await readBytes(git, { commit, folder: below }, stop))].map(([path, bytes]) => [path, bytes.toString('utf8')])),
    readBytes: (commit, below, stop) => readBytes(git, { commit, folder: below }, stop),
  }
  return site
}

/** The operator's own configuration still counts, and the repository he named is trusted whoever owns it. */
function userConfig(repository: string): string {
  const quote = (text: string): string => `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`
  const trusted = repository.startsWith('/') ? `[safe]\n\tdirectory = ${quote(repository)}\n\tdirectory = ${quote(join(repository, '.git'))}\n` : ''
  return `[include]\n\tpath = ~/.gitconfig\n${trusted}`
}

async function readRef(git: Git, ref: string, signal: AbortSignal): Promise<string | null> {
  const { status, stdout } = await git(['rev-parse', '--verify', '--quiet', '--end-of-options', `${ref}^{commit}`], { signal })
  return status === 0 ? stdout.toString('utf8').trim() : null
}

async function listRemote(git: Git, repository: string, refs: readonly string[], signal: AbortSignal): Promise<ReadonlyMap<string, string>> {
  const { status, stdout, stderr } = await git(['ls-remote', 'origin', ...refs], { signal })
  if (status !== 0) throw new SiteError('SITE_UNREACHABLE', `cannot reach ${repository}: ${stderr.trim()}`)
  const lines = stdout.toString('utf8').trim().split('\n').filter((line) => line !== '')
  return new Map(lines.map((line) => line.split('\t').toReversed() as [string, string]))
}

/** The clone's ledger follows the remote's when it is behind it or is not there; when it is ahead it waits to be pushed. */
async function adoptLedger(git: Git, seen: string, signal: AbortSignal): Promise<void> {
  const own = await readRef(git, LEDGER_REF, signal)
  const behind = own === null || (await git(['merge-base', '--is-ancestor', own, seen], { signal })).status === 0
  if (behind) await must(git, ['update-ref', LEDGER_REF, seen], { signal })
}

async function readBytes(git: Git, { commit, folder }: { readonly commit: string; readonly folder: string }, signal: AbortSignal): Promise<ReadonlyMap<string, Buffer>> {
  const listing = (await must(git, ['ls-tree', '-r', '-z', '--full-tree', commit, ...(folder === '' ? [] : ['--', folder])], { signal })).toString('utf8')
  const entries = listing.split('\0').flatMap((line) => {
    const found = /^100(?:644|755) blob ([0-9a-f]+)\t(.*)$/s.exec(line)
    return found === null ? [] : [{ id: found[1] as string, path: found[2] as string }]
  })
  if (entries.length === 0) return new Map()
  const output = await must(git, ['cat-file', '--batch', '--buffer'], { input: `${entries.map(({ id }) => id).join('\n')}\n`, signal })
  const files = new Map<string, Buffer>()
  let at = 0
  for (const { path } of entries) {
    const line = output.indexOf(10, at)
    const size = Number(output.toString('latin1', at, line).split(' ')[2])
    files.set(path, output.subarray(line + 1, line + 1 + size))
    at = line + 2 + size
  }
  return files
}

function unreachable(cause: unknown): SiteError {
  if (cause instanceof SiteError && cause.code === 'SITE_UNREACHABLE') return cause
  throw cause
}
