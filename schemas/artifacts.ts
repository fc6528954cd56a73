import { digest } from './canonical.ts'
import { integer, list, literal, map, nullable, object, oneOf, optional, string } from './shape.ts'
import type { BuildDocument } from './documents/rule.ts'
import type { Plan } from './plan.ts'
import type { Json, TypeOf } from './shape.ts'

/** Where `crowbar lock --update` writes what artifact sets are made of: a file for each, named by its SHA-256. */
export const ARTIFACTS_FOLDER = 'artifacts/'

const lockedPackage = object({
  version: string(),
  architecture: string(),
  from: string({}, 'The suite that has it.'),
  source: optional(string({}, 'The source that has it, when that is not the first of its os.')),
  path: string({ pattern: '^[^/].*$' }, 'Of the file, below the address of its repository.'),
  sha256: string({ pattern: '^[0-9a-f]{64}$' }),
  bytes: integer({ min: 0 }),
})
/** One file of a set. */
export type LockedPackage = TypeOf<typeof lockedPackage>

/** What a source is built from, and in. */
const lockedBuild = object({
  commit: string({ pattern: '^[0-9a-f]{40}([0-9a-f]{24})?$' }),
  tag: nullable(string({}, 'The last tag before it, that its version begins with.')),
  count: integer({ min: 1 }, 'Commits up to it: those of the same second have their order by it.'),
  wanted: list(string(), {}, 'Names that were resolved for the system that it is built in, sorted.'),
  epoch: integer({ min: 0 }, 'Seconds since 1970 that the files of that system bear.'),
  packages: map(lockedPackage, undefined, 'All of that system, by name.'),
})
/** One source that is built. */
export type LockedBuild = TypeOf<typeof lockedBuild>

const release = object({ suite: string(), date: string({}, 'As the Release file has it.'), sha256: string({ pattern: '^[0-9a-f]{64}$' }, 'Of the Release file that was verified.') })

/**
 * `artifacts/<sha256>.json`: all packages of an artifact set, as apt resolved them, with their digests. The lock names one
 * for each set.
 */
export const artifactsShape = object({
  kind: literal('artifacts'),
  version: literal(1),
  set: string({}, '`rootfs-<os>`, `packages-<os>`.'),
  os: string(),
  flavour: oneOf(['machine', 'container']),
  source: string({}, 'The source that its os has.'),
  inputs: string({}, 'Digest over what of the site decides the set: artifactInputs().'),
  releases: list(release, {}, 'By suite.'),
  wanted: list(string(), {}, 'Names that were resolved, sorted.'),
  packages: map(lockedPackage, undefined, 'By name.'),
  builds: optional(map(lockedBuild, undefined, 'By source. Absent: none of the packages is built from source.')),
})
export type Artifacts = TypeOf<typeof artifactsShape>

/** A git source that packages are built from, as a plan has it; `Json` for the digest. */
export interface BuildInputs {
  readonly name: string
  readonly ref?: string | undefined
  readonly patches?: readonly { readonly path: string; readonly text: string }[] | undefined
  readonly submodules?: { readonly [path: string]: string } | undefined
  readonly build?: BuildDocument | undefined
}

export interface SourceInputs {
  readonly name: string
  readonly suites: readonly string[]
  readonly components: readonly string[]
}

/** What decides the packages of a set, beside the state of the mirror. */
export interface ArtifactInputs {
  readonly kind: 'rootfs' | 'packages'
  readonly os: { readonly family: string; readonly version: string; readonly architecture: string; readonly install: string; readonly packages: readonly string[] }
  /** The sources of the os, its own first. */
  readonly sources: readonly SourceInputs[]
  /** Sources that some of the packages are built from, by name. */
  readonly builds?: readonly BuildInputs[]
  /** The names that roles bring; of a root filesystem those of its os. */
  readonly packages: readonly string[]
}

/** The digest that says whether a locked set is still the one that the site asks for. Not part of it: which mirror answers. */
export function artifactInputs({ kind, os, sources: [first, ...more], packages, builds = [] }: ArtifactInputs): string {
  const { family, version, architecture, install } = os
  const sorted = (names: readonly string[]): readonly string[] => [...new Set(names)].toSorted()
  const said = ({ name, suites, components }: SourceInputs): { readonly [key: string]: Json } => ({ name, suites: [...suites], components: [...components] })
  return digest({
    kind, packages: sorted(packages), base: sorted(os.packages), joined: install === 'joined', os: { family, version, architecture },
    source: first === undefined ? null : said(first), ...(more.length === 0 ? {} : { more: more.map(said) }),
    ...(builds.length === 0 ? {} : { builds: builds.map(builtFrom) }),
  })
}

/** What a build may use does not decide what it gives. */
function builtFrom({ name, ref, patches = [], submodules = {}, build }: BuildInputs): { readonly [key: string]: Json } {
  const { timeout: _timeout, limits: _limits, ...said } = build ?? {}
  return { name, ref: ref ?? null, patches: patches.map(({ text }) => text), submodules, build: build === undefined ? null : said as unknown as Json }
}

/** The file of a set, by the digest that the lock has. */
export function artifactsPath(hash: string): string {
  return `${ARTIFACTS_FOLDER}${hash.replace('sha256:', '')}.json`
}

/** Sources that are to stay at their commits, by name. */
export type HeldBuilds = { readonly [source: string]: Pick<LockedBuild, 'commit' | 'tag' | 'count'> }

/** What a command that locks packages needs from whoever can reach a mirror; `problem`: why it could not be. */
export type ResolveSets = (sets: readonly string[], plan: Plan, held: HeldBuilds) => Promise<{ readonly sets: readonly Artifacts[] } | { readonly problem: string }>
