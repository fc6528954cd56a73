import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { bundleVolumeShape } from '../../schemas/bundle.ts'
import type { BundledObject, BundleVolume } from '../../schemas/bundle.ts'
import { loadAjv } from '../../schemas/load-ajv.ts'
import { BundleError } from './bundle-error.ts'
import { once, readIndex } from './bundle-index.ts'
import type { IndexFile } from './bundle-index.ts'
import { bootstraps } from './create.ts'
import { signedBy } from './keys.ts'
import { installScript } from './program.ts'
import { readTar, TarError } from './read-tar.ts'
import type { TarEntry } from './read-tar.ts'

/** The head of a volume: what it says it is, and who said so. */
export interface VolumeHead extends IndexFile {
  readonly path: string
  readonly number: number
  /** Fingerprint of the key that signed the index. */
  readonly signer: string
}

/** An object on its way out of a volume. Its content fails at its end when it is not what its name says. */
export interface VolumeObject extends BundledObject {
  readonly content: AsyncIterable<Buffer>
}

const checkOf = once(() => new (loadAjv().Ajv2020)({ strict: false }).compile<BundleVolume>(bundleVolumeShape.json))
const LARGEST_INDEX = 256 * 1024 * 1024
const LARGEST_NOTE = 64 * 1024

/**
 * Reads the head of a volume: index, signature, number. Nothing of it is believed because of who signed it; that is for
 * the caller to hold against whom he trusts.
 *
 * @throws {BundleError} BUNDLE_UNREADABLE, BUNDLE_DAMAGED, BUNDLE_UNTRUSTED
 */
export async function readHead(path: string): Promise<VolumeHead> {
  const volume = openTar(path)
  try {
    return await headOf(volume, path)
  } catch (error) {
    throw explained(error, path)
  } finally {
    await volume.return()
  }
}

/**
 * Reads the objects of a volume, in their order, and nothing else: what is missing, more, in another order, of another
 * size or of other bytes ends it.
 *
 * @param head of the same file, as it was read before.
 * @throws {BundleError} BUNDLE_DAMAGED
 */
export async function* readObjects(head: VolumeHead): AsyncGenerator<VolumeObject, void> {
  const { path, index, number, id } = head
  const volume = openTar(path)
  try {
    const again = await headOf(volume, path)
    if (again.id !== id || again.number !== number) throw new BundleError('BUNDLE_DAMAGED', `${path} changed while it was read`)
    const objects = index.volumes[number - 1]?.objects ?? []
    if (number === 1 && bootstraps(index)) {
      const script = await next(volume, 'install.sh', path)
      // Who unpacks with it does so before anything was checked, so it can only be the one that follows from the index.
      if (!(await small(script, path)).equals(Buffer.from(installScript(index.program)))) throw new BundleError('BUNDLE_DAMAGED', `${path}: its install.sh is not the one that belongs to its index`)
    }
    for (const one of objects) {
      const entry = await next(volume, `objects/${one.sha256}`, path)
      if (entry.bytes !== one.bytes) throw new BundleError('BUNDLE_DAMAGED', `${path}: ${entry.name} has ${String(entry.bytes)} bytes, and the index says ${String(one.bytes)}`)
      yield { ...one, content: checked(entry, one, path) }
    }
    const more = await volume.next()
    if (more.done !== true) throw new BundleError('BUNDLE_DAMAGED', `${path} has ${JSON.stringify(more.value.name)}, which its index does not name`)
  } catch (error) {
    throw explained(error, path)
  } finally {
    await volume.return()
  }
}

function openTar(path: string): AsyncGenerator<TarEntry, void> {
  return readTar(createReadStream(path, { highWaterMark: 1024 * 1024 }) as AsyncIterable<Buffer>)
}

async function headOf(volume: AsyncGenerator<TarEntry, void>, path: string): Promise<VolumeHead> {
  const first = await volume.next().catch((error: unknown) => {
    if (!(error instanceof TarError)) throw error
    throw new BundleError('BUNDLE_UNREADABLE', `${path} is no bundle: it ${error.message}`, { cause: error })
  })
  if (first.done === true || first.value.name !== 'bundle.json' || first.value.kind !== 'file' || first.value.bytes > LARGEST_INDEX) throw new BundleError('BUNDLE_UNREADABLE', `${path} is no bundle: it does not begin with a bundle.json`)
  const bytes = await collect(first.value)
  const signature = await small(await next(volume, 'bundle.sig', path), path)
  // Whoever altered the index is not asked what it means.
  const signer = signedBy(bytes, signature.toString('utf8'), path)
  const file = readIndex(bytes, path)
  const note = await small(await next(volume, 'volume.json', path), path)
  const { bundle, number, of } = volumeNote(note, path)
  const total = file.index.volumes.length
  if (bundle !== file.id || of !== total || number > total) throw new BundleError('BUNDLE_DAMAGED', `${path} says that it is volume ${String(number)} of ${String(of)} of the bundle ${bundle.slice(0, 12)}, and its index is that of ${file.id.slice(0, 12)} with ${String(total)}`)
  return { ...file, path, number, signer }
}

function volumeNote(bytes: Buffer, path: string): BundleVolume {
  try {
    const value: unknown = JSON.parse(bytes.toString('utf8'))
    const validate = checkOf()
    if (validate(value)) return value
  } catch (cause) {
    throw new BundleError('BUNDLE_DAMAGED', `${path}: its volume.json is not JSON`, { cause })
  }
  throw new BundleError('BUNDLE_DAMAGED', `${path}: its volume.json is not understood`)
}

async function next(volume: AsyncGenerator<TarEntry, void>, name: string, path: string): Promise<TarEntry> {
  const found = await volume.next()
  if (found.done === true) throw new BundleError('BUNDLE_DAMAGED', `${path} ends where ${name} should be`)
  if (found.value.name !== name || found.value.kind !== 'file') throw new BundleError('BUNDLE_DAMAGED', `${path} has ${JSON.stringify(found.value.name)} where ${name} should be`)
  return found.value
}

async function small(entry: TarEntry, path: string): Promise<Buffer> {
  if (entry.bytes > LARGEST_NOTE) throw new BundleError('BUNDLE_DAMAGED', `${path}: ${entry.name} has ${String(entry.bytes)} bytes`)
  return collect(entry)
}

async function collect({ content }: TarEntry): Promise<Buffer> {
  const parts: Buffer[] = []
  for await (const chunk of content) parts.push(chunk)
  return Buffer.concat(parts)
}

async function* checked(entry: TarEntry, { sha256 }: BundledObject, path: string): AsyncGenerator<Buffer, void> {
  const digest = createHash('sha256')
  try {
    for await (const chunk of entry.content) {
      digest.update(chunk)
      yield chunk
    }
  } catch (error) {
    throw explained(error, path)
  }
  if (digest.digest('hex') !== sha256) throw new BundleError('BUNDLE_DAMAGED', `${path}: the bytes of ${entry.name} are not what its name says`)
}

function explained(error: unknown, path: string): unknown {
  if (error instanceof TarError) return new BundleError('BUNDLE_DAMAGED', `${path} ${error.message}`, { cause: error })
  // A folder, or a medium that does not give its bytes: a read says neither which file nor where.
  const { syscall, message } = error as NodeJS.ErrnoException
  return syscall === 'read' ? new BundleError('BUNDLE_UNREADABLE', `${path} cannot be read: ${message}`, { cause: error }) : error
}

