import type { LockedPackage } from '../../schemas/artifacts.ts'
import { bundleNodeAgent } from '../image/bundle-node-agent.ts'
import { buildDiscoveryImage } from '../image/discovery/discovery.ts'
import { buildLocalBoot } from '../image/local-boot.ts'
import { provideHostNeeds } from '../image/needs.ts'
import { buildRootfs } from '../image/rootfs/rootfs.ts'
import { describePackages, stageDebianPackages } from '../stage/debian-packages.ts'
import { fetchLocked, objectOf } from '../stage/fetch-locked.ts'
import type { ObjectHash } from '../stage/object-hash.ts'
import type { Store } from '../stage/store.ts'
import { orderReference } from './order.ts'
import type { StageOrder, StageResult } from './order.ts'
import { openSources } from './use-sources.ts'

export interface StageOptions {
  readonly signal: AbortSignal
  readonly onProgress: (message: string) => void
}

/** Carries out stage orders: here, or in another process that has a way out. */
export type CarryOut = (order: StageOrder, options: StageOptions) => Promise<StageResult>

/**
 * Carries orders out on this machine, with its own apt and into its store, one at a time.
 *
 * A discovery image is looked at anew each time, since its agent is part of this checkout; the others are had once.
 */
export function carryOutHere(store: Store): CarryOut {
  let last: Promise<unknown> = Promise.resolve()
  return (order, options) => {
    const next = last.catch(() => undefined).then(() => carryOut(order, store, options))
    last = next
    return next
  }
}

async function carryOut(order: StageOrder, store: Store, options: StageOptions): Promise<StageResult> {
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
  const parts = result.kind === 'discovery' ? [result.kernel, result.initrd, result.local] : result.kind === 'rootfs' ? [result.archive, result.status] : [result.manifest]
  const there = await Promise.all(parts.map(part => store.has(part as `sha256:${string}`)))
  return there.every(Boolean) ? result : undefined
}

async function build(order: StageOrder, store: Store, options: StageOptions): Promise<StageResult> {
  switch (order.kind) {
    case 'discovery': {
      const image = await buildDiscoveryImage({ os: order.os, runtime: process.execPath, agentBundle: await bundleNodeAgent(), store, ...options })
      return { kind: 'discovery', kernel: image.kernel, initrd: image.initrd, local: await buildLocalBoot({ store, ...options }) }
    }
    case 'rootfs': {
      await using sources = openSources(order.sources, { store, ...options })
      const rootfs = await buildRootfs({ os: order.os, flavour: order.flavour, packages: order.packages, sources: sources.use, locked: order.locked, store, ...options })
      return { kind: 'rootfs', archive: rootfs.hash, bytes: rootfs.bytes, status: rootfs.status }
    }
    case 'packages': {
      if (order.locked !== undefined) return { kind: 'packages', manifest: await stageLocked(order, order.locked.packages, { store, ...options }) }
      const base = await carryOut({ kind: 'rootfs', os: order.os, flavour: order.flavour, packages: order.base, sources: order.sources }, store, options)
      if (base.kind !== 'rootfs') throw new TypeError('a root filesystem order came to something else')
      await using sources = openSources(order.sources, { store, ...options })
      const staged = await stageDebianPackages({ os: order.os, packages: order.packages, sources: await sources.use(), status: base.status as `sha256:${string}`, store, ...options })
      return { kind: 'packages', manifest: staged.manifest }
    }
  }
}

/** A repository of exactly what is locked. @returns the hash of its manifest. */
async function stageLocked(
  { os, packages, sources: declared }: Extract<StageOrder, { kind: 'packages' }>, locked: { readonly [name: string]: LockedPackage }, options: StageOptions & { readonly store: Store },
): Promise<ObjectHash> {
  await using sources = openSources(declared, options)
  await fetchLocked(locked, { ...options, sources: async () => (await sources.use()).sources })
  const stored = Object.entries(locked).map(([name, one]) => ({ ...one, name, hash: objectOf(one) }))
  const described = await describePackages({ os, requested: packages, packages: stored.toSorted((a, b) => (a.name < b.name ? -1 : 1)), ...options })
  return described.manifest
}
