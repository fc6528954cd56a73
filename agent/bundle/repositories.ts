import { spawn } from 'node:child_process'
import { access, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { BundledRepository } from '../../schemas/bundle.ts'
import { runProgram } from '../stage/run-program.ts'
import type { Store } from '../stage/store.ts'
import { BundleError } from './bundle-error.ts'
import { removeUnfinished } from './unfinished.ts'

export interface GitOptions {
  readonly store: Store
  readonly signal: AbortSignal
}

/** What of a repository goes into a bundle. */
export interface PackOrder extends Pick<BundledRepository, 'kind' | 'name' | 'key'> {
  readonly folder: string
  /** Ref as the bundle has it → commit, or tag, by its id. */
  readonly refs: Readonly<Record<string, string>>
  readonly head: string | null
}

/** One thread and no pack that is there already, so that the same objects give the same bytes with one version of git. */
const PACK = ['-c', 'pack.threads=1', '-c', 'core.compression=6', '-c', 'safe.directory=*', 'pack-objects', '--revs', '--stdout', '--quiet', '--no-reuse-delta', '--no-reuse-object', '--delta-base-offset', '--threads=1', '--window=10', '--depth=50'] as const

/** Puts all that refs of a repository lead to into the store, as one pack. */
export async function packRepository(order: PackOrder, options: GitOptions): Promise<BundledRepository> {
  const { folder, refs, kind, name, key, head } = order
  const ids = [...new Set(Object.values(refs))].toSorted()
  const shallow = (await readFile(join(await gitFolder(folder, options), 'shallow'), 'utf8').catch(() => '')).split('\n').filter(line => line !== '').toSorted()
  // First: what a child wrote is dropped when it ends before anybody reads it.
  await using incoming = await options.store.receive()
  const child = spawn('git', ['-C', folder, ...PACK], { stdio: ['pipe', 'pipe', 'pipe'], env: environment(), signal: options.signal })
  let said = ''
  child.stderr.on('data', (chunk: Buffer) => {
    said = (said + chunk.toString('utf8')).slice(-2000)
  })
  const ended = new Promise<number | string>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, killed) => resolve(code ?? killed ?? 'no status'))
  })
  child.stdin.on('error', () => undefined)
  child.stdin.end(`${ids.join('\n')}\n`)
  for await (const chunk of child.stdout) await incoming.write(chunk as Buffer)
  const code = await ended
  if (code !== 0) throw new BundleError('BUNDLE_REFUSED', `git cannot pack ${name} (${folder}): ${said.trim()}`)
  const { hash } = await incoming.keep()
  const format = (ids[0] ?? '').length === 64 ? 'sha256' : 'sha1'
  // What is shallow matters where the pack has it.
  return { kind, name, key, pack: hash.slice('sha256:'.length), refs: sorted(refs), head, shallow: kind === 'barclamp' ? ids : shallow, format }
}

/** Every branch and tag, and what HEAD stands for. */
export async function refsOf(folder: string, patterns: readonly string[], options: Pick<GitOptions, 'signal'>): Promise<{ readonly refs: Readonly<Record<string, string>>; readonly head: string | null }> {
  const listed = await git(folder, ['for-each-ref', '--format=%(objectname) %(refname)', ...patterns], options)
  const refs = Object.fromEntries(listed.split('\n').filter(line => line !== '').map(line => line.split(' ').toReversed() as [string, string]))
  const head = (await git(folder, ['symbolic-ref', '--quiet', 'HEAD'], options).catch(() => '')).trim()
  return { refs, head: head in refs ? head : null }
}

/** The commit that a revision of a repository stands for; undefined: none. */
export async function commitOf(folder: string, revision: string, options: Pick<GitOptions, 'signal'>): Promise<string | undefined> {
  return git(folder, ['rev-parse', '--verify', '--quiet', '--end-of-options', `${revision}^{commit}`], options).then(text => text.trim(), () => undefined)
}

/**
 * Makes a bare repository of what a bundle has of it, or brings one that is there up to it. Nothing that is there is lost:
 * a ref that is ahead stays, and when one has gone another way nothing is changed at all.
 *
 * @returns what was left as it is, in words.
 * @throws {BundleError} BUNDLE_STALE
 */
export async function unpackRepository(one: BundledRepository, target: string, { store, signal }: GitOptions): Promise<readonly string[]> {
  const isThere = await access(join(target, 'HEAD')).then(() => true, () => false)
  const work = isThere ? target : `${target}.new-${String(process.pid)}`
  const options = { signal }
  if (!isThere) {
    await mkdir(join(target, '..'), { recursive: true })
    await removeUnfinished(`${target}.new-`)
    await runProgram(['git', 'init', '--quiet', '--bare', '--template=', `--object-format=${one.format}`, '--initial-branch=main', work], { signal, env: environment() })
  }
  try {
    await runProgram(['sh', '-c', 'exec git -c safe.directory=* -c core.fsync=all --git-dir "$0" index-pack --stdin <"$1"', work, store.path(`sha256:${one.pack}`)], { signal, env: environment() })
    if (!isThere && one.shallow.length > 0) await writeFile(join(work, 'shallow'), one.shallow.map(id => `${id}\n`).join(''))
    const { refs: before } = isThere ? await refsOf(work, [], options) : { refs: {} }
    const moves: string[] = []
    const left: string[] = []
    for (const [ref, id] of Object.entries(one.refs)) {
      const now = (before as Readonly<Record<string, string>>)[ref]
      if (now === id) continue
      if (now === undefined || one.kind === 'mirror' || await isAncestor(work, now, id, options)) moves.push(`update ${ref} ${id} ${now ?? '0'.repeat(id.length)}\n`)
      else if (await isAncestor(work, id, now, options)) left.push(`${ref} of ${target} is ahead of the bundle and stays at ${now.slice(0, 12)}`)
      else throw new BundleError('BUNDLE_STALE', `${ref} of ${target} is at ${now.slice(0, 12)}, which does not come before ${id.slice(0, 12)} of the bundle; nothing there was changed. Load into another repository (--repository), and merge`)
    }
    if (moves.length > 0) {
      const list = join(work, `crowbar-refs-${String(process.pid)}`)
      await writeFile(list, moves.join(''))
      try {
        await runProgram(['sh', '-c', 'exec git -c safe.directory=* --git-dir "$0" update-ref --stdin <"$1"', work, list], { signal, env: environment() })
      } finally {
        await rm(list, { force: true })
      }
    }
    if (one.head !== null && !isThere) await git(work, ['symbolic-ref', 'HEAD', one.head], options)
    if (!isThere) await rename(work, target).catch((error: NodeJS.ErrnoException) => {
      // Another process was quicker, and has the same.
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error
    })
    return left
  } finally {
    if (!isThere) await rm(work, { recursive: true, force: true })
  }
}

/** Runs git in a repository, without anything of the user's own. */
export async function git(folder: string, args: readonly string[], { signal }: Pick<GitOptions, 'signal'>): Promise<string> {
  return (await runProgram(['git', '-c', 'safe.directory=*', '-C', folder, ...args], { signal, env: environment() })).stdout
}

async function gitFolder(folder: string, options: GitOptions): Promise<string> {
  return (await git(folder, ['rev-parse', '--absolute-git-dir'], options)).trim()
}

/** Whether a commit is another one, or comes before it. */
export async function isAncestor(folder: string, older: string, newer: string, options: Pick<GitOptions, 'signal'>): Promise<boolean> {
  return git(folder, ['merge-base', '--is-ancestor', older, newer], options).then(() => true, () => false)
}

function environment(): Record<string, string> {
  return { PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/usr/bin:/sbin:/bin`, HOME: '/nonexistent', LC_ALL: 'C.UTF-8', GIT_CONFIG_NOSYSTEM: '1', GIT_CONFIG_GLOBAL: '/dev/null', GIT_TERMINAL_PROMPT: '0', GIT_NO_REPLACE_OBJECTS: '1' }
}

function sorted(refs: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(refs).toSorted(([a], [b]) => (a < b ? -1 : 1)))
}
