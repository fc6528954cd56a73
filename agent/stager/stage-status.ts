import type { LockedPackage } from '../../schemas/artifacts.ts'
import { byCodePoint } from '../../schemas/canonical.ts'
import type { Plan } from '../../schemas/plan.ts'
import type { Json } from '../../schemas/shape.ts'
import { printableBase } from '../proxy/upstream/upstreams.ts'
import { readAptRepositoryManifest } from '../stage/debian-packages.ts'
import { missingOf } from '../stage/fetch-locked.ts'
import type { ObjectHash } from '../stage/object-hash.ts'
import { siteSourcesOf } from '../stage/site-sources.ts'
import { StageError } from '../stage/stage-error.ts'
import type { Store } from '../stage/store.ts'
import { readResult } from './carry-out.ts'
import { lockedSet } from './locked-set.ts'
import { DISCOVERY_IMAGE, isOfDiscovery, needsDiscovery } from './needed.ts'
import { discoveryOrder, stageOrder, StagerError } from './order.ts'
import type { StageOrder } from './order.ts'
import { buildersOf, hasSource, wholeSources } from './stage-source.ts'

/** How much of an artifact set of a plan, of the discovery image or of a source is in the store. */
export interface SetStatus {
  readonly set: string
  readonly os: string | null
  /** Where its os takes packages from, its own source first. `upstreams`: URLs without passwords, or `system`. */
  readonly sources: readonly { readonly name: string; readonly upstreams: readonly string[] }[]
  /** Digest of what is locked; null: what the mirror has when it is staged. */
  readonly locked: string | null
  /** Everything is there, and put together: steps that need it can run. */
  readonly staged: boolean
  /** Files that are locked; null: nobody knows which before they are staged. */
  readonly files: { readonly wanted: number; readonly present: number; readonly bytes: number; readonly missingBytes: number } | null
  /** `name version`, sorted; empty when nothing is locked. */
  readonly missing: readonly string[]
  /** Ids of steps that need the set and of those only, in plan order. */
  readonly wantedBy: readonly string[]
  /** Why this agent cannot have it at all; null: it can. */
  readonly problem: string | null
}

/**
 * What of all that a plan needs is wanted, present and missing: its artifact sets by name, the discovery image, and sources
 * that are staged as a whole. Looks into the store and nowhere else.
 */
export async function stageStatus(plan: Plan, store: Store): Promise<SetStatus[]> {
  const sets: SetStatus[] = []
  const builders = buildersOf(plan)
  for (const name of Object.keys(plan.artifacts).toSorted(byCodePoint)) sets.push(await statusOf(name, plan, store))
  if (needsDiscovery(plan)) {
    const order = discoveryOrder(plan)
    const { staged, problem } = await had(() => order, store)
    sets.push({ ...PLAIN, set: DISCOVERY_IMAGE, sources: order.sources.map(({ name, upstream }) => described(name, upstream)), staged, problem, wantedBy: plan.steps.filter(step => isOfDiscovery(step, plan)).map(({ id }) => id) })
  }
  for (const [name, source] of wholeSources(plan)) sets.push({ ...PLAIN, set: sourceSet(name), sources: [described(name, source.upstream)], wantedBy: wantedBy(builders.get(name) ?? [], plan), ...await hasSource(source, store) })
  return sets
}

function wantedBy(sets: readonly string[], plan: Plan): readonly string[] {
  return plan.steps.filter(({ kind, artifacts }) => kind !== 'stage' && artifacts.some(one => sets.includes(one))).map(({ id }) => id)
}

/** As a source that is staged as a whole stands beside artifact sets. */
export function sourceSet(name: string): string {
  return `source/${name}`
}

function described(name: string, upstream: Json): SetStatus['sources'][number] {
  return { name, upstreams: ([upstream].flat() as readonly string[]).map(printableBase) }
}

const PLAIN = { os: null, sources: [], locked: null, files: null, missing: [], wantedBy: [], problem: null } as const

async function statusOf(name: string, plan: Plan, store: Store): Promise<SetStatus> {
  const set = plan.artifacts[name]
  const packages = lockedSet(name, plan)?.packages
  const missing = packages === undefined ? [] : await missingOf(packages, store)
  const { staged, problem, absent } = await had(() => stageOrder(name, plan), store)
  return {
    set: name, os: set?.os ?? null, sources: siteSourcesOf(set?.os ?? '', plan).map(({ name: source, upstream }) => described(source, upstream)), locked: set?.locked ?? null, staged, problem,
    files: packages === undefined ? null : filesOf(packages, missing.map(({ locked }) => locked)),
    missing: [...new Set([...missing.map(({ name: one, locked }) => `${one} ${locked.version}`), ...absent])].toSorted(byCodePoint),
    wantedBy: wantedBy([name], plan),
  }
}

/** @param order throws for what this agent cannot have. */
async function had(order: () => StageOrder, store: Store): Promise<Pick<SetStatus, 'staged' | 'problem'> & { readonly absent: readonly string[] }> {
  try {
    const result = await readResult(order(), store)
    const absent = result?.kind === 'packages' ? await absentOf(result.manifest as ObjectHash, store) : []
    return { staged: result !== undefined && absent.length === 0, problem: null, absent }
  } catch (error) {
    if (!(error instanceof StagerError || error instanceof StageError)) throw error
    return { staged: false, problem: error.message, absent: [] }
  }
}

/** Files of a repository that are not in the store, whether they were taken out of it or never came. */
async function absentOf(manifest: ObjectHash, store: Store): Promise<readonly string[]> {
  const { packages, files } = await readAptRepositoryManifest(store, manifest)
  const all = [...packages.map(one => [`${one.name} ${one.version}`, one.hash] as const), ...Object.entries(files).map(([path, { hash }]) => [path, hash] as const)]
  const there = await Promise.all(all.map(([, hash]) => store.has(hash)))
  return all.filter((_, i) => there[i] !== true).map(([what]) => what)
}

function filesOf(packages: { readonly [name: string]: LockedPackage }, missing: readonly LockedPackage[]): NonNullable<SetStatus['files']> {
  const all = Object.values(packages)
  const sum = (some: readonly LockedPackage[]): number => some.reduce((bytes, one) => bytes + one.bytes, 0)
  return { wanted: all.length, present: all.length - missing.length, bytes: sum(all), missingBytes: sum(missing) }
}
