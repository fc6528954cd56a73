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
import { PROXIED_HOST, tellApt } from './tell-apt.ts'
import type { ToldSource } from './tell-apt.ts'
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
  /** The site's source that has it; undefined: the first one. */
  readonly source: string | undefined
}

/** A package as it is written down, so that the same file is had again. */
export function lockedOf({ version, architecture, from, source, path, bytes, hash }: AptPackage): LockedPackage {
  return { version, architecture, from, ...(source === undefined ? {} : { source }), path, bytes, sha256: hash.slice('sha256:'.length) }
}

/** Sources, and what it takes to ask them. */
export interface AptUse {
  /** The distribution's own first. */
  readonly sources: readonly AptSource[]
  /** URL of the proxy that serves those of the sources that are `proxied`; undefined: none is. */
  readonly proxy?: string | undefined
}

/** What an apt of its own starts from. */
export interface AptRootOptions extends AptUse {
  readonly store: Store
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
  /**
   * Puts the packages into the store, each verified by the signed index; fetches only those that it lacks.
   *
   * @throws {StageError} APT_DOWNLOAD, with `data.lost` (AptPackage[]) when the mirrors list packages that they do not have.
   */
  fetch(packages: readonly AptPackage[]): Promise<void>
  /** Resolves as if no source had these versions, from here on. */
  avoid(packages: readonly AptPackage[]): Promise<void>
}

/**
 * Opens an apt with its own folders below the store and reads the sources' indexes.
 *
 * The indexes are kept between uses, so that later ones fetch only what changed; when no source answers, the kept ones
 * are used as they are. The folder goes when the root is disposed.
 *
 * @throws {StageError} APT_UNTRUSTED when a source is not signed by its keys; PROGRAM_FAILED when no source answers and no index was kept.
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
  const all = await tellApt(options.sources, store)
  const sourcesText = formatAptSources(all.map(({ told }) => told))
  const proxied = options.sources.filter(({ site }) => site?.proxied === true)
  const lasting = formatAptSources(all.flatMap(({ told }) => (told.uris.some(uri => uri.startsWith('copy:')) ? [] : [told])))
  const key = [options.architecture, lasting, ...proxied.flatMap(({ uris }) => uris)].join('\n')
  const kept = join(store.folder, 'apt', hashOf(key).slice(7, 23))
  for (const name of ['sources.list.d', 'parts', 'archives/partial', 'lists/partial', 'state', 'cache']) {
    await mkdir(join(root, name), { recursive: true })
  }
  const settings = [
    ...await hostAcquireSettings(signal), ...(options.proxy === undefined ? [] : [`Acquire::http::Proxy::${PROXIED_HOST} "${options.proxy}";`]),
    // The proxy has tried often enough.
    ...(proxied.length < options.sources.length ? [] : ['Acquire::Retries "0";']),
  ]
  await writeFile(sources, sourcesText)
  await writeFile(join(root, 'apt.conf'), aptConfiguration(root, options.architecture, settings))
  const run = async (argv: readonly [string, ...string[]]): Promise<string> => {
    const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C.UTF-8', APT_CONFIG: join(root, 'apt.conf') }
    return (await runProgram(argv, { signal, env, cwd: archives })).stdout
  }

  const hasOld = await cp(kept, lists, { recursive: true, mode: 2 /* COPYFILE_FICLONE */ }).then(() => true, () => false)
  onProgress('reading the package indexes')
  try {
    await run(['apt-get', 'update', '-q', '-o', 'APT::Update::Error-Mode=any'])
    await keep(lists, kept, join(root, 'kept'))
  } catch (error) {
    signal.throwIfAborted()
    refuseUntrusted(error, all)
    // Those of some of the sources alone would give other packages than all of them together.
    if (!hasOld) throw blameSource(error, all)
    onProgress('no package source answers: using the indexes of last time')
  }

  const resolve = async (names: readonly string[], upon?: readonly AptPackage[]): Promise<AptPackage[]> => {
    if (names.length === 0) return []
    const status = upon === undefined ? options.status : upon.length === 0 ? '' : installedStatus(await run(['apt-cache', 'show', ...upon.map(one => `${one.name}=${one.version}`)]))
    await writeFile(join(root, 'status'), status)
    const text = await run(['apt-get', 'install', '--print-uris', '-qq', '--yes', '--', ...names]).catch(explainResolution)
    return text.split('\n').flatMap(line => parsePrintedUri(line, all)).toSorted((a, b) => (a.name < b.name ? -1 : 1))
  }

  const avoided: string[] = []
  return {
    resolve,
    releaseTime: await releaseTime(lists, options.sources[0]?.suites[0]),
    releases: await readReleases(lists),
    async fetch(packages) {
      const missing = await missingFrom(store, packages)
      if (missing.length === 0) return
      const bytes = missing.reduce((sum, one) => sum + one.bytes, 0)
      onProgress(`fetching ${String(missing.length)} packages, ${String(Math.ceil(bytes / 1e6))} MB`)
      const exact = missing.map(one => `${one.name}:${one.architecture === 'all' ? options.architecture : one.architecture}=${one.version}`)
      const failed = await run(['apt-get', 'download', '-q', ...exact]).then(() => undefined, failedProgram)
      const there = new Set(await readdir(archives))
      for (const one of missing.filter(({ fileName }) => there.has(fileName))) {
        const file = join(archives, one.fileName)
        await store.put({ file }, { expected: one.hash, signal })
        await rm(file)
      }
      if (failed !== undefined) throw noDownload(failed, missing.filter(({ fileName }) => !there.has(fileName)))
    },
    async avoid(packages) {
      avoided.push(...packages.map(({ name, version }) => `Package: ${name}\nPin: version ${version}\nPin-Priority: -1\n`))
      await writeFile(join(root, 'parts', 'avoided.pref'), avoided.join('\n'))
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

async function releaseTime(lists: string, suite: string | undefined): Promise<number> {
  const names = (await readdir(lists)).filter(name => /_(InRelease|Release)$/.test(name)).toSorted((a, b) => a.length - b.length)
  const releases = await Promise.all(names.map(async name => releaseFields(await readFile(join(lists, name), 'utf8'))))
  const own = releases.filter(one => one !== undefined && [one.get('Codename'), one.get('Suite')].includes(suite))
  for (const release of [...own, ...releases]) {
    const time = Date.parse(release?.get('Date') ?? '')
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

function parsePrintedUri(line: string, all: readonly ToldSource[]): AptPackage[] {
  const match = /^'(?<uri>[^']+)' (?<fileName>(?<name>[^_ ]+)_(?<version>[^_ ]+)_(?<architecture>[^_ ]+)\.deb) (?<bytes>\d+) SHA256:(?<hex>[0-9a-f]{64})$/.exec(line)
  if (match?.groups === undefined) return []
  const { uri = '', fileName = '', name = '', version = '', architecture = '', bytes = '', hex = '' } = match.groups
  return [{ name, version: decodeURIComponent(version), architecture, fileName, bytes: Number(bytes), hash: `sha256:${hex}`, ...placeOf(uri, all) }]
}

function placeOf(uri: string, all: readonly ToldSource[]): Pick<AptPackage, 'from' | 'path' | 'source'> {
  const [first] = all
  for (const { source, told } of all) {
    const base = [...told.uris, ...source.uris].map(one => one.replace(/\/*$/, '/')).find(one => uri.startsWith(one))
    if (base === undefined) continue
    return { from: source.suites[0] ?? '', path: decodeURIComponent(uri.slice(base.length)).replace(/^\.\//, ''), source: source.site?.name === first?.source.site?.name ? undefined : source.site?.name }
  }
  // A source that names a list of mirrors gives addresses that are not its own.
  return { from: first?.source.suites[0] ?? '', path: decodeURIComponent(/\/(pool\/.*)$/.exec(uri)?.[1] ?? new URL(uri).pathname.slice(1)), source: undefined }
}

/** What apt says of a signature that is none, by these keys, or missing. */
const UNTRUSTED = /signed by a key of the source|no key is known|NO_PUBKEY|BADSIG|EXPKEYSIG|REVKEYSIG|EXPSIG|is not signed|couldn't be verified|were invalid|[Ss]igning key|clearsigned file isn't valid|Sub-process \S*sqv/

function refuseUntrusted(error: unknown, all: readonly ToldSource[]): void {
  if (!(error instanceof StageError) || !UNTRUSTED.test(error.message)) return
  const line = error.message.split('\n').find(one => UNTRUSTED.test(one)) ?? ''
  const source = sourceIn(line, all) ?? sourceIn(error.message, all)
  throw new StageError('APT_UNTRUSTED', `${source === undefined ? 'a source' : titleOf(source)} is not signed by ${source?.site?.keys === undefined || source.site.keys === null ? 'a key that this machine trusts' : 'a key of its keyring'}: ${line.replace(/^[WE]: /, '')}`, {
    data: { source: source?.site?.name ?? null, at: source?.site?.at ?? null }, cause: error,
  })
}

function blameSource(error: unknown, all: readonly ToldSource[]): unknown {
  const source = error instanceof StageError ? sourceIn(error.message, all) : undefined
  if (!(error instanceof StageError) || source?.site === undefined) return error
  return new StageError(error.code, `${titleOf(source)} cannot be read: ${error.message}`, { data: { ...error.data, source: source.site.name, at: source.site.at }, cause: error })
}

/** The source that a message of apt speaks of. */
function sourceIn(text: string, all: readonly ToldSource[]): AptSource | undefined {
  return all.find(({ source, told }) => [...told.uris, ...source.uris].some(uri => text.includes(uri.replace(/\/*$/, ''))))?.source
}

function titleOf({ site, uris }: AptSource): string {
  return site === undefined ? uris[0] ?? '' : `the source ${site.name}${site.at === null ? '' : ` (${site.at})`}`
}

function explainResolution(error: unknown): never {
  if (!(error instanceof StageError) || error.code !== 'PROGRAM_FAILED') throw error
  const unknown = [...error.message.matchAll(/(?:Unable to locate package|Package '?)\s*(\S+?)'?(?: has no installation candidate)?$/gm)].map(match => match[1] ?? '')
  if (unknown.length > 0) {
    throw new StageError('APT_PACKAGE_UNKNOWN', `no source of this machine has ${unknown.join(', ')}`, { data: { names: unknown }, cause: error })
  }
  throw new StageError('APT_UNRESOLVABLE', `the packages cannot be installed together: ${error.message}`, { cause: error })
}

function failedProgram(error: unknown): StageError {
  if (!(error instanceof StageError) || error.code !== 'PROGRAM_FAILED') throw error
  return error
}

/** A mirror that answers, and says that it has no such file, has lost it: that is another matter than one that is not reached. */
function noDownload(error: StageError, missing: readonly AptPackage[]): StageError {
  const { stderr } = error.data
  const said = typeof stderr === 'string' ? stderr : ''
  const lost = missing.filter(({ fileName, name }) => said.split('\n').some(line => /\b404\b/.test(line) && (line.includes(fileName) || line.includes(`/${name}_`))))
  return new StageError('APT_DOWNLOAD', `packages could not be fetched: ${error.message}`, { cause: error, ...(lost.length === missing.length ? { data: { lost } } : {}) })
}

async function missingFrom(store: Store, packages: readonly AptPackage[]): Promise<AptPackage[]> {
  const missing: AptPackage[] = []
  for (const one of packages) if (!await store.has(one.hash)) missing.push(one)
  return missing
}
