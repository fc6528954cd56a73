import type { Plan } from '../../schemas/plan.ts'
import type { StagedSet, Stager } from '../drivers/stage.ts'
import type { ArchiveKey } from '../stage/archive-key.ts'
import { readAptRepositoryManifest } from '../stage/debian-packages.ts'
import type { ObjectHash } from '../stage/object-hash.ts'
import type { Store } from '../stage/store.ts'
import { readResult } from './carry-out.ts'
import type { CarryOut, StageOptions } from './carry-out.ts'
import { discoveryOrder, orderReference, stageOrder, StagerError } from './order.ts'
import type { StageResult } from './order.ts'

/** What machines boot before they have a system, and what takes a UEFI machine to the system that it has. */
export interface StagedDiscovery {
  /** Paths on the boot server. */
  readonly kernel: string
  readonly initrd: string
  /** Object of the store: a UEFI program that boots the local disk. */
  readonly local: string
  /** Objects of the store, by file name: what machines that boot from the network are given first. */
  readonly loaders: Readonly<Record<string, string>>
}

/** A stager of artifact sets, and of the image that machines boot before they have a system. */
export interface ArtifactStager extends Stager {
  discovery(plan: Plan, stage: StageOptions): Promise<StagedDiscovery>
}

/**
 * The stager of an agent: one store, and somebody who carries out what is not in it.
 *
 * @param options.base gives the URL of the boot server as machines reach it, without a slash at the end.
 * @param options.key what the boot server signs repositories with.
 */
export function openStager(options: { readonly store: Store; readonly carryOut: CarryOut; readonly base: () => string; readonly key: Pick<ArchiveKey, 'public'> }): ArtifactStager {
  const { store, carryOut, base, key } = options
  const object = (hash: string): string => `${base()}/artifacts/sha256/${hash.replace('sha256:', '')}`
  const staged = async (result: StageResult): Promise<StagedSet> => {
    switch (result.kind) {
      case 'rootfs':
        return { kind: 'file', url: object(result.archive), sha256: result.archive.replace('sha256:', ''), bytes: result.bytes }
      case 'packages':
        return { kind: 'repository', url: `${base()}/apt/${result.manifest.replace('sha256:', '')}/`, hash: result.manifest, index: await indexOf(result.manifest as ObjectHash, store), key: key.public.toString('base64') }
      case 'build':
      case 'discovery':
        throw new TypeError('neither a discovery image nor a build is an artifact set')
    }
  }
  return {
    async ensure(name, plan, stage) {
      const order = stageOrder(name, plan)
      const known = await readResult(order, store)
      if (known !== undefined) return { ...(await staged(known)), fresh: false }
      return { ...(await staged(await carryOut(order, stage))), fresh: true }
    },
    async locate(name, plan) {
      const known = await readResult(stageOrder(name, plan), store)
      return known === undefined ? undefined : staged(known)
    },
    content: file => ({ url: object(file.sha256), sha256: file.sha256, bytes: file.bytes }),
    async discovery(plan, stage) {
      const order = discoveryOrder(plan)
      const result = await carryOut(order, stage)
      if (result.kind !== 'discovery') throw new TypeError(`${orderReference(order)} is not a discovery image`)
      return { kernel: new URL(object(result.kernel)).pathname, initrd: new URL(object(result.initrd)).pathname, local: result.local, loaders: result.loaders }
    },
  }
}

/** SHA-256 of the file that has the hash of every package. */
async function indexOf(manifest: ObjectHash, store: Store): Promise<string> {
  const { files } = await readAptRepositoryManifest(store, manifest)
  if (files['Packages'] === undefined) throw new StagerError('STAGER_FAILED', `${manifest} is a repository without an index`, { retryable: false })
  return files['Packages'].hash.replace('sha256:', '')
}
