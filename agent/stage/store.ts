import { createHash } from 'node:crypto'
import { constants, createReadStream } from 'node:fs'
import { access, mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { StageError } from './stage-error.ts'
import { openTemporaryFolder } from './temporary-folder.ts'
import type { TemporaryFolder } from './temporary-folder.ts'

/** The name of an object: `sha256:` and 64 lower-case hex digits, over its bytes. */
export type ObjectHash = `sha256:${string}`

/** What can be put into the store. A stream is read to its end; a file is copied and left as it is. */
export type ObjectSource = AsyncIterable<Uint8Array> | Uint8Array | { readonly file: string }

/** An object as it was put. */
export interface StoredObject {
  readonly hash: ObjectHash
  readonly bytes: number
}

/**
 * A folder of immutable objects named by their SHA-256, and of named references to them.
 *
 * Objects are files `sha256/<first two hex digits>/<hex>`, mode 0444; references are files `refs/<name>`. Every write is
 * a temporary file, fsync and rename, so several processes may use one folder, and a crash leaves whole objects only.
 */
export interface Store {
  /** Absolute path of the folder. */
  readonly folder: string
  /**
   * Stores bytes and gives their hash; storing what is there already changes nothing.
   *
   * @throws {StageError} STORE_HASH_MISMATCH if `expected` is given and differs; then nothing is kept.
   */
  put(source: ObjectSource, options?: { readonly expected?: ObjectHash; readonly signal?: AbortSignal }): Promise<StoredObject>
  /** Where the object's file is, or would be. @throws {StageError} STORE_BAD_HASH */
  path(hash: ObjectHash): string
  has(hash: ObjectHash): Promise<boolean>
  /** Whole content, for small documents. @throws {StageError} STORE_MISSING */
  read(hash: ObjectHash): Promise<Buffer>
  /** The object a reference names; undefined if there is no such reference or its object is gone. */
  resolve(name: string): Promise<ObjectHash | undefined>
  /** Points a reference (`rootfs/<key>`) at an object that is in the store. The last writer wins. */
  refer(name: string, hash: ObjectHash): Promise<void>
  /** A folder on the store's own file system, so that files can be linked into it, for work that ends in `put`. */
  temporaryFolder(prefix: string): Promise<TemporaryFolder>
  /** Removes temporary folders that killed processes left: those last touched more than `olderThanMs` before `now`. */
  sweep(options: { readonly now: number; readonly olderThanMs: number }): Promise<void>
}

/** Opens a store, making its folder if needed. Nothing stays open; there is nothing to close. */
export async function openStore(folder: string): Promise<Store> {
  const temporary = join(folder, 'tmp')
  await mkdir(join(folder, 'sha256'), { recursive: true })
  await mkdir(join(folder, 'refs'), { recursive: true })
  await mkdir(temporary, { recursive: true })

  const path = (hash: ObjectHash): string => {
    const hex = parseHash(hash)
    return join(folder, 'sha256', hex.slice(0, 2), hex)
  }
  const has = async (hash: ObjectHash): Promise<boolean> => exists(path(hash))

  return {
    folder,
    path,
    has,
    async put(source, options = {}) {
      if (options.expected !== undefined && await has(options.expected)) {
        return { hash: options.expected, bytes: (await stat(path(options.expected))).size }
      }
      await using work = await openTemporaryFolder(temporary, 'put')
      const file = join(work.path, 'object')
      const stored = await writeHashed(file, source, options.signal)
      if (options.expected !== undefined && stored.hash !== options.expected) {
        throw new StageError('STORE_HASH_MISMATCH', `expected ${options.expected}, but ${String(stored.bytes)} bytes of ${stored.hash} came`, {
          data: { expected: options.expected, actual: stored.hash, bytes: stored.bytes },
        })
      }
      if (!await has(stored.hash)) await moveDurably(file, path(stored.hash))
      return stored
    },
    async read(hash) {
      try {
        return await readFile(path(hash))
      } catch (cause) {
        throw new StageError('STORE_MISSING', `the store has no ${hash}`, { data: { hash }, cause })
      }
    },
    async resolve(name) {
      const file = join(folder, 'refs', checkedReference(name))
      const text = (await readFile(file, 'utf8').catch(whenMissing)) ?? ''
      if (!isObjectHash(text.trim())) return undefined
      const hash = text.trim() as ObjectHash
      return await has(hash) ? hash : undefined
    },
    async refer(name, hash) {
      const target = join(folder, 'refs', checkedReference(name))
      if (!await has(hash)) throw new StageError('STORE_MISSING', `the store has no ${hash}`, { data: { hash } })
      await using work = await openTemporaryFolder(temporary, 'ref')
      const file = join(work.path, 'ref')
      await writeHashed(file, Buffer.from(`${hash}\n`), undefined)
      await moveDurably(file, target)
    },
    temporaryFolder: prefix => openTemporaryFolder(temporary, prefix),
    async sweep({ now, olderThanMs }) {
      for (const name of await readdir(temporary)) {
        const entry = join(temporary, name)
        const found = await stat(entry).catch(whenMissing)
        if (found !== undefined && found.mtimeMs < now - olderThanMs) await rm(entry, { recursive: true, force: true })
      }
    },
  }
}

/** True for `sha256:` and 64 lower-case hex digits. */
export function isObjectHash(text: string): text is ObjectHash {
  return /^sha256:[0-9a-f]{64}$/.test(text)
}

/** The name that bytes in memory have in a store. */
export function hashOf(content: Uint8Array | string): ObjectHash {
  return `sha256:${createHash('sha256').update(content).digest('hex')}`
}

function parseHash(hash: ObjectHash): string {
  if (!isObjectHash(hash)) throw new StageError('STORE_BAD_HASH', `not the name of an object: ${String(hash)}`, { data: { hash } })
  return hash.slice('sha256:'.length)
}

function checkedReference(name: string): string {
  if (!/^[a-z0-9][a-z0-9_.+-]*(\/[a-z0-9][a-z0-9_.+-]*)*$/.test(name) || name.length > 200) {
    throw new StageError('STORE_BAD_REFERENCE', `not a name for a reference: ${name}`, { data: { name } })
  }
  return name
}

async function writeHashed(file: string, source: ObjectSource, signal: AbortSignal | undefined): Promise<StoredObject> {
  const digest = createHash('sha256')
  let bytes = 0
  await using handle = await open(file, 'wx', 0o444)
  for await (const chunk of chunksOf(source)) {
    signal?.throwIfAborted()
    digest.update(chunk)
    bytes += chunk.length
    await handle.writeFile(chunk)
  }
  await handle.sync()
  return { hash: `sha256:${digest.digest('hex')}`, bytes }
}

async function* chunksOf(source: ObjectSource): AsyncIterable<Uint8Array> {
  if (source instanceof Uint8Array) yield source
  else if ('file' in source) yield* createReadStream(source.file, { highWaterMark: 1024 * 1024 }) as AsyncIterable<Buffer>
  else yield* source
}

async function moveDurably(from: string, to: string): Promise<void> {
  await mkdir(dirname(to), { recursive: true })
  await rename(from, to)
  await using folder = await open(dirname(to), constants.O_RDONLY | constants.O_DIRECTORY)
  await folder.sync()
}

async function exists(file: string): Promise<boolean> {
  return access(file).then(() => true, () => false)
}

function whenMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined
  throw error
}
