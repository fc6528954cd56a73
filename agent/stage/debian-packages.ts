import { openAptRoot } from './apt-root.ts'
import type { AptPackage, AptUse } from './apt-root.ts'
import { readHostAptSources, sourcesForSuite } from './apt-sources.ts'
import type { Progress } from './progress.ts'
import { StageError } from './stage-error.ts'
import { isObjectHash } from './object-hash.ts'
import type { ObjectHash } from './object-hash.ts'
import { poolPath, packageIndex, releaseOf } from './package-index.ts'
import type { StoredPackage } from './package-index.ts'
import type { Store } from './store.ts'

/** How often a mirror may turn out to lack what it lists: a release that goes to the archive loses its files one after another. */
const MOST_LOST = 5

/** The Debian release that packages are staged for. */
export interface DebianRelease {
  readonly family: 'debian'
  /** `12` */
  readonly version: string
  /** Code name, `bookworm`. */
  readonly suite: string
  /** Debian's name: `amd64`, `arm64`. */
  readonly architecture: string
}

/** What is to be staged. */
export interface StageDebianPackagesOptions {
  readonly os: DebianRelease
  /** Names, in any order; they count once. */
  readonly packages: readonly string[]
  /** dpkg's status of the root filesystem that the packages will be installed on, in the store. */
  readonly status: ObjectHash
  readonly store: Store
  readonly signal: AbortSignal
  readonly onProgress: Progress
  /** Where packages come from; default: what this machine's apt uses for the suite. */
  readonly sources?: AptUse | undefined
}

/** A package in the manifest; `path` is its place in the repository, relative to the repository's root. */
export interface StagedPackage {
  readonly name: string
  readonly version: string
  readonly architecture: string
  readonly path: string
  readonly hash: ObjectHash
  readonly bytes: number
}

/** A flat apt repository as one document: every byte it serves is an object of the store. */
export interface AptRepositoryManifest {
  readonly kind: 'apt-repository'
  readonly version: 1
  readonly os: DebianRelease
  /** What was asked for, sorted. */
  readonly requested: readonly string[]
  /** What has to be installed for it on top of the root filesystem, sorted by name. */
  readonly packages: readonly StagedPackage[]
  /** The repository's own files: `Packages`, `Release`. */
  readonly files: Readonly<Record<string, { readonly hash: ObjectHash; readonly bytes: number }>>
}

/** A staged repository. */
export interface StagedDebianPackages {
  /** The manifest's own hash: the repository is served below `/apt/<64 hex digits>/`. */
  readonly manifest: ObjectHash
  readonly packages: readonly StagedPackage[]
  /** Sum of the packages' sizes. */
  readonly bytes: number
}

/**
 * Stages packages and all they need on top of a root filesystem, as apt itself resolves it (no recommended packages),
 * and describes them as a flat apt repository in the store.
 *
 * The same packages of the same versions give the same manifest hash. Each file is verified by the archive's signature
 * (Release → Packages → SHA-256). What a mirror lists and does not have (any more) is taken in another version that it
 * has, and said so: a release that has gone to the archive leaves such indexes behind.
 *
 * @throws {StageError} APT_NO_SOURCE, APT_PACKAGE_UNKNOWN, APT_UNRESOLVABLE, APT_DOWNLOAD.
 */
export async function stageDebianPackages(options: StageDebianPackagesOptions): Promise<StagedDebianPackages> {
  const { os, store, signal, onProgress } = options
  const requested = [...new Set(options.packages)].toSorted()
  checkNames(requested)
  const closure = requested.length === 0 ? [] : await fetchClosure(requested, options)
  onProgress(`describing ${String(closure.length)} packages`)
  return describePackages({ os, requested, packages: closure, store, signal })
}

/** Describes packages that are in the store as a flat apt repository. */
export async function describePackages(
  options: { readonly os: DebianRelease; readonly requested: readonly string[]; readonly packages: readonly StoredPackage[]; readonly store: Store; readonly signal: AbortSignal },
): Promise<StagedDebianPackages> {
  const { os, requested, store, signal } = options
  const packages = options.packages.map(one => ({
    name: one.name, version: one.version, architecture: one.architecture, path: poolPath(one), hash: one.hash, bytes: one.bytes,
  }))
  const index = await packageIndex(packages, { store, signal })
  const release = releaseOf(os, index)
  const manifest: AptRepositoryManifest = {
    kind: 'apt-repository', version: 1, os, requested, packages,
    files: { Packages: await store.put(Buffer.from(index)), Release: await store.put(Buffer.from(release)) },
  }
  const { hash } = await store.put(Buffer.from(`${JSON.stringify(manifest, undefined, 1)}\n`))
  return { manifest: hash, packages, bytes: packages.reduce((sum, one) => sum + one.bytes, 0) }
}

/** Reads a manifest back. @throws {StageError} MANIFEST_INVALID, STORE_MISSING */
export async function readAptRepositoryManifest(store: Store, hash: ObjectHash): Promise<AptRepositoryManifest> {
  const text = (await store.read(hash)).toString('utf8')
  try {
    const document = JSON.parse(text) as Partial<AptRepositoryManifest>
    if (document.kind === 'apt-repository' && document.version === 1 && document.packages?.every(one => isObjectHash(one.hash)) === true) {
      return document as AptRepositoryManifest
    }
  } catch (cause) {
    throw new StageError('MANIFEST_INVALID', `${hash} is not JSON`, { data: { hash }, cause })
  }
  throw new StageError('MANIFEST_INVALID', `${hash} does not describe an apt repository of version 1`, { data: { hash } })
}

async function fetchClosure(requested: readonly string[], options: StageDebianPackagesOptions): Promise<AptPackage[]> {
  const { os, store, signal, onProgress } = options
  await using apt = await openAptRoot({
    store, signal, onProgress,
    ...(options.sources ?? { sources: sourcesForSuite(await readHostAptSources(), os.suite) }),
    architecture: os.architecture,
    status: (await store.read(options.status)).toString('utf8'),
  })
  let gone: StageError | undefined
  for (let tries = 0; ; tries++) {
    const closure = await apt.resolve(requested).catch((error: unknown) => {
      // Without what is gone it cannot be had: that it is gone is what to say.
      throw gone ?? error
    })
    try {
      await apt.fetch(closure)
      return closure
    } catch (error) {
      const lost = error instanceof StageError ? (error.data['lost'] as readonly AptPackage[] | undefined) : undefined
      if (lost === undefined || tries === MOST_LOST) throw error
      gone = error as StageError
      onProgress(`a mirror lists ${lost.map(({ name, version }) => `${name} ${version}`).join(', ')} and does not have ${lost.length === 1 ? 'it' : 'them'}: taking what it has, which may be older`)
      // Packages of one source belong together: what has the version of one that is gone may need exactly that.
      await apt.avoid(closure.filter(({ version }) => lost.some(one => one.version === version)))
    }
  }
}

function checkNames(names: readonly string[]): void {
  const bad = names.filter(name => !/^[a-z0-9][a-z0-9+.-]+$/.test(name))
  if (bad.length > 0) throw new StageError('APT_PACKAGE_UNKNOWN', `not names of Debian packages: ${bad.join(', ')}`, { data: { names: bad } })
}
