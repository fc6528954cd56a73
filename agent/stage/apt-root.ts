import { cp, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { LockedPackage } from '../../schemas/artifacts.ts'
import { formatAptSources } from './apt-sources.ts'
import type { AptSource } from './apt-sources.ts'
import { parseStanzas } from './deb822.ts'
import type { Stanza } from './deb822.ts'
import type { Progress } from './progress.ts'
import { runProgram } from './run-program.ts'
import { StageError } from './stage-error.ts'
import { hashOf } from './object-hash.ts'
import type { ObjectHash } from './object-hash.ts'
import type { Store } from './store.ts'
import type { TemporaryFolder } from './temporary-folder.ts'

/** A package that apt chose, as the signed index describes it. */
export interface AptPackage {
  readonly name: string
  readonly version: string
  readonly architecture: string
  /** apt's own name for the file: `name_version_architecture.deb`, the version's colon as `%3a`. */
  readonly fileName: string
  readonly bytes: number
  readonly hash: ObjectHash
  /** The suite that has it, and its file's place below an address of that suite's source. */
  readonly from: string
  readonly path: string
}

/** A package as it is written down, so that the same file is had again. */
export function lockedOf({ version, architecture, from, path, bytes, hash }: AptPackage): LockedPackage {
  return { version, architecture, from, path, bytes, sha256: hash.slice('sha256:'.length) }
}

/** What an apt of its own starts from. */
export interface AptRootOptions {
  readonly store: Store
  readonly sources: readonly AptSource[]
  /** Debian's name: `amd64`, `arm64`. */
  readonly architecture: string
  /** Text of the `/var/lib/dpkg/status` that closures are relative to; empty: nothing is installed. */
  readonly status: string
  readonly signal: AbortSignal
  readonly onProgress: Progress
}

/** An apt that shares nothing with the machine's own but its network settings and its trusted keys. */
export interface AptRoot extends AsyncDisposable {
  /** Date of the suite's Release file, seconds since 1970: what is built from these indexes bears it. */
  readonly releaseTime: number
  /** The Release files that were verified, by suite. */
  readonly releases: readonly { readonly suite: string; readonly date: string; readonly sha256: string }[]
  /**
   * All that must be installed for `names` (package names or apt patterns) and is not yet, sorted by name.
   *
   * @param upon packages that count as installed, instead of what `status` says.
   * @throws {StageError} APT_PACKAGE_UNKNOWN with the names; APT_UNRESOLVABLE with apt's explanation.
   */
  resolve(names: readonly string[], upon?: readonly AptPackage[]): Promise<AptPackage[]>
  /** Puts the packages into the store, each verified by the signed index; fetches only those that it lacks. */
  fetch(packages: readonly AptPackage[]): Promise<void>
}

/**
 * Opens an apt with its own folders below the store and reads the sources' indexes.
 *
 * The indexes are kept between uses, so that later ones fetch only what changed; when no source answers, the kept ones
 * are used as they are. The folder goes when the root is disposed.
 *
 * @throws {StageError} PROGRAM_FAILED when no source answers and no index was kept.
 */
export async function openAptRoot(options: AptRootOptions): Promise<AptRoot> {
  const folder = await options.store.temporaryFolder('apt')
  try {
    return await prepare(folder, options)
  } catch (error) {
    await folder[Symbol.asyncDispose]()
    throw error
  }
}

async function prepare(folder: TemporaryFolder, { store, signal, onProgress, ...options }: AptRootOptions): Promise<AptRoot> {
  const root = folder.path
  const lists = join(root, 'lists')
  const archives = join(root, 'archives')
  const sources = join(root, 'sources.list.d', 'crowbar.sources')
  const sourcesText = formatAptSources(options.sources)
  const kept = join(store.folder, 'apt', hashOf(`${options.architecture}\n${sourcesText}`).slice(7, 23))
  for (const name of ['sources.list.d', 'parts', 'archives/partial', 'lists/partial', 'state', 'cache']) {
    await mkdir(join(root, name), { recursive: true })
  }
  const settings = await hostAcquireSettings(signal)
  await writeFile(sources, sourcesText)
  await writeFile(join(root, 'apt.conf'), aptConfiguration(root, options.architecture, settings))
  const run = async (argv: readonly [string, ...string[]]): Promise<string> => {
    const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C.UTF-8', APT_CONFIG: join(root, 'apt.conf') }
    return (await runProgram(argv, { signal, env, cwd: archives })).stdout
  }

  await cp(kept, lists, { recursive: true, mode: 2 /* COPYFILE_FICLONE */ }).catch(() => undefined)
  onProgress('reading the package indexes')
  try {
    await run(['apt-get', 'update', '-q', '-o', 'APT::Update::Error-Mode=any'])
    await keep(lists, kept, join(root, 'kept'))
  } catch (error) {
    signal.throwIfAborted()
    if (!(await readdir(lists)).some(name => name.endsWith('_Packages'))) throw error
    onProgress('no package source answers: using the indexes of last time')
  }

  const resolve = async (names: readonly string[], upon?: readonly AptPackage[]): Promise<AptPackage[]> => {
    if (names.length === 0) return []
    const status = upon === undefined ? options.status : upon.length === 0 ? '' : installedStatus(await run(['apt-cache', 'show', ...upon.map(one => `${one.name}=${one.version}`)]))
    await writeFile(join(root, 'status'), status)
    const text = await run(['apt-get', 'install', '--print-uris', '-qq', '--yes', '--', ...names]).catch(explainResolution)
    return text.split('\n').flatMap(line => parsePrintedUri(line, options.sources)).toSorted((a, b) => (a.name < b.name ? -1 : 1))
  }

  return {
    resolve,
    releaseTime: await releaseTime(lists),
    releases: await readReleases(lists),
    async fetch(packages) {
      const missing = await missingFrom(store, packages)
      if (missing.length === 0) return
      const bytes = missing.reduce((sum, one) => sum + one.bytes, 0)
      onProgress(`fetching ${String(missing.length)} packages, ${String(Math.ceil(bytes / 1e6))} MB`)
      const exact = missing.map(one => `${one.name}:${one.architecture === 'all' ? options.architecture : one.architecture}=${one.version}`)
      await run(['apt-get', 'download', '-q', ...exact]).catch(noDownload)
      for (const one of missing) {
        const file = join(archives, one.fileName)
        await store.put({ file }, { expected: one.hash, signal })
        await rm(file)
      }
    },
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  }
}

/** Proxies, retries and the like: what the machine needs so that its sources answer, and nothing that says which. */
export async function hostAcquireSettings(signal: AbortSignal): Promise<string[]> {
  const { stdout } = await runProgram(['apt-config', 'dump'], { signal })
  return stdout.split('\n').filter(line => line.startsWith('Acquire::') && !/^Acquire::(IndexTargets|Languages|GzipIndexes|CompressionTypes)/.test(line))
}

function aptConfiguration(root: string, architecture: string, settings: readonly string[]): string {
  const quoted = {
    'Dir::State': `${root}/state`, 'Dir::State::lists': `${root}/lists`, 'Dir::State::status': `${root}/status`,
    'Dir::Cache': `${root}/cache`, 'Dir::Cache::archives': `${root}/archives`, 'Dir::Log': `${root}/state`,
    'Dir::Etc::main': '/dev/null', 'Dir::Etc::parts': `${root}/parts`, 'Dir::Etc::preferences': '/dev/null',
    'Dir::Etc::preferencesparts': `${root}/parts`, 'Dir::Etc::sourcelist': '/dev/null', 'Dir::Etc::sourceparts': `${root}/sources.list.d`,
    'APT::Architecture': architecture, 'APT::Install-Recommends': 'false', 'APT::Sandbox::User': 'root',
    'Acquire::Languages': 'none', 'Acquire::ForceHash': 'SHA256',
  }
  return [
    ...settings, ...Object.entries(quoted).map(([name, value]) => `${name} "${value}";`),
    `APT::Architectures { "${architecture}"; };`, '',
  ].join('\n')
}

async function keep(lists: string, kept: string, scratch: string): Promise<void> {
  await cp(lists, scratch, { recursive: true, mode: 2 })
  await mkdir(join(kept, '..'), { recursive: true })
  await rename(kept, `${scratch}.old`).catch(() => undefined)
  // Another process may have put its own there meanwhile; it is as good as ours.
  await rename(scratch, kept).catch(() => undefined)
}

async function readReleases(lists: string): Promise<{ suite: string; date: string; sha256: string }[]> {
  const releases = []
  for (const name of (await readdir(lists)).filter(one => /_(InRelease|Release)$/.test(one)).toSorted()) {
    const text = await readFile(join(lists, name), 'utf8')
    const fields = releaseFields(text)
    releases.push({ suite: fields?.get('Codename') ?? fields?.get('Suite') ?? '', date: fields?.get('Date') ?? '', sha256: hashOf(text).slice('sha256:'.length) })
  }
  return releases.toSorted((a, b) => (a.suite < b.suite ? -1 : 1))
}

function releaseFields(text: string): Stanza | undefined {
  return parseStanzas(text.replace(/^-----BEGIN[^\n]*\n(?:Hash:[^\n]*\n)?\n/, ''))[0]
}

async function releaseTime(lists: string): Promise<number> {
  const names = (await readdir(lists)).filter(name => /_(InRelease|Release)$/.test(name)).toSorted((a, b) => a.length - b.length)
  for (const name of names) {
    const text = await readFile(join(lists, name), 'utf8')
    const time = Date.parse(releaseFields(text)?.get('Date') ?? '')
    if (!Number.isNaN(time)) return time / 1000
  }
  throw new StageError('APT_NO_SOURCE', 'none of the sources has a Release file with a date')
}

/** dpkg's status, if these packages were installed: their stanzas as the index has them. A version that two suites have is there twice. */
function installedStatus(shown: string): string {
  const seen = new Set<string>()
  return shown.split(/\n\n+/).flatMap(stanza => {
    const name = /^Package: (.+)$/m.exec(stanza)?.[1]
    if (name === undefined || seen.has(name)) return []
    seen.add(name)
    return [stanza.replace(/^Package: .+$/m, '$&\nStatus: install ok installed')]
  }).join('\n\n').concat('\n')
}

function parsePrintedUri(line: string, sources: readonly AptSource[]): AptPackage[] {
  const match = /^'(?<uri>[^']+)' (?<fileName>(?<name>[^_ ]+)_(?<version>[^_ ]+)_(?<architecture>[^_ ]+)\.deb) (?<bytes>\d+) SHA256:(?<hex>[0-9a-f]{64})$/.exec(line)
  if (match?.groups === undefined) return []
  const { uri = '', fileName = '', name = '', version = '', architecture = '', bytes = '', hex = '' } = match.groups
  return [{ name, version: decodeURIComponent(version), architecture, fileName, bytes: Number(bytes), hash: `sha256:${hex}`, ...placeOf(uri, sources) }]
}

function placeOf(uri: string, sources: readonly AptSource[]): { readonly from: string; readonly path: string } {
  for (const { uris, suites } of sources) {
    const base = uris.map(one => one.replace(/\/*$/, '/')).find(one => uri.startsWith(one))
    if (base !== undefined) return { from: suites[0] ?? '', path: decodeURIComponent(uri.slice(base.length)) }
  }
  // A source that names a list of mirrors gives addresses that are not its own.
  return { from: sources[0]?.suites[0] ?? '', path: decodeURIComponent(/\/(pool\/.*)$/.exec(uri)?.[1] ?? new URL(uri).pathname.slice(1)) }
}

function explainResolution(error: unknown): never {
  if (!(error instanceof StageError) || error.code !== 'PROGRAM_FAILED') throw error
  const unknown = [...error.message.matchAll(/(?:Unable to locate package|Package '?)\s*(\S+?)'?(?: has no installation candidate)?$/gm)].map(match => match[1] ?? '')
  if (unknown.length > 0) {
    throw new StageError('APT_PACKAGE_UNKNOWN', `no source of this machine has ${unknown.join(', ')}`, { data: { names: unknown }, cause: error })
  }
  throw new StageError('APT_UNRESOLVABLE', `the packages cannot be installed together: ${error.message}`, { cause: error })
}

function noDownload(error: unknown): never {
  if (!(error instanceof StageError) || error.code !== 'PROGRAM_FAILED') throw error
  throw new StageError('APT_DOWNLOAD', `packages could not be fetched: ${error.message}`, { cause: error })
}

async function missingFrom(store: Store, packages: readonly AptPackage[]): Promise<AptPackage[]> {
  const missing: AptPackage[] = []
  for (const one of packages) if (!await store.has(one.hash)) missing.push(one)
  return missing
}
