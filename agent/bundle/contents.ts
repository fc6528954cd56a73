import { open, stat } from 'node:fs/promises'
import { byCodePoint } from '../../schemas/canonical.ts'
import type { BundledObject, BundledRepository } from '../../schemas/bundle.ts'
import type { Plan } from '../../schemas/plan.ts'
import { bundleNodeAgent } from '../image/bundle-node-agent.ts'
import { mirrorFolder } from '../proxy/git/mirror.ts'
import { reach } from '../stage/collect.ts'
import { objectOf } from '../stage/fetch-locked.ts'
import type { ObjectHash } from '../stage/object-hash.ts'
import type { Store } from '../stage/store.ts'
import { readResult } from '../stager/carry-out.ts'
import { lockedSet } from '../stager/locked-set.ts'
import { needsDiscovery, neededReferences } from '../stager/needed.ts'
import { discoveryOrder, joinedSystemOrder, orderReference, StagerError } from '../stager/order.ts'
import { stageStatus } from '../stager/stage-status.ts'
import { packRepository, refsOf } from './repositories.ts'

/** What a store has for a plan. */
export interface Contents {
  /** Sorted by name. */
  readonly references: Readonly<Record<string, string>>
  /** Sorted by SHA-256. */
  readonly objects: readonly BundledObject[]
  readonly mirrors: readonly BundledRepository[]
}

export interface ContentsOptions {
  readonly store: Store
  /** Also what containers stand on that rehearse it. */
  readonly containers: boolean
  readonly signal: AbortSignal
}

/**
 * Everything that a plan needs of a store: the objects of its artifact sets, of the discovery image, of its file sources,
 * all that is locked, and its git sources.
 *
 * @returns what misses, a line each, when not all is there.
 */
export async function contentsFor(plan: Plan, options: ContentsOptions): Promise<{ readonly kind: 'complete'; readonly contents: Contents } | { readonly kind: 'missing'; readonly missing: readonly string[] }> {
  const { store, containers } = options
  const missing = (await stageStatus(plan, store)).filter(({ staged }) => !staged).map(({ set, missing: packages, problem, wantedBy }) => {
    const why = problem ?? (packages.length === 0 ? 'is not staged' : `misses ${packages.slice(0, 5).join(', ')}${packages.length > 5 ? ` and ${String(packages.length - 5)} more` : ''}`)
    return `${set}: ${why}${wantedBy[0] === undefined ? '' : `; ${wantedBy[0]} wants it`}`
  })
  const image = needsDiscovery(plan) ? await readResult(discoveryOrder(plan), store) : undefined
  const names = new Set([...neededReferences(plan)].filter(name => image !== undefined || name !== orderReference(discoveryOrder(plan))))
  if (containers) {
    for (const os of usedSystems(plan)) {
      const order = joinedSystemOrder(os, plan)
      names.add(orderReference(order))
      if (await readResult(order, store) === undefined) missing.push(`the system that containers with ${os} stand on: rehearse it once where there is a mirror`)
    }
  }
  if (image?.kind === 'discovery' && !await hasOwnAgent(store, image.initrd)) missing.push('discovery: the image in the store has the node agent of another version of Crowbar')

  const references: Record<string, string> = {}
  const roots = new Set<ObjectHash>()
  for (const name of [...names].toSorted(byCodePoint)) {
    const hash = await store.resolve(name)
    if (hash === undefined) continue
    references[name] = hash.slice('sha256:'.length)
    roots.add(hash)
  }
  for (const set of Object.keys(plan.artifacts)) for (const one of Object.values(lockedSet(set, plan)?.packages ?? {})) roots.add(objectOf(one))
  for (const source of Object.values(plan.sources)) if (source.type === 'file' && source.sha256 !== undefined) roots.add(`sha256:${source.sha256}`)
  if (missing.length > 0) return { kind: 'missing', missing }
  const objects = await sized(await reach(store, roots), store)
  return { kind: 'complete', contents: { references, objects, mirrors: await mirrorsOf(plan, options) } }
}

/** Sizes of those that are there, sorted; what a document only mentions is nothing to have. */
async function sized(hashes: Iterable<ObjectHash>, store: Store): Promise<BundledObject[]> {
  const objects: BundledObject[] = []
  for (const hash of hashes) {
    const found = await stat(store.path(hash)).catch(() => undefined)
    if (found !== undefined) objects.push({ sha256: hash.slice('sha256:'.length), bytes: found.size })
  }
  return objects.toSorted((a, b) => byCodePoint(a.sha256, b.sha256))
}

function usedSystems(plan: Plan): readonly string[] {
  return [...new Set(Object.values(plan.nodes).flatMap(({ admin, os }) => (admin || os === null ? [] : [os])))].filter(os => {
    try {
      joinedSystemOrder(os, plan)
      return true
    } catch (error) {
      if (!(error instanceof StagerError)) throw error
      return false
    }
  })
}

/** The agent lies before the rest of the image, as it is. */
async function hasOwnAgent(store: Store, initrd: string): Promise<boolean> {
  const agent = await bundleNodeAgent()
  await using file = await open(store.path(initrd as ObjectHash))
  const { buffer, bytesRead } = await file.read(Buffer.alloc(agent.length + 8192), 0, agent.length + 8192, 0)
  return buffer.subarray(0, bytesRead).includes(agent)
}

async function mirrorsOf(plan: Plan, { store, signal }: ContentsOptions): Promise<BundledRepository[]> {
  const mirrors: BundledRepository[] = []
  for (const [name, source] of Object.entries(plan.sources).toSorted(([a], [b]) => byCodePoint(a, b))) {
    if (source.type !== 'git') continue
    const folder = mirrorFolder(store, [source.upstream].flat() as readonly string[])
    const { refs, head } = await refsOf(folder, ['refs/heads', 'refs/tags'], { signal })
    const key = folder.slice(folder.lastIndexOf('/') + 1, -'.git'.length)
    if (!mirrors.some(one => one.key === key)) mirrors.push(await packRepository({ kind: 'mirror', name, key, folder, refs, head }, { store, signal }))
  }
  return mirrors
}
