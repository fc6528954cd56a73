import type { LockedPackage } from '../../schemas/artifacts.ts'
import { byCodePoint } from '../../schemas/canonical.ts'
import type { Plan } from '../../schemas/plan.ts'
import { printableBase } from '../proxy/upstream/upstreams.ts'
import { missingOf } from '../stage/fetch-locked.ts'
import { siteSourcesOf } from '../stage/site-sources.ts'
import type { Store } from '../stage/store.ts'
import { readResult } from './carry-out.ts'
import { lockedSet } from './locked-set.ts'
import { stageOrder, StagerError } from './order.ts'

/** How much of an artifact set of a plan is in the store. */
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

/** What of a plan's artifact sets is wanted, present and missing, by name. Looks into the store and nowhere else. */
export async function stageStatus(plan: Plan, store: Store): Promise<SetStatus[]> {
  const sets: SetStatus[] = []
  for (const name of Object.keys(plan.artifacts).toSorted(byCodePoint)) sets.push(await statusOf(name, plan, store))
  return sets
}

async function statusOf(name: string, plan: Plan, store: Store): Promise<SetStatus> {
  const set = plan.artifacts[name]
  const packages = lockedSet(name, plan)?.packages
  const missing = packages === undefined ? [] : await missingOf(packages, store)
  const { staged, problem } = await resultOf(name, plan, store)
  return {
    set: name, os: set?.os ?? null, sources: siteSourcesOf(set?.os ?? '', plan).map(({ name: source, upstream }) => ({ name: source, upstreams: (typeof upstream === 'string' ? [upstream] : upstream).map(printableBase) })), locked: set?.locked ?? null, staged, problem,
    files: packages === undefined ? null : filesOf(packages, missing.map(({ locked }) => locked)),
    missing: missing.map(({ name: one, locked }) => `${one} ${locked.version}`).toSorted(byCodePoint),
    wantedBy: plan.steps.filter(({ kind, artifacts }) => kind !== 'stage' && artifacts.includes(name)).map(({ id }) => id),
  }
}

async function resultOf(name: string, plan: Plan, store: Store): Promise<Pick<SetStatus, 'staged' | 'problem'>> {
  try {
    return { staged: await readResult(stageOrder(name, plan), store) !== undefined, problem: null }
  } catch (error) {
    if (!(error instanceof StagerError)) throw error
    return { staged: false, problem: error.message }
  }
}

function filesOf(packages: { readonly [name: string]: LockedPackage }, missing: readonly LockedPackage[]): NonNullable<SetStatus['files']> {
  const all = Object.values(packages)
  const sum = (some: readonly LockedPackage[]): number => some.reduce((bytes, one) => bytes + one.bytes, 0)
  return { wanted: all.length, present: all.length - missing.length, bytes: sum(all), missingBytes: sum(missing) }
}
