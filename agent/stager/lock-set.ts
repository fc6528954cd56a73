import { artifactInputs } from '../../schemas/artifacts.ts'
import type { Artifacts, HeldBuilds, LockedBuild } from '../../schemas/artifacts.ts'
import type { Plan } from '../../schemas/plan.ts'
import { checkOut } from '../build/checkout.ts'
import { LEAST, rootfsWanted } from '../image/rootfs/rootfs.ts'
import { lockedOf, openAptRoot } from '../stage/apt-root.ts'
import type { AptPackage, AptRoot, AptUse } from '../stage/apt-root.ts'
import { openBuiltRepository } from '../stage/built-repository.ts'
import type { Progress } from '../stage/progress.ts'
import { siteSourcesOf } from '../stage/site-sources.ts'
import type { Store } from '../stage/store.ts'
import { buildAll, neededBy } from './carry-out.ts'
import { stageOrder, StagerError } from './order.ts'
import type { BuildOrder, BuiltPackage } from './order.ts'
import { openSources } from './use-sources.ts'

export interface LockSetOptions {
  readonly store: Store
  readonly signal: AbortSignal
  /** Upstreams that the site names are asked through it; null: as this machine's apt asks. */
  readonly upstreamProxy: string | null
  readonly onProgress: Progress
  readonly held: HeldBuilds
}

/**
 * Resolves the packages of artifact sets, from the sources of their systems, by apt in a clean root: a root filesystem upon nothing,
 * the packages of roles upon that root filesystem. Reads indexes and fetches no package.
 *
 * @param sets names of sets of the plan.
 * @throws {StageError} APT_…; {StagerError} SET_UNSUPPORTED.
 */
export async function lockSets(sets: readonly string[], plan: Plan, options: LockSetOptions): Promise<Artifacts[]> {
  const done: Artifacts[] = []
  const systems = [...new Set(sets.map(set => plan.artifacts[set]?.os ?? ''))]
  for (const os of systems) {
    options.signal.throwIfAborted()
    const names = sets.filter(set => plan.artifacts[set]?.os === os)
    const [first = ''] = names
    const order = stageOrder(first, plan)
    await using sources = openSources(order.sources, options)
    const use = await sources.use()
    await using apt = await openAptRoot({ ...options, status: '', architecture: order.os.architecture, ...use })
    for (const set of names) {
      options.onProgress(`resolving ${set}`)
      done.push(await lockSet(set, plan, { ...options, apt, use }))
    }
  }
  return done
}

interface LockOptions extends LockSetOptions {
  readonly apt: AptRoot
  readonly use: AptUse
}

async function lockSet(set: string, plan: Plan, { apt, ...options }: LockOptions): Promise<Artifacts> {
  const order = stageOrder(set, plan)
  const os = plan.artifacts[set]?.os ?? ''
  const system = plan.systems[os]
  if (system === undefined) throw new StagerError('SET_UNKNOWN', `the plan has no artifact set ${set}`, { retryable: false })
  const base = rootfsWanted(order.flavour, order.os.architecture, order.kind === 'rootfs' ? order.packages : order.base)
  const least = await apt.resolve([...LEAST, ...base], [])
  const built = order.kind === 'packages' && order.builds !== undefined ? await lockBuilds(order.builds, { apt, ...options }) : undefined
  const packages = order.kind === 'rootfs' ? least : await resolveWith(order.packages, least, { built: built?.packages ?? [], order, apt, ...options })
  return {
    kind: 'artifacts', version: 1, set, os, source: system.source ?? '', flavour: order.flavour === 'container' ? 'container' : 'machine',
    inputs: artifactInputs({ kind: order.kind, os: system, sources: siteSourcesOf(os, plan), packages: order.packages, builds: order.kind === 'packages' ? (order.builds ?? []).map(({ source }) => ({ ...plan.sources[source.name], name: source.name })) : [] }),
    releases: apt.releases,
    wanted: order.kind === 'rootfs' ? base : order.packages,
    packages: byName(packages),
    ...(built === undefined ? {} : { builds: built.builds }),
  }
}

/** Decides which commits are built and in what, and builds them: only then is it known what the packages depend on. */
async function lockBuilds(orders: readonly BuildOrder[], options: LockOptions): Promise<{ readonly builds: Record<string, LockedBuild>; readonly packages: readonly BuiltPackage[] }> {
  const builds: Record<string, LockedBuild> = {}
  const packages = new Map<string, readonly BuiltPackage[]>()
  const lock = async (order: BuildOrder): Promise<BuildOrder> => {
    const { source } = order
    const uses: BuildOrder[] = []
    for (const one of order.uses ?? []) uses.push(await lock(one))
    if (builds[source.name] === undefined) {
      await using work = await options.store.temporaryFolder('checkout')
      const { commit, tag, count, tree } = await checkOut(source, options.held[source.name], { ...options, folder: work.path })
      const wanted = rootfsWanted('container', order.os.architecture, await neededBy(order, tree))
      const built = uses.flatMap(one => packages.get(one.source.name) ?? [])
      const closure = await resolveWith([...LEAST, ...wanted], [], { built, order, ...options })
      builds[source.name] = { commit, tag, count, wanted, epoch: options.apt.releaseTime, packages: byName(closure) }
    }
    const locked = { ...order, ...(uses.length === 0 ? {} : { uses }), locked: builds[source.name] as LockedBuild }
    if (!packages.has(source.name)) packages.set(source.name, await buildAll([locked], options.store, options))
    return locked
  }
  for (const order of orders) await lock(order)
  return { builds, packages: [...packages.values()].flat() }
}

/** The closure of names, some of whose packages were built here. @param upon what counts as installed. */
async function resolveWith(names: readonly string[], upon: readonly AptPackage[], { built, order, use, apt: plain, ...options }: { readonly built: readonly BuiltPackage[]; readonly order: Pick<BuildOrder, 'os'> } & LockOptions): Promise<readonly AptPackage[]> {
  if (built.length === 0) return plain.resolve(names, upon)
  await using local = await openBuiltRepository(built, { os: order.os, ...options })
  await using apt = await openAptRoot({ ...options, status: '', architecture: order.os.architecture, ...use, sources: [...use.sources, ...local.sources] })
  return await apt.resolve(names, upon)
}

function byName(packages: readonly AptPackage[]): Artifacts['packages'] {
  return Object.fromEntries(packages.map(one => [one.name, lockedOf(one)]))
}
