import { artifactInputs } from '../../schemas/artifacts.ts'
import type { Artifacts } from '../../schemas/artifacts.ts'
import type { Plan } from '../../schemas/plan.ts'
import { LEAST, rootfsWanted } from '../image/rootfs/rootfs.ts'
import { lockedOf, openAptRoot } from '../stage/apt-root.ts'
import type { AptPackage, AptRoot } from '../stage/apt-root.ts'
import type { Progress } from '../stage/progress.ts'
import { siteSourcesOf } from '../stage/site-sources.ts'
import type { Store } from '../stage/store.ts'
import { stageOrder, StagerError } from './order.ts'
import { openSources } from './use-sources.ts'

export interface LockSetOptions {
  readonly store: Store
  readonly signal: AbortSignal
  readonly onProgress: Progress
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
    if (order.kind === 'discovery') throw new TypeError('a set is no discovery image')
    await using sources = openSources(order.sources, options)
    await using apt = await openAptRoot({ ...options, status: '', architecture: order.os.architecture, ...await sources.use() })
    for (const set of names) {
      options.onProgress(`resolving ${set}`)
      done.push(await lockSet(set, plan, apt))
    }
  }
  return done
}

async function lockSet(set: string, plan: Plan, apt: AptRoot): Promise<Artifacts> {
  const order = stageOrder(set, plan)
  const os = plan.artifacts[set]?.os ?? ''
  const system = plan.systems[os]
  if (order.kind === 'discovery' || system === undefined) throw new StagerError('SET_UNKNOWN', `the plan has no artifact set ${set}`, { retryable: false })
  const base = rootfsWanted(order.flavour, order.os.architecture, order.kind === 'rootfs' ? order.packages : order.base)
  const least = await apt.resolve([...LEAST, ...base], [])
  const packages = order.kind === 'rootfs' ? least : await apt.resolve(order.packages, least)
  return {
    kind: 'artifacts', version: 1, set, os, source: system.source ?? '', flavour: order.flavour === 'container' ? 'container' : 'machine',
    inputs: artifactInputs({ kind: order.kind, os: system, sources: siteSourcesOf(os, plan), packages: order.packages }),
    releases: apt.releases,
    wanted: order.kind === 'rootfs' ? base : order.packages,
    packages: byName(packages),
  }
}

function byName(packages: readonly AptPackage[]): Artifacts['packages'] {
  return Object.fromEntries(packages.map(one => [one.name, lockedOf(one)]))
}
