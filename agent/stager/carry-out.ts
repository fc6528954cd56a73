import type { LockedPackage } from '../../schemas/artifacts.ts'
import { buildPackages, readBuild } from '../build/build.ts'
import { BuildError, titleOf } from '../build/build-source.ts'
import { packagesOfBuilder } from '../build/builders.ts'
import { buildDependsOf, checkOut } from '../build/checkout.ts'
import { bundleNodeAgent } from '../image/bundle-node-agent.ts'
import { buildDiscoveryImage } from '../image/discovery/discovery.ts'
import { buildLocalBoot } from '../image/local-boot.ts'
import { provideHostNeeds } from '../image/needs.ts'
import { buildRootfs } from '../image/rootfs/rootfs.ts'
import { describePackages, stageDebianPackages } from '../stage/debian-packages.ts'
import { fetchLocked, missingOf, objectOf } from '../stage/fetch-locked.ts'
import type { ObjectHash } from '../stage/object-hash.ts'
import type { AptUse } from '../stage/apt-root.ts'
import { openBuiltRepository } from '../stage/built-repository.ts'
import type { Store } from '../stage/store.ts'
import { takeTurns } from '../take-turns.ts'
import { buildRoot, orderReference } from './order.ts'
import type { BuildOrder, BuiltPackage, StageOrder, StageResult } from './order.ts'
import { openSources } from './use-sources.ts'

export interface StageOptions {
  readonly signal: AbortSignal
  readonly onProgress: (message: string) => void
}

/** How orders are carried out on this machine. */
export interface StageHereOptions extends StageOptions {
  /** Upstreams that the site names are asked through it; null: as this machine's apt asks. */
  readonly upstreamProxy: string | null
}

/** Carries out stage orders: here, or in another process that has a way out. */
export type CarryOut = (order: StageOrder, options: StageOptions) => Promise<StageResult>

/**
 * Carries orders out on this machine, with its own apt and into its store, one at a time.
 *
 * A discovery image is looked at anew each time, since its agent is part of this checkout; the others are had once.
 */
export function carryOutHere(store: Store, { upstreamProxy }: Pick<StageHereOptions, 'upstreamProxy'>): CarryOut {
  const inTurn = takeTurns()
  return (order, options) => inTurn(() => carryOut(order, store, { ...options, upstreamProxy }))
}

async function carryOut(order: StageOrder, store: Store, options: StageHereOptions): Promise<StageResult> {
  options.signal.throwIfAborted()
  const known = order.kind === 'discovery' ? undefined : await readResult(order, store)
  if (known !== undefined) return known
  await provideHostNeeds(options)
  const result = await build(order, store, options)
  const { hash } = await store.put(Buffer.from(`${JSON.stringify(result)}\n`))
  await store.refer(orderReference(order), hash)
  return result
}

/** What an order came to before, if all of it is still there. */
export async function readResult(order: StageOrder, store: Store): Promise<StageResult | undefined> {
  const hash = await store.resolve(orderReference(order))
  if (hash === undefined) return undefined
  const result = JSON.parse((await store.read(hash)).toString('utf8')) as StageResult
  const parts = result.kind === 'discovery' ? [result.kernel, result.initrd, result.local, ...Object.values(result.loaders)] : result.kind === 'rootfs' ? [result.archive, result.status] : [result.manifest]
  if (result.kind === 'build' && await store.has(result.manifest as ObjectHash)) parts.push(...(await readBuild(store, result.manifest as ObjectHash)).packages.map(({ hash: one }) => one))
  const there = await Promise.all(parts.map(part => store.has(part as `sha256:${string}`)))
  return there.every(Boolean) ? result : undefined
}

async function build(order: StageOrder, store: Store, options: StageHereOptions): Promise<StageResult> {
  switch (order.kind) {
    case 'discovery': {
      await using sources = openSources(order.sources, { store, ...options })
      const { kernel, initrd, loaders } = await buildDiscoveryImage({ os: order.os, runtime: process.execPath, agentBundle: await bundleNodeAgent(), sources: await sources.use(), store, ...options })
      return { kind: 'discovery', kernel, initrd, local: await buildLocalBoot({ store, ...options }), loaders }
    }
    case 'rootfs': {
      await using sources = openSources(order.sources, { store, ...options })
      await using local = await openBuiltRepository(order.built ?? [], { os: order.os, store, ...options })
      const use = async (): Promise<AptUse> => {
        const asked = await sources.use()
        return { ...asked, sources: [...asked.sources, ...local.sources] }
      }
      const rootfs = await buildRootfs({ os: order.os, flavour: order.flavour, packages: order.packages, sources: use, locked: order.locked, store, ...options })
      return { kind: 'rootfs', archive: rootfs.hash, bytes: rootfs.bytes, status: rootfs.status }
    }
    case 'packages': {
      const built = await buildAll(await unbuilt(order, store), store, options)
      if (order.locked !== undefined) {
        const { packages } = order.locked
        holdBuilt(built, packages)
        return { kind: 'packages', manifest: await stageLocked(order, packages, { store, ...options }) }
      }
      const base = await carryOut({ kind: 'rootfs', os: order.os, flavour: order.flavour, packages: order.base, sources: order.sources }, store, options)
      if (base.kind !== 'rootfs') throw new TypeError('a root filesystem order came to something else')
      await using sources = openSources(order.sources, { store, ...options })
      await using local = await openBuiltRepository(built, { os: order.os, store, ...options })
      const use = await sources.use()
      const staged = await stageDebianPackages({ os: order.os, packages: order.packages, sources: { ...use, sources: [...use.sources, ...local.sources] }, status: base.status as `sha256:${string}`, store, ...options })
      return { kind: 'packages', manifest: staged.manifest }
    }
    case 'build': {
      const built = await buildAll(await unbuilt({ builds: order.uses ?? [], locked: order.locked }, store), store, options)
      if (order.locked !== undefined) holdBuilt(built, order.locked.packages)
      await using work = await store.temporaryFolder('checkout')
      const checkedOut = await checkOut(order.source, order.locked, { folder: work.path, store, ...options })
      const root = await carryOut(buildRoot(order, await neededBy(order, checkedOut.tree), built), store, options)
      if (root.kind !== 'rootfs') throw new TypeError('a root filesystem order came to something else')
      return { kind: 'build', manifest: await buildPackages(order.source, checkedOut, { root: root.archive as ObjectHash, release: order.os.version, store, ...options }) }
    }
  }
}

/** What has to be built: of what is locked, that of which the store lacks a package. */
async function unbuilt({ builds = [], locked }: { readonly builds?: readonly BuildOrder[]; readonly locked?: { readonly packages: { readonly [name: string]: LockedPackage } } | undefined }, store: Store): Promise<readonly BuildOrder[]> {
  if (locked === undefined) return builds
  const missing = new Set((await missingOf(locked.packages, store)).map(({ locked: one }) => one.source))
  return builds.filter(({ source }) => missing.has(source.name))
}

/** @throws {BuildError} BUILD_DIFFERS */
function holdBuilt(built: readonly BuiltPackage[], packages: { readonly [name: string]: LockedPackage }): void {
  const other = built.find(one => packages[one.name]?.source === one.source && packages[one.name]?.sha256 !== one.hash.slice('sha256:'.length))
  if (other !== undefined) throw new BuildError('BUILD_DIFFERS', `${other.title}: the build gave other bytes for ${other.name} ${other.version} than are locked (${packages[other.name]?.version ?? ''}). It is not reproducible here: bring the package in a store that has it, or lock it anew on this machine with \`crowbar lock --update ${other.source}\``)
}

/** Packages that the root filesystem of a build has beside what every system has, sorted. */
export async function neededBy({ os, source: { build } }: BuildOrder, tree: string): Promise<string[]> {
  return [...new Set([...packagesOfBuilder(build.with), ...(build.needs ?? []), ...(build.with === 'debian' ? await buildDependsOf(tree, os.architecture) : [])])].toSorted()
}

/** Has everything built that is not yet; which of it the set needs is apt's to say. */
export async function buildAll(builds: readonly BuildOrder[], store: Store, options: StageHereOptions): Promise<BuiltPackage[]> {
  const built: BuiltPackage[] = []
  for (const order of builds) {
    const result = await carryOut(order, store, options)
    if (result.kind !== 'build') throw new TypeError('a build came to something else')
    const { packages } = await readBuild(store, result.manifest as ObjectHash)
    built.push(...packages.filter(({ name }) => order.source.build.packages.includes(name)).map(one => ({ ...one, source: order.source.name, title: titleOf(order.source) })))
  }
  return built
}

/** A repository of exactly what is locked. @returns the hash of its manifest. */
async function stageLocked(
  { os, packages, sources: declared }: Extract<StageOrder, { kind: 'packages' }>, locked: { readonly [name: string]: LockedPackage }, options: StageHereOptions & { readonly store: Store },
): Promise<ObjectHash> {
  await using sources = openSources(declared, options)
  await fetchLocked(locked, { ...options, sources: async () => (await sources.use()).sources })
  const stored = Object.entries(locked).map(([name, one]) => ({ ...one, name, hash: objectOf(one) }))
  const described = await describePackages({ os, requested: packages, packages: stored.toSorted((a, b) => (a.name < b.name ? -1 : 1)), ...options })
  return described.manifest
}
