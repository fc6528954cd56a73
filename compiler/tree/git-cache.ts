import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Diagnostic } from '../../schemas/diagnostic.ts'
import { NoGitError, readCommit } from './git.ts'
import { TreeError } from './tree-error.ts'
import type { Tree } from './tree.ts'

/** How a repository elsewhere is asked. */
export interface GitCacheOptions {
  /** Where commits are kept, `<commit>.git` each; made when something is fetched. */
  readonly folder: string
  /** The environment of the process; of what speaks to git only what says how to reach others is kept. */
  readonly environment: NodeJS.ProcessEnv
  /** Somebody watches stderr: git says there how far it is, and may ask for a password. */
  readonly watched: boolean
  /** Milliseconds for one fetch, at most. */
  readonly fetchMs: number
  /** KiB of one file that git may write: a barclamp is text, and a repository that is larger is none, or means harm. */
  readonly maxKib: number
}

/** What git says of a repository elsewhere, or why it says nothing; `message` has no full stop. */
export type RemoteAnswer = { readonly kind: 'commit'; readonly commit: string } | { readonly kind: 'absent' } | { readonly kind: 'failed'; readonly message: string }

const LIST_MS = 60_000
/** What of `GIT_*` says how to reach others, and not what this process does. */
const KEPT = /^GIT_(?:SSH|SSH_COMMAND|SSH_VARIANT|ASKPASS|SSL_\w+|PROXY_\w+|CONFIG_GLOBAL|CONFIG_SYSTEM|CONFIG_NOSYSTEM|CONFIG_COUNT|CONFIG_KEY_\d+|CONFIG_VALUE_\d+)$/

/** Reads what is below a folder of a commit that is kept, or all of it; undefined: it is not kept. */
export function readKept(commit: string, within: string, { folder, environment }: GitCacheOptions): { readonly tree: Tree; readonly diagnostics: readonly Diagnostic[] } | undefined {
  const repository = join(folder, `${commit}.git`)
  if (!existsSync(repository)) return undefined
  const diagnostics: Diagnostic[] = []
  const tree = readCommit(repository, commit, { environment, within, report: (diagnostic) => void diagnostics.push(diagnostic) })
  return { tree, diagnostics }
}

/** Asks a repository which commit a branch or a tag is; a tag goes before a branch of the same name, as git has it. */
export function askRemote(url: string, ref: string, options: GitCacheOptions): RemoteAnswer {
  const names = ref === 'HEAD' || ref.startsWith('refs/') ? [`${ref}^{}`, ref] : [`refs/tags/${ref}^{}`, `refs/tags/${ref}`, `refs/heads/${ref}`]
  const asked = run(['ls-remote', '--quiet', '--end-of-options', url, ...names], { ...options, watched: false, deadlineMs: LIST_MS })
  if (asked.status !== 0) return { kind: 'failed', message: `git ls-remote ${asked.why}` }
  const commits = new Map(asked.stdout.split('\n').map((line) => line.split('\t') as [string, string?]).map(([commit, name]) => [name, commit]))
  const commit = names.map((name) => commits.get(name)).find((found) => found !== undefined && /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(found))
  return commit === undefined ? { kind: 'absent' } : { kind: 'commit', commit }
}

/**
 * Fetches one commit, without its history, and keeps it. Whole or not at all: it is put in its place when it is there.
 *
 * @returns why it could not be had, without a full stop; undefined: it is kept now.
 * @throws {TreeError} when the folder cannot be written.
 */
export function fetchCommit(url: string, commit: string, options: GitCacheOptions): string | undefined {
  let work: string
  try {
    mkdirSync(options.folder, { recursive: true })
    work = mkdtempSync(join(options.folder, '.fetch-'))
  } catch (cause) {
    throw new TreeError('FOLDER_UNREADABLE', `cannot keep barclamps in ${options.folder}: ${(cause as Error).message}`, { cause })
  }
  try {
    const git = (args: readonly string[], deadlineMs = LIST_MS) => run(['--git-dir', work, ...args], { ...options, deadlineMs })
    const made = git(['init', '--quiet', '--bare', '--template=', ...(commit.length === 64 ? ['--object-format=sha256'] : [])])
    if (made.status !== 0) return `git init ${made.why}`
    const fetch = ['fetch', options.watched ? '--progress' : '--quiet', '--no-tags', '--no-write-fetch-head', '--no-recurse-submodules', '--no-auto-maintenance']
    const have = (): boolean => git(['cat-file', '-e', `${commit}^{commit}`]).status === 0
    const fetched = git([...fetch, '--depth=1', '--end-of-options', url, `${commit}:refs/heads/pinned`], options.fetchMs)
    if (fetched.late) return `git fetch ${fetched.why}`
    if (fetched.status !== 0 || !have()) {
      // Some servers give only what a branch or a tag leads to.
      const all = git([...fetch, '--end-of-options', url, '+refs/heads/*:refs/heads/*', '+refs/tags/*:refs/tags/*'], options.fetchMs)
      if (all.status !== 0) return `git fetch ${all.why}`
      if (!have()) return 'the repository has no such commit (any more)'
      git(['update-ref', 'refs/heads/pinned', commit])
    }
    try {
      renameSync(work, join(options.folder, `${commit}.git`))
    } catch (cause) {
      // Another process was quicker, and has the same.
      if (!existsSync(join(options.folder, `${commit}.git`))) throw new TreeError('FOLDER_UNREADABLE', `cannot keep barclamps in ${options.folder}: ${(cause as Error).message}`, { cause })
    }
    return undefined
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

interface RunOptions extends GitCacheOptions {
  readonly deadlineMs: number
}

interface RunEnd {
  readonly status: number
  readonly stdout: string
  /** Empty when it went well. */
  readonly why: string
  /** It was ended because it took too long. */
  readonly late: boolean
}

function run(args: readonly string[], { environment, watched, deadlineMs, maxKib }: RunOptions): RunEnd {
  const kept = Object.entries(environment).filter(([name]) => (!name.startsWith('GIT_') || KEPT.test(name)) && (watched || name !== 'SSH_ASKPASS'))
  const env = {
    ...Object.fromEntries(kept),
    LC_ALL: 'C',
    GIT_ALLOW_PROTOCOL: 'https:http:ssh:git:file',
    GIT_NO_REPLACE_OBJECTS: '1',
    ...(watched ? {} : { GIT_TERMINAL_PROMPT: '0' }),
    ...(watched || 'GIT_SSH_COMMAND' in environment || 'GIT_SSH' in environment ? {} : { GIT_SSH_COMMAND: 'ssh -oBatchMode=yes' }),
  }
  const settings = ['core.hooksPath=/dev/null', 'core.fsmonitor=false', 'gc.auto=0', 'submodule.recurse=false', 'http.lowSpeedLimit=1', 'http.lowSpeedTime=60'].flatMap((setting) => ['-c', setting])
  // dash and bash as sh count in 512 bytes.
  const result = spawnSync('/bin/sh', ['-c', `ulimit -f ${maxKib * 2}; exec git "$@"`, 'git', ...settings, ...args], {
    env, encoding: 'utf8', timeout: deadlineMs, killSignal: 'SIGTERM', maxBuffer: 64 * 1024 * 1024, stdio: ['ignore', 'pipe', watched ? 'inherit' : 'pipe'],
  })
  if (result.status === 127) throw new NoGitError('there is no git program')
  if ((result.error as NodeJS.ErrnoException | undefined)?.code === 'ETIMEDOUT') return { ...ENDED, why: `took longer than ${deadlineMs / 1000} s`, late: true }
  if (result.error !== undefined) return { ...ENDED, why: `could not run: ${result.error.message}` }
  if (result.status === 0) return { ...ENDED, status: 0, stdout: result.stdout }
  const said = printable(result.stderr ?? '')
  return { ...ENDED, status: result.status ?? 255, why: said === '' ? `ended with ${result.status ?? result.signal}` : `said: ${said}` }
}

const ENDED: RunEnd = { status: 255, stdout: '', why: '', late: false }

/** What a server says comes to a terminal by way of git: its last lines, in one, without control characters. */
function printable(text: string): string {
  const lines = text.split('\n').map((line) => line.trim()).filter((line) => line !== '' && !/^(?:hint:|Please make sure|and the repository exists)/.test(line))
  // oxlint-disable-next-line no-control-regex -- these are what is taken away
  return lines.slice(-3).join('; ').replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, ' ').slice(0, 500).replace(/\.$/, '')
}
