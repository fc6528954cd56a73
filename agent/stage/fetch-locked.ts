import { access, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { LockedPackage } from '../../schemas/artifacts.ts'
import { hostAcquireSettings } from './apt-root.ts'
import type { AptSource } from './apt-sources.ts'
import type { Progress } from './progress.ts'
import { noteOrigin } from './origin.ts'
import { runProgram } from './run-program.ts'
import { StageError } from './stage-error.ts'
import type { ObjectHash } from './object-hash.ts'
import type { Store } from './store.ts'

export interface FetchLockedOptions {
  readonly store: Store
  /** Where a suite's files are, asked in their order; called only when something is missing. */
  readonly sources: () => Promise<readonly AptSource[]>
  readonly signal: AbortSignal
  readonly onProgress: Progress
  /** What the site names, and not this machine, is asked through it. */
  readonly upstreamProxy?: string | null | undefined
}

/** Files that one process fetches: what is there when it is killed is kept. */
const AT_ONCE = 32
/** Names that are told of what could not be had. */
const TOLD = 10

/**
 * Puts locked packages into the store, each exactly the file that was locked, whatever the indexes of the mirrors say
 * today; what is there already is not fetched.
 *
 * @throws {StageError} APT_DOWNLOAD, which names what no mirror has (any more).
 */
export async function fetchLocked(packages: { readonly [name: string]: LockedPackage }, { store, signal, onProgress, upstreamProxy = null, ...options }: FetchLockedOptions): Promise<void> {
  let wanted = await missingOf(packages, store)
  if (wanted.length === 0) return
  const sources = await options.sources()
  const total = { files: wanted.length, bytes: sum(wanted) }
  await using work = await store.temporaryFolder('fetch')
  const configuration = join(work.path, 'apt.conf')
  await writeFile(configuration, [...await hostAcquireSettings(signal), ...throughProxy(sources, upstreamProxy), 'APT::Sandbox::User "root";', 'Dir::Etc::sourcelist "/dev/null";', 'Dir::Etc::sourceparts "/dev/null";', ''].join('\n'))
  const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C.UTF-8', APT_CONFIG: configuration }
  let said = ''
  for (let mirror = 0; wanted.length > 0; mirror++) {
    const there = wanted.flatMap(one => addresses(one.locked, sources).slice(mirror, mirror + 1).map(uri => ({ ...one, uri })))
    if (there.length === 0) break
    for (let i = 0; i < there.length; i += AT_ONCE) {
      const batch = there.slice(i, i + AT_ONCE)
      const left = await missingOf(packages, store)
      onProgress(`fetching packages: ${String(total.files - left.length)} of ${String(total.files)}, ${megabytes(total.bytes - sum(left))} of ${megabytes(total.bytes)} MB`)
      const argv = batch.flatMap(({ uri, locked }) => [uri, join(work.path, locked.sha256), `SHA256:${locked.sha256}`])
      // Where another address is left to ask, one that fails is not asked again.
      const patience = wanted.some(one => addresses(one.locked, sources).length > mirror + 1) ? ['-o', 'Acquire::Retries=0'] : []
      await runProgram(['/usr/lib/apt/apt-helper', '-q', ...patience, 'download-file', ...argv], { signal, env, cwd: work.path }).catch((error: unknown) => {
        if (!(error instanceof StageError) || error.code !== 'PROGRAM_FAILED') throw error
        said = error.message
      })
      for (const { locked } of batch) await keep(join(work.path, locked.sha256), locked, { store, sources, signal })
    }
    wanted = await missingOf(packages, store)
  }
  if (wanted.length === 0) return
  const names = wanted.map(({ name, locked }) => `${name} ${locked.version}`)
  const told = [...names.slice(0, TOLD), ...(names.length > TOLD ? [`and ${String(names.length - TOLD)} more`] : [])].join(', ')
  throw new StageError('APT_DOWNLOAD', `no mirror gave the file that is locked of ${told}. A mirror keeps old versions for a while only: \`crowbar lock --update\` locks those of today. ${said}`, { data: { names } })
}

/** The packages whose files the store does not have, by name. */
export async function missingOf(packages: { readonly [name: string]: LockedPackage }, store: Store): Promise<{ readonly name: string; readonly locked: LockedPackage }[]> {
  const missing = []
  for (const [name, locked] of Object.entries(packages)) if (!await store.has(objectOf(locked))) missing.push({ name, locked })
  return missing
}

/** The object that a locked package is. */
export function objectOf({ sha256 }: LockedPackage): ObjectHash {
  return `sha256:${sha256}`
}

/** apt's settings for hosts of the site's sources; how this machine reaches its own mirrors is set up by whoever runs it. apt.conf(5) */
function throughProxy(sources: readonly AptSource[], proxy: string | null): string[] {
  const urls = sources.filter(({ site }) => proxy !== null && site?.proxied === true).flatMap(({ uris }) => uris.filter(uri => /^https?:/.test(uri)).map(uri => new URL(uri)))
  return [...new Set(urls.map(({ protocol, hostname }) => `Acquire::${protocol.slice(0, -1)}::Proxy::${hostname} "${proxy ?? ''}";`))]
}

/** What could not be fetched left no file, and is asked of the next mirror. */
async function keep(file: string, locked: LockedPackage, { store, sources, signal }: { readonly store: Store; readonly sources: readonly AptSource[]; readonly signal: AbortSignal }): Promise<void> {
  if (await access(file).then(() => false, () => true)) return
  await store.put({ file }, { expected: objectOf(locked), signal })
  await noteOrigin(store, objectOf(locked), addresses(locked, sources))
  await rm(file)
}

/** Where a file may be: below each address of its source that has its suite. */
function addresses({ from, source, path }: LockedPackage, sources: readonly AptSource[]): string[] {
  const escaped = path.split('/').map(part => encodeURIComponent(part).replaceAll('~', '%7e')).join('/')
  const owner = source ?? sources[0]?.site?.name
  return sources.filter(({ suites, site }) => suites.includes(from) && site?.name === owner).flatMap(({ uris }) => uris.map(uri => `${uri.replace(/\/*$/, '')}/${escaped}`))
}

function sum(packages: readonly { readonly locked: LockedPackage }[]): number {
  return packages.reduce((bytes, { locked }) => bytes + locked.bytes, 0)
}

function megabytes(bytes: number): string {
  return String(Math.ceil(bytes / 1e6))
}
