import { mkdtemp, rm } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { BundleError } from '../../bundle/bundle-error.ts'
import { createBundle } from '../../bundle/create.ts'
import type { BundledCommit } from '../../bundle/create.ts'
import { openSigner, readTrust } from '../../bundle/keys.ts'
import { readHead } from '../../bundle/read-volume.ts'
import { commitOf, git, refsOf } from '../../bundle/repositories.ts'
import { CompileError, compileSite } from '../../compile/compile.ts'
import { openStore } from '../../stage/store.ts'
import { runBundleCommand } from './run-bundle-command.ts'

export interface CreateArguments {
  readonly site: string
  readonly ref?: string
  readonly since?: string
  readonly volumeSize?: string
  readonly store: string
  readonly key: string
  readonly trust?: readonly string[]
  readonly rehearsal?: boolean
  readonly format: string
}

const LAUNCHER = fileURLToPath(new URL('../../../bin/crowbar', import.meta.url))
const USAGE = 64
const UNITS = { '': 1, K: 1024, M: 1024 ** 2, G: 1024 ** 3 } as const

/** `crowbar bundle create`. */
export async function createCommand(out: string, options: CreateArguments): Promise<number> {
  const size = /^(?<number>\d{1,9})(?<unit>[KMG]?)$/.exec(options.volumeSize ?? '')?.groups
  if (options.volumeSize !== undefined && size === undefined) {
    process.stderr.write('crowbar: --volume-size is a number of bytes, or one with K, M or G: 4G\n')
    return USAGE
  }
  const volumeBytes = size === undefined ? null : Number(size['number']) * UNITS[(size['unit'] ?? '') as keyof typeof UNITS]
  return runBundleCommand(async ({ signal, live }) => {
    const signer = await openSigner(resolve(options.key))
    if (signer.isNew) live.say(`made the key ${options.key}; its public half is ${options.key}.pub`)
    const trust = new Set([signer.fingerprint, ...await readTrust(options.trust ?? [])])
    const since = options.since === undefined ? null : await readHead(options.since)
    if (since !== null && !trust.has(since.signer)) throw new BundleError('BUNDLE_UNTRUSTED', `${since.path} is signed by the key ${since.signer}: --trust it, if it is one of yours`)
    live.show(['compiling the site'])
    const site = await compiledCommit(options, signal)
    if (typeof site === 'number') return site
    const store = await openStore(resolve(options.store))
    const made = await createBundle(site, { store, barclamps: join(cacheFolder(), 'crowbar', 'barclamps'), signer, since, volumeBytes, containers: options.rehearsal === true, out: resolve(out), signal, onProgress: message => live.show([message]) })
    live.clear()
    const { index, id, files } = made
    const objects = index.volumes.reduce((sum, one) => sum + one.objects.length, 0)
    if (options.format === 'json') process.stdout.write(`${JSON.stringify({ id, signer: signer.fingerprint, commit: site.commit, objects, elsewhere: index.elsewhere.length, since: index.since, files }, null, 2)}\n`)
    else {
      for (const { path, bytes, sha256 } of files) process.stdout.write(`${path}  ${(bytes / 1e6).toFixed(1)} MB  sha256 ${sha256}\n`)
      process.stdout.write([
        `bundle ${id.slice(0, 12)} of ${index.site.name}, commit ${site.commit.slice(0, 12)}: ${String(objects)} objects${index.since === null ? '' : `, and ${String(index.elsewhere.length)} of the bundle ${index.since.id.slice(0, 12)}`}`,
        `signed by ${signer.fingerprint}: tell it to whoever loads the bundle, by another way than with it`,
        `next, there: crowbar bundle load ${files.map(({ path }) => path).join(' ')} --trust ${signer.fingerprint}`,
        '',
      ].join('\n'))
    }
    return 0
  })
}

/** Compiles a commit of the site as an agent would. @returns the exit code when it does not compile. */
async function compiledCommit({ site, ref }: CreateArguments, signal: AbortSignal): Promise<BundledCommit | number> {
  const repository = resolve(site)
  const prefix = await git(repository, ['rev-parse', '--show-prefix'], { signal }).catch(() => undefined)
  if (prefix === undefined) throw new BundleError('BUNDLE_REFUSED', `${site} is in no git repository: a bundle holds a commit, which an admin node can follow`)
  if (prefix.trim() !== '') throw new BundleError('BUNDLE_REFUSED', `${site} is a folder inside a repository, and an admin node follows a repository that is a site: make it one of its own`)
  const commit = await commitOf(repository, ref ?? 'HEAD', { signal })
  if (commit === undefined) throw new BundleError('BUNDLE_REFUSED', `${site} has no commit ${ref ?? 'HEAD'}`)
  const folder = await mkdtemp(join(tmpdir(), 'crowbar-bundle-'))
  try {
    const compiled = await compileSite({ compiler: [LAUNCHER], repository, commit, out: join(folder, 'compiled'), cache: cacheFolder(), megabytes: 2048, deadlineMs: 120_000, signal })
    if (compiled.kind === 'refused') {
      for (const one of compiled.diagnostics) process.stderr.write(`${one.range === undefined ? '' : `${one.range.path}:${String(one.range.start.line)}:${String(one.range.start.column)}: `}${one.severity}[${one.code}]: ${one.summary}\n`)
      return 1
    }
    return { repository, branch: await branchOf(repository, ref, signal), commit, plan: compiled.plan, lockText: compiled.lockText }
  } catch (error) {
    if (!(error instanceof CompileError)) throw error
    throw new BundleError('BUNDLE_REFUSED', error.message, { cause: error })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** What an agent is to follow: the branch that was named, else the one that is checked out. */
async function branchOf(repository: string, ref: string | undefined, signal: AbortSignal): Promise<string> {
  const { refs, head } = await refsOf(repository, ['refs/heads'], { signal })
  if (ref !== undefined && `refs/heads/${ref}` in refs) return ref
  return head === null ? 'main' : head.slice('refs/heads/'.length)
}

function cacheFolder(): string {
  const base = process.env['XDG_CACHE_HOME'] ?? ''
  return base.startsWith('/') ? base : join(homedir(), '.cache')
}
