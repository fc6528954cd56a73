import { spawnSync } from 'node:child_process'
import type { Report } from '../../schemas/diagnostic.ts'
import { assemble } from './listing.ts'
import type { Listed } from './listing.ts'
import { TreeError } from './tree-error.ts'
import type { Tree, TreeFile } from './tree.ts'

/** Files up to this size, bytes, are read all at once when the first of them is asked for; larger ones one by one. */
const TOGETHER = 1024 * 1024
const MAX_OUTPUT = 2 * 1024 * 1024 * 1024

/** There is no git program to run. */
export class NoGitError extends Error {
  readonly code = 'NO_GIT'
}

/**
 * Reads a commit of a repository, bare or not, with the git program.
 *
 * @param folder the repository or any folder of its working tree; only what is in that folder is read.
 * @param revision anything git understands.
 * @param within a folder of the commit, without which nothing else is listed; paths stay those of the commit.
 * @param environment of the process; whatever of it speaks to git is left out.
 * @throws {TreeError} REVISION_UNKNOWN, or GIT_FAILED with what git said.
 * @throws {NoGitError}
 */
export function readCommit(folder: string, revision: string, options: { readonly environment: NodeJS.ProcessEnv; readonly report: Report; readonly within?: string }): Tree {
  const git = runner(folder, options.environment)
  const prefix = folderInRepository(git)
  const commit = resolveRevision(git, revision, folder)
  const tree = prefix === '' ? commit : verify(git, `${commit}:${prefix}`)
  if (tree === undefined) throw new TreeError('REVISION_UNKNOWN', `the folder ${prefix} does not exist in ${revision}`)
  return assemble(list(git, tree, { folder, within: options.within ?? '' }), commit, options.report)
}

/**
 * The commit before an edit: the first parent of the last commit, back from a revision by first parents, that changed
 * more than these paths of the folder. Without a revision of the newest one; that one itself when the folder is not as it.
 *
 * @returns null: the history that is here does not reach so far.
 * @throws {TreeError} GIT_FAILED when this is no repository.
 * @throws {NoGitError}
 */
export function commitBefore(folder: string, revision: string | undefined, options: { readonly environment: NodeJS.ProcessEnv; readonly besides: readonly string[] }): string | null {
  const git = runner(folder, options.environment)
  const head = verify(git, `${revision ?? 'HEAD'}^{commit}`)
  if (head === undefined) return null
  if (revision === undefined && must(git, ['status', '--porcelain', '--', '.']).length > 0) return head
  const edit = must(git, ['rev-list', '-1', '--first-parent', head, '--', ...options.besides.map((path) => `:(exclude)${path}`)]).toString('utf8').trim()
  return edit === '' ? null : (verify(git, `${edit}^1^{commit}`) ?? null)
}

/**
 * Whether a repository has a ref of this full name, also where what it names is not there any more.
 *
 * @throws {TreeError} GIT_FAILED when this is no repository.
 * @throws {NoGitError}
 */
export function hasRef(folder: string, ref: string, options: { readonly environment: NodeJS.ProcessEnv }): boolean {
  const git = runner(folder, options.environment)
  must(git, ['rev-parse', '--git-dir'])
  return verify(git, ref) !== undefined
}

type Git = (args: readonly string[], input?: string) => { readonly status: number; readonly stdout: Buffer; readonly stderr: string }

function runner(folder: string, environment: NodeJS.ProcessEnv): Git {
  const env = Object.fromEntries(Object.entries(environment).filter(([name]) => !name.startsWith('GIT_')))
  Object.assign(env, { LC_ALL: 'C', GIT_TERMINAL_PROMPT: '0', GIT_OPTIONAL_LOCKS: '0', GIT_NO_REPLACE_OBJECTS: '1', GIT_NO_LAZY_FETCH: '1' })
  return (args, input) => {
    const run = spawnSync('git', ['-C', folder, '-c', 'core.fsmonitor=false', ...args], { env, input, maxBuffer: MAX_OUTPUT, stdio: ['pipe', 'pipe', 'pipe'] })
    if (run.error !== undefined) {
      if ((run.error as NodeJS.ErrnoException).code === 'ENOENT') throw new NoGitError('there is no git program', { cause: run.error })
      throw new TreeError('GIT_FAILED', `git ${args[0]} failed in ${folder}: ${run.error.message}`, { cause: run.error })
    }
    return { status: run.status ?? 255, stdout: run.stdout, stderr: run.stderr.toString('utf8') }
  }
}

function must(git: Git, args: readonly string[], input?: string): Buffer {
  const { status, stdout, stderr } = git(args, input)
  if (status !== 0) throw new TreeError('GIT_FAILED', `git ${args[0]} failed: ${stderr.trim()}`)
  return stdout
}

/** Empty, or the path of the folder inside the repository, without a slash at the end. */
function folderInRepository(git: Git): string {
  const lines = must(git, ['rev-parse', '--is-bare-repository', '--is-inside-git-dir', '--show-prefix']).toString('utf8').split('\n')
  if (lines[0] === 'true' || lines[1] === 'true') return ''
  return (lines[2] ?? '').replace(/\/$/, '')
}

function resolveRevision(git: Git, revision: string, folder: string): string {
  const commit = verify(git, `${revision}^{commit}`)
  if (commit !== undefined) return commit
  throw new TreeError('REVISION_UNKNOWN', `there is no commit ${JSON.stringify(revision)} in ${folder}`)
}

function verify(git: Git, object: string): string | undefined {
  const { status, stdout } = git(['rev-parse', '--verify', '--quiet', '--end-of-options', object])
  const id = stdout.toString('utf8').trim()
  return status === 0 && /^[0-9a-f]{40,64}$/.test(id) ? id : undefined
}

function list(git: Git, tree: string, { folder, within }: { readonly folder: string; readonly within: string }): ReadonlyMap<string, Listed> {
  const listed = new Map<string, Listed>()
  const objects = new Objects(git, folder)
  const links = new Map<string, string>()
  const utf8 = new TextDecoder('utf-8')
  const output = must(git, ['ls-tree', '-r', '-l', '-z', '--full-tree', tree, ...(within === '' ? [] : ['--', within])])
  for (let at = 0; at < output.length; ) {
    const end = output.indexOf(0, at)
    const tab = output.indexOf(9, at)
    const [mode, type, id, size] = output.toString('latin1', at, tab).split(/ +/) as [string, string, string, string]
    const path = utf8.decode(output.subarray(tab + 1, end))
    at = end + 1
    if (type === 'commit') listed.set(path, { kind: 'repository' })
    else if (mode === '120000') links.set(path, id)
    else listed.set(path, { kind: 'file', file: objects.file(path, id, Number(size), mode) })
  }
  for (const [path, id] of links) listed.set(path, { kind: 'link', target: linkTarget(objects.one(path, id)) })
  return listed
}

function linkTarget(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    return undefined
  }
}

/** What small blobs hold, by repository and id: those of a second commit are mostly the first one's. */
const kept = new Map<string, Map<string, Uint8Array>>()

/** Reads blobs: the small ones of a tree in one go, as soon as one of them is wanted. */
class Objects {
  readonly #git: Git
  readonly #small = new Set<string>()
  readonly #contents: Map<string, Uint8Array>
  #loaded = false

  constructor(git: Git, folder: string) {
    this.#git = git
    this.#contents = kept.get(folder) ?? new Map<string, Uint8Array>()
    kept.set(folder, this.#contents)
  }

  file(path: string, id: string, size: number, mode: string): TreeFile {
    if (size <= TOGETHER) this.#small.add(id)
    let content: Uint8Array | undefined
    return { mode: mode === '100755' ? '0755' : '0644', size, id, bytes: () => (content ??= size <= TOGETHER ? this.#fromBatch(path, id) : this.one(path, id)) }
  }

  one(path: string, id: string): Uint8Array {
    const { status, stdout, stderr } = this.#git(['cat-file', 'blob', id])
    if (status !== 0) throw new TreeError('FILE_UNREADABLE', `git cannot read ${path}: ${stderr.trim()}`)
    return stdout
  }

  #fromBatch(path: string, id: string): Uint8Array {
    if (!this.#loaded) this.#loadSmall()
    const content = this.#contents.get(id)
    if (content === undefined) throw new TreeError('FILE_UNREADABLE', `git cannot read ${path}: its object ${id} is missing`)
    return content
  }

  #loadSmall(): void {
    this.#loaded = true
    const wanted = [...this.#small].filter((id) => !this.#contents.has(id))
    if (wanted.length === 0) return
    const output = must(this.#git, ['cat-file', '--batch', '--buffer'], wanted.join('\n') + '\n')
    for (let at = 0; at < output.length; ) {
      const line = output.indexOf(10, at)
      const [id, type, size] = output.toString('latin1', at, line).split(' ') as [string, string, string | undefined]
      at = line + 1
      if (size === undefined) continue
      const end = at + Number(size)
      if (type === 'blob') this.#contents.set(id, output.subarray(at, end))
      at = end + 1
    }
  }
}
