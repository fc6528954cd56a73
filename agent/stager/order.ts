import { byCodePoint, digest } from '../../schemas/canonical.ts'
import type { Plan } from '../../schemas/plan.ts'
import { buildRecipe } from '../build/builders.ts'
import { buildSourcesOf } from '../build/build-source.ts'
import type { BuildSource } from '../build/build-source.ts'
import { IMAGE_LOADERS } from '../image/discovery/packages.ts'
import { ROOTFS_RECIPE, rootfsPackages } from '../image/rootfs/packages.ts'
import type { RootfsFlavour } from '../image/rootfs/packages.ts'
import type { LockedRootfs } from '../image/rootfs/rootfs.ts'
import { lockedSet } from './locked-set.ts'
import type { LockedSet } from './locked-set.ts'
import type { DebianRelease } from '../stage/debian-packages.ts'
import type { StoredPackage } from '../stage/package-index.ts'
import { siteSourcesOf } from '../stage/site-sources.ts'
import type { SiteSource } from '../stage/site-sources.ts'

/** Something to have in the store: all that decides what it is. The same order is the same thing. */
export type StageOrder =
  | { readonly kind: 'discovery'; readonly os: DebianRelease; readonly sources: readonly SiteSource[] }
  | { readonly kind: 'rootfs'; readonly os: DebianRelease; readonly flavour: RootfsFlavour; readonly packages: readonly string[]; readonly sources: readonly SiteSource[]; readonly built?: readonly BuiltPackage[]; readonly locked?: LockedRootfs }
  /** Packages and all that they need beyond the root filesystem of the same system. */
  | { readonly kind: 'packages'; readonly os: DebianRelease; readonly flavour: RootfsFlavour; readonly base: readonly string[]; readonly packages: readonly string[]; readonly sources: readonly SiteSource[]; readonly builds?: readonly BuildOrder[]; readonly locked?: { readonly packages: LockedRootfs['packages'] } }
  | BuildOrder

/** A package that a source of the site gave. */
export interface BuiltPackage extends StoredPackage {
  readonly source: string
  readonly title: string
}

/** Packages that are built from a git source, in a root filesystem that has what the build needs. */
export interface BuildOrder {
  readonly kind: 'build'
  readonly os: DebianRelease
  readonly source: BuildSource
  readonly sources: readonly SiteSource[]
  /** What gives packages that it is built with. */
  readonly uses?: readonly BuildOrder[]
  readonly locked?: { readonly commit: string; readonly tag: string | null; readonly count: number } & LockedRootfs
}

/** An order of an artifact set. */
export type SetOrder = Extract<StageOrder, { kind: 'rootfs' | 'packages' }>

/** Objects of the store, by what they are for. */
export type StageResult =
  /** `local`: a UEFI program that boots the local disk. `loaders`: what network-booting machines are given, by file name. */
  | { readonly kind: 'discovery'; readonly kernel: string; readonly initrd: string; readonly local: string; readonly loaders: Readonly<Record<string, string>> }
  | { readonly kind: 'rootfs'; readonly archive: string; readonly bytes: number; readonly status: string }
  | { readonly kind: 'packages'; readonly manifest: string }
  /** `manifest` is a `BuildManifest`. */
  | { readonly kind: 'build'; readonly manifest: string }

/** A set that this agent does not know how to have. */
export class StagerError extends Error {
  readonly code: 'SET_UNKNOWN' | 'SET_UNSUPPORTED' | 'STAGER_FAILED' | 'OFFLINE'
  readonly retryable: boolean

  constructor(code: StagerError['code'], message: string, options: { readonly retryable: boolean; readonly cause?: unknown }) {
    super(message, { cause: options.cause })
    this.code = code
    this.retryable = options.retryable
  }
}

/** The release whose kernel and programs the discovery image has. */
const DISCOVERY_RELEASE: DebianRelease = { family: 'debian', version: '12', suite: 'bookworm', architecture: 'amd64' }
const OWN_MIRROR: SiteSource = { name: 'debian-bookworm', upstream: 'system', suites: ['bookworm'], components: ['main'], architectures: [], keys: null, at: null }

/**
 * The image that machines of a plan boot. Its packages come from where those of the plan's systems of the same release come
 * from, the first of them by name; where there is none, from this machine's own mirror.
 */
export function discoveryOrder(plan: Plan): Extract<StageOrder, { kind: 'discovery' }> {
  const { family, version, architecture } = DISCOVERY_RELEASE
  for (const name of Object.keys(plan.systems).toSorted(byCodePoint)) {
    const found = findRelease(name, plan)
    if (found?.os.family === family && found.os.version === version && found.os.architecture === architecture) return { kind: 'discovery', os: found.os, sources: found.sources }
  }
  return { kind: 'discovery', os: DISCOVERY_RELEASE, sources: [OWN_MIRROR] }
}

/**
 * What an artifact set of a plan is, in full.
 *
 * @throws {StagerError} SET_UNKNOWN, SET_UNSUPPORTED when it is not Debian's.
 */
export function stageOrder(name: string, plan: Plan): SetOrder {
  const set = plan.artifacts[name]
  if (set === undefined || set.os === null) throw new StagerError('SET_UNKNOWN', `the plan has no artifact set ${name}`, { retryable: false })
  const { os, system, sources } = debianRelease(set.os, plan)
  if (set.kind === 'content') throw new StagerError('SET_UNSUPPORTED', `${name}: this agent stages root filesystems and packages only`, { retryable: false })
  // Of a system that somebody else installed only the least is known to be there.
  const flavour = system.install === 'joined' ? 'container' : 'machine'
  const locked = lockedSet(name, plan)
  if (set.kind === 'rootfs') return { kind: 'rootfs', os, flavour, packages: system.packages, sources, ...(locked === undefined ? {} : { locked: { wanted: locked.wanted, packages: locked.packages, epoch: epochOf(locked, os.suite) } }) }
  // With those of the root filesystem a node that was installed with older ones can have these, too.
  const below = lockedSet(`rootfs-${set.os}`, plan)
  const all = buildSourcesOf(name, plan)
  const orderOf = (source: BuildSource): BuildOrder => {
    const uses = all.filter(({ build }) => build.packages.some(one => source.build.needs?.includes(one) === true)).map(orderOf)
    return { kind: 'build', os, source, sources, ...(uses.length === 0 ? {} : { uses }), ...lockedBuild(locked, source) }
  }
  const builds = all.map(orderOf)
  return { kind: 'packages', os, flavour, base: system.packages, packages: set.packages, sources, ...(builds.length === 0 ? {} : { builds }), ...(locked === undefined ? {} : { locked: { packages: { ...below?.packages, ...locked.packages } } }) }
}

function lockedBuild(locked: LockedSet | undefined, { name }: BuildSource): Pick<BuildOrder, 'locked'> {
  const build = locked?.builds?.[name]
  return build === undefined ? {} : { locked: build }
}

/** The root filesystem that a build happens in. @param packages names beside what every system has. @param built what was built for it. */
export function buildRoot({ os, sources, locked }: BuildOrder, packages: readonly string[], built: readonly BuiltPackage[] = []): Extract<StageOrder, { kind: 'rootfs' }> {
  return { kind: 'rootfs', os, flavour: 'container', packages, sources, ...(built.length === 0 ? {} : { built }), ...(locked === undefined ? {} : { locked: { wanted: locked.wanted, packages: locked.packages, epoch: locked.epoch } }) }
}

/** Seconds since 1970 of the suite's Release file. */
function epochOf({ releases }: LockedSet, suite: string): number {
  const time = Date.parse((releases.find((one) => one.suite === suite) ?? releases[0])?.date ?? '')
  return Number.isNaN(time) ? 0 : time / 1000
}

/**
 * The least that a machine with an operating system of the plan has: what somebody else installed, for a machine that joins.
 *
 * @throws {StagerError} SET_UNKNOWN, SET_UNSUPPORTED when it is not Debian's.
 */
export function joinedSystemOrder(name: string, plan: Plan): StageOrder {
  const { os, system, sources } = debianRelease(name, plan)
  return { kind: 'rootfs', os, flavour: 'container', packages: system.packages, sources }
}

interface Release {
  readonly os: DebianRelease
  readonly system: Plan['systems'][string]
  readonly sources: readonly SiteSource[]
}

function debianRelease(name: string, plan: Plan): Release {
  if (plan.systems[name] === undefined) throw new StagerError('SET_UNKNOWN', `the plan has no operating system ${name}`, { retryable: false })
  const found = findRelease(name, plan)
  if (found === undefined) throw new StagerError('SET_UNSUPPORTED', `only Debian systems with an apt source that names a suite can be staged, and ${name} is not one`, { retryable: false })
  return found
}

function findRelease(name: string, plan: Plan): Release | undefined {
  const system = plan.systems[name]
  const sources = siteSourcesOf(name, plan)
  const suite = sources[0]?.name === system?.source ? sources[0]?.suites[0] : undefined
  if (system?.family !== 'debian' || suite === undefined || suite.endsWith('/')) return undefined
  return { os: { family: 'debian', version: system.version, suite, architecture: system.architecture }, system, sources }
}

/**
 * The store's reference for an order: what was had for it once is found again by it, for as long as this version of
 * Crowbar puts the same packages into every system of its kind, in the same way.
 */
export function orderReference(order: StageOrder): string {
  const flavour = order.kind === 'discovery' || order.kind === 'build' ? 'container' : order.flavour
  const least = order.kind === 'discovery' ? IMAGE_LOADERS.map(({ path }) => path) : [String(ROOTFS_RECIPE), ...rootfsPackages(flavour, order.os.architecture)]
  return `set/${digest({ order: referred(order), least } as unknown as Parameters<typeof digest>[0]).slice('sha256:'.length)}`
}

/**
 * Of an order, what decides the result: where the files of locked packages come from does not. What the machine's own apt is
 * used for, for the suite of the system alone, goes without saying.
 */
function referred(order: StageOrder): unknown {
  const { sources, ...said } = order
  const rest = said.kind === 'build' ? { ...said, source: builtFrom(said.source), recipe: buildRecipe(), ...(said.uses === undefined ? {} : { uses: said.uses.map(referred) }) } : said.kind === 'packages' && said.builds !== undefined ? { ...said, builds: said.builds.map(referred) } : said
  const plain = sources.every(({ upstream, suites, components, keys }) => upstream === 'system' && keys === null && suites.join() === order.os.suite && components.join() === 'main')
  return (order.kind !== 'discovery' && order.locked !== undefined) || plain ? rest : { ...rest, sources: sources.map(one => ({ ...one, at: null })) }
}

/** Where its repository is, where the site says so, and what a build may use, change nothing of what is built. */
function builtFrom({ name, ref, patches, submodules, build: { timeout: _timeout, limits: _limits, ...build } }: BuildSource): unknown {
  return { name, ref, patches: patches.map(({ text }) => text), submodules: Object.fromEntries(Object.entries(submodules).map(([path, from]) => [path, from.name])), build }
}
