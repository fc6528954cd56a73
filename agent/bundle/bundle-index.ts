import { createHash } from 'node:crypto'
import { canonical } from '../../schemas/canonical.ts'
import { BUNDLE_VERSION, bundleIndexShape } from '../../schemas/bundle.ts'
import type { BundledObject, BundleIndex } from '../../schemas/bundle.ts'
import { loadAjv } from '../../schemas/load-ajv.ts'
import type { Json } from '../../schemas/shape.ts'
import { tarBytes, tarEnd } from './write-tar.ts'
import { BundleError } from './bundle-error.ts'

/** An index as it is in a bundle. */
export interface IndexFile {
  readonly index: BundleIndex
  readonly bytes: Buffer
  /** SHA-256 of the bytes: the bundle's name. */
  readonly id: string
}

const checkOf = once(() => new (loadAjv().Ajv2020)({ strict: false }).compile<BundleIndex>(bundleIndexShape.json))

/** Canonical JSON and a newline. */
export function indexFile(index: BundleIndex): IndexFile {
  const bytes = Buffer.from(`${canonical(index as unknown as Json)}\n`)
  return { index, bytes, id: sha256(bytes) }
}

/**
 * Reads an index, and holds its parts against each other.
 *
 * @param what the file that it is in, for messages.
 * @throws {BundleError} BUNDLE_UNREADABLE, BUNDLE_DAMAGED
 */
export function readIndex(bytes: Buffer, what: string): IndexFile {
  let value: unknown
  try {
    value = JSON.parse(bytes.toString('utf8'))
  } catch (cause) {
    throw new BundleError('BUNDLE_DAMAGED', `${what}: its bundle.json is not JSON`, { cause })
  }
  const { kind, version } = (value ?? {}) as { readonly kind?: unknown; readonly version?: unknown }
  if (kind === 'bundle' && typeof version === 'number' && version > BUNDLE_VERSION) throw new BundleError('BUNDLE_UNREADABLE', `${what}: a bundle of version ${String(version)}, and this Crowbar knows ${String(BUNDLE_VERSION)}: upgrade Crowbar`)
  const validate = checkOf()
  if (!validate(value)) throw new BundleError('BUNDLE_DAMAGED', `${what}: its bundle.json is not understood: ${validate.errors?.[0]?.instancePath ?? ''} ${validate.errors?.[0]?.message ?? ''}`)
  const wrong = contradiction(value)
  if (wrong !== undefined) throw new BundleError('BUNDLE_DAMAGED', `${what}: its bundle.json contradicts itself: ${wrong}`)
  return { index: value, bytes, id: sha256(bytes) }
}

/** What the digest of a volume is over. */
export function volumeDigest(objects: readonly BundledObject[]): string {
  return sha256(objects.map(one => `${one.sha256} ${String(one.bytes)}\n`).join(''))
}

/** Every object that a store has to have when the bundle is loaded: those in it, and those of the one before. */
export function objectsOf(index: BundleIndex): ReadonlyMap<string, number> {
  return new Map([...index.elsewhere, ...index.volumes.flatMap(one => one.objects)].map(one => [one.sha256, one.bytes]))
}

/**
 * Lays objects into volumes, in their order, none of them larger than `limit` bytes; null: into one.
 *
 * @param head gives the bytes before the first object for an index with these volumes.
 * @throws {BundleError} BUNDLE_REFUSED when one object is larger than that.
 */
export function layOut(objects: readonly BundledObject[], { limit, head }: { readonly limit: number | null; readonly head: (volumes: BundleIndex['volumes']) => number }): BundleIndex['volumes'] {
  const volumes = (room: number): BundleIndex['volumes'] => {
    const laid: BundledObject[][] = [[]]
    let used = 0
    for (const one of objects) {
      const bytes = tarBytes(one.bytes)
      if (used + bytes > room && used > 0) {
        laid.push([])
        used = 0
      }
      laid.at(-1)?.push(one)
      used += bytes
    }
    return laid.map(list => ({ digest: volumeDigest(list), objects: list }))
  }
  if (limit === null) return volumes(Number.POSITIVE_INFINITY)
  // The index names every volume, and so grows with them.
  for (let reserve = head(volumes(Number.POSITIVE_INFINITY)) + tarEnd().length; ;) {
    const largest = objects.reduce((most, one) => Math.max(most, tarBytes(one.bytes)), 0)
    if (reserve + largest > limit) throw new BundleError('BUNDLE_REFUSED', `a volume of ${String(limit)} bytes is too small: the largest object and the index take ${String(reserve + largest)}`)
    const laid = volumes(limit - reserve)
    const needed = head(laid) + tarEnd().length
    if (needed <= reserve) return laid
    reserve = needed
  }
}

/** Made when it is first wanted. */
export function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined
  return () => (made ??= { value: make() }).value
}

function contradiction(index: BundleIndex): string | undefined {
  const seen = new Set<string>()
  for (const [i, { digest, objects }] of index.volumes.entries()) {
    if (digest !== volumeDigest(objects)) return `volume ${String(i + 1)} has another digest than its objects`
    for (const { sha256: one } of objects) {
      if (seen.has(one)) return `${one} is in it twice`
      seen.add(one)
    }
  }
  if (index.since === null && index.elsewhere.length > 0) return 'objects are elsewhere, and no earlier bundle is named'
  for (const { sha256: one } of index.elsewhere) {
    if (seen.has(one)) return `${one} is in it and elsewhere`
    seen.add(one)
  }
  const named = [...Object.values(index.references), ...index.repositories.map(one => one.pack), ...index.program.parts.map(one => one.sha256)]
  const absent = named.find(one => !seen.has(one))
  if (absent !== undefined) return `${absent} is named, and no object`
  if (index.repositories.filter(one => one.kind === 'site').length !== 1) return 'it has not exactly one site'
  return undefined
}

function sha256(content: Uint8Array | string): string {
  return createHash('sha256').update(content).digest('hex')
}
