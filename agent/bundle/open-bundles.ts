import type { BundleIndex } from '../../schemas/bundle.ts'
import { BundleError } from './bundle-error.ts'
import type { Trust } from './keys.ts'
import { readHead } from './read-volume.ts'
import type { VolumeHead } from './read-volume.ts'

/** A bundle with all its volumes. */
export interface OpenBundle {
  readonly id: string
  readonly index: BundleIndex
  readonly signer: string
  /** The index as it is signed. */
  readonly bytes: Buffer
  /** By their number, the first first. */
  readonly volumes: readonly [VolumeHead, ...VolumeHead[]]
}

/**
 * Opens bundles by the files of all their volumes, in any order: who signed them, and whether all volumes are there. A
 * bundle comes after the one that it adds to.
 *
 * @throws {BundleError} BUNDLE_UNTRUSTED, BUNDLE_INCOMPLETE, and what `readHead` throws.
 */
export async function openBundles(paths: readonly string[], trust: Trust): Promise<readonly OpenBundle[]> {
  const byId = new Map<string, VolumeHead[]>()
  for (const path of paths) {
    const head = await readHead(path)
    if (!trust.has(head.signer)) {
      throw new BundleError('BUNDLE_UNTRUSTED', `${path} is signed by the key ${head.signer}, and ${trust.size === 0 ? 'nobody said which key to trust' : 'that is not the one to trust'}. If whoever made the bundle told you this key by another way: --trust ${head.signer}`)
    }
    const others = byId.get(head.id) ?? []
    const same = others.find(one => one.number === head.number)
    if (same !== undefined) throw new BundleError('BUNDLE_INCOMPLETE', `${path} and ${same.path} are the same volume, number ${String(head.number)} of ${String(head.index.volumes.length)}`)
    byId.set(head.id, [...others, head])
  }
  const bundles = [...byId.values()].map(volumes => whole(volumes))
  // The earlier first; a circle cannot be, since an index names the digest of the other.
  const placed: OpenBundle[] = []
  const place = (one: OpenBundle): void => {
    if (placed.includes(one)) return
    const base = bundles.find(({ id }) => id === one.index.since?.id)
    if (base !== undefined) place(base)
    placed.push(one)
  }
  for (const one of bundles) place(one)
  return placed
}

function whole(heads: readonly VolumeHead[]): OpenBundle {
  const [first, ...rest] = heads.toSorted((a, b) => a.number - b.number)
  if (first === undefined) throw new TypeError('a bundle without volumes')
  const { id, index, signer, bytes } = first
  const there = new Set(heads.map(one => one.number))
  const missing = index.volumes.flatMap((one, i) => (there.has(i + 1) ? [] : [`number ${String(i + 1)} (${one.digest.slice(0, 12)})`]))
  if (missing.length > 0) throw new BundleError('BUNDLE_INCOMPLETE', `the bundle ${id.slice(0, 12)} of ${index.site.name} has ${String(index.volumes.length)} volumes, and these are not among the files: ${missing.join(', ')}`)
  return { id, index, signer, bytes, volumes: [first, ...rest] }
}
