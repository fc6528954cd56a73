import { createReadStream } from 'node:fs'
import { access, mkdir, readdir, readFile, rm, stat, utimes } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { openIncoming } from './incoming.ts'
import type { Incoming } from './incoming.ts'
import { hashOf, isObjectHash } from './object-hash.ts'
import type { ObjectHash, StoredObject } from './object-hash.ts'
import { openUnseen } from './open-unseen.ts'
import { StageError } from './stage-error.ts'
import { openTemporaryFolder } from './temporary-folder.ts'
import type { TemporaryFolder } from './temporary-folder.ts'

/** What can be put into the store. A stream is read to its end; a file is copied and left as it is. */
export type ObjectSource = AsyncIterable<Uint8Array> | Uint8Array | { readonly file: string }

/** An object or a reference, and when it was last used: milliseconds since 1970. */
export interface StoredObjectUse extends StoredObject {
  readonly usedMs: number
}
export interface ReferenceUse {
  readonly name: string
  /** Null: the file does not hold a hash. */
  readonly hash: ObjectHash | null
  readonly usedMs: number
}

/**
 * A folder of immutable objects named by their SHA-256, and of named references to them.
 *
 * Objects are files `sha256/<first two hex digits>/<hex>`, mode 0444; references are files `refs/<name>`; `origins/` says
 * where objects can be had again. Every write is a temporary file, fsync and rename, so several processes may use one
 * folder, and a crash leaves whole objects only. When something was last used is its access time, set by the store itself.
 *
 * `collect`, `verify` and `origin` (files beside this one) look after it.
 */
export interface Store {
  /** Absolute path of the folder. */
  readonly folder: string
  /**
   * Stores bytes and gives their hash; storing what is there already changes nothing.
   *
   * @throws {StageError} STORE_HASH_MISMATCH if `expected` is given and differs; then nothing is kept. STORE_FULL.
   */
  put(source: ObjectSource, options?: { readonly expected?: ObjectHash; readonly signal?: AbortSignal }): Promise<StoredObject>
  /** Begins an object that comes piece by piece and can be read while it comes. */
  receive(options?: { readonly expected?: ObjectHash }): Promise<Incoming>
  /** Where the object's file is, or would be. @throws {StageError} STORE_BAD_HASH */
  path(hash: ObjectHash): string
  has(hash: ObjectHash): Promise<boolean>
  /** Says that an object is still needed, so that it is not collected for a grace period. @returns false if it is not there. */
  use(hash: ObjectHash): Promise<boolean>
  /** Whole content, held against its name, for documents. @throws {StageError} STORE_MISSING, STORE_DAMAGED */
  read(hash: ObjectHash): Promise<Buffer>
  /** The object a reference names; undefined if there is no such reference or its object is gone. Both count as used. */
  resolve(name: string): Promise<ObjectHash | undefined>
  /** Points a reference (`rootfs/<key>`) at an object that is in the store. The last writer wins. */
  refer(name: string, hash: ObjectHash): Promise<void>
  /** Takes a reference away; the object stays until it is collected. */
  unrefer(name: string): Promise<void>
  /** Every object, in no order; what comes or goes meanwhile may be missing. */
  objects(): AsyncIterable<StoredObjectUse>
  references(): AsyncIterable<ReferenceUse>
  /** A folder on the store's own file system, so that files can be linked into it, for work that ends in `put`. */
  temporaryFolder(prefix: string): Promise<TemporaryFolder>
  /** Removes temporary folders that killed processes left: those last touched more than `olderThanMs` before `now`. */
  sweep(options: { readonly now: number; readonly olderThanMs: number }): Promise<void>
}

/** How exact the time of last use is: it is not written more often. */
export const USE_RESOLUTION_MS = 60 * 60_000

/** Opens a store, making its folder if needed. Nothing stays open; there is nothing to close. */
export async function openStore(folder: string, { now = Date.now }: { readonly now?: () => number } = {}): Promise<Store> {
  const temporary = join(folder, 'tmp')
  await mkdir(join(folder, 'sha256'), { recursive: true })
  await mkdir(join(folder, 'refs'), { recursive: true })
  await mkdir(temporary, { recursive: true })

  const path = (hash: ObjectHash): string => {
    const hex = parseHash(hash)
    return join(folder, 'sha256', hex.slice(0, 2), hex)
  }
  const has = async (hash: ObjectHash): Promise<boolean> => exists(path(hash))
  const use = async (hash: ObjectHash): Promise<boolean> => touch(path(hash), now())
  const receive: Store['receive'] = (options = {}) => openIncoming(temporary, { ...options, path })

  return {
    folder,
    path,
    has,
    use,
    receive,
    async put(source, { expected, signal } = {}) {
      if (expected !== undefined && await use(expected)) return { hash: expected, bytes: (await stat(path(expected))).size }
      await using incoming = await receive(expected === undefined ? {} : { expected })
      for await (const chunk of chunksOf(source)) {
        signal?.throwIfAborted()
        await incoming.write(chunk)
      }
      const stored = incoming.check()
      return await use(stored.hash) ? stored : await incoming.keep()
    },
    async read(hash) {
      const content = await readFile(path(hash)).catch((cause: NodeJS.ErrnoException) => {
        if (cause.code === 'EIO' || cause.code === 'EUCLEAN') return undefined
        throw cause.code === 'ENOENT' ? new StageError('STORE_MISSING', `the store has no ${hash}`, { data: { hash }, cause }) : cause
      })
      // A document that lost a bit says something else, or nothing.
      if (content === undefined || hashOf(content) !== hash) throw new StageError('STORE_DAMAGED', `${hash} in ${folder} is damaged: \`crowbar stage verify --store ${folder}\` takes it away, and has it again where it can`, { data: { hash } })
      return content
    },
    async resolve(name) {
      const file = join(folder, 'refs', checkedReference(name))
      const text = ((await readFile(file, 'utf8').catch(whenMissing)) ?? '').trim()
      if (!isObjectHash(text) || !await use(text)) return undefined
      await touch(file, now())
      return text
    },
    async refer(name, hash) {
      const target = join(folder, 'refs', checkedReference(name))
      if (!await use(hash)) throw new StageError('STORE_MISSING', `the store has no ${hash}`, { data: { hash } })
      await writeDurably(target, `${hash}\n`, temporary)
    },
    async unrefer(name) {
      await rm(join(folder, 'refs', checkedReference(name)), { force: true })
    },
    async *objects() {
      for (const shelf of await readdir(join(folder, 'sha256'))) {
        for (const hex of (await readdir(join(folder, 'sha256', shelf)).catch(whenMissing)) ?? []) {
          const found = await stat(join(folder, 'sha256', shelf, hex)).catch(whenMissing)
          if (found?.isFile() === true && isObjectHash(`sha256:${hex}`)) yield { hash: `sha256:${hex}`, bytes: found.size, usedMs: found.atimeMs }
        }
      }
    },
    async *references() {
      const root = join(folder, 'refs')
      for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
        if (!entry.isFile()) continue
        const file = join(entry.parentPath, entry.name)
        await using opened = await openUnseen(file).catch(whenMissing)
        if (opened === undefined) continue
        const [{ atimeMs }, text] = [await opened.stat(), (await opened.readFile('utf8')).trim()]
        yield { name: relative(root, file), hash: isObjectHash(text) ? text : null, usedMs: atimeMs }
      }
    },
    temporaryFolder: prefix => openTemporaryFolder(temporary, prefix),
    async sweep({ now: time, olderThanMs }) {
      for (const name of await readdir(temporary)) {
        const entry = join(temporary, name)
        const found = await stat(entry).catch(whenMissing)
        if (found !== undefined && found.mtimeMs < time - olderThanMs) await rm(entry, { recursive: true, force: true })
      }
    },
  }
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

async function* chunksOf(source: ObjectSource): AsyncIterable<Uint8Array> {
  if (source instanceof Uint8Array) yield source
  else if ('file' in source) yield* createReadStream(source.file, { highWaterMark: 1024 * 1024 }) as AsyncIterable<Buffer>
  else yield* source
}

/** Writes a small file whole or not at all. `temporary` is a folder on the same file system. */
export async function writeDurably(target: string, content: string | Uint8Array, temporary: string): Promise<void> {
  await using incoming = await openIncoming(temporary, { path: () => target })
  await incoming.write(typeof content === 'string' ? Buffer.from(content) : content)
  await incoming.keep()
}

/** Sets the access time, and that alone. @returns false if there is no such file. */
async function touch(file: string, now: number): Promise<boolean> {
  const found = await stat(file).catch(whenMissing)
  if (found === undefined) return false
  if (found.atimeMs > now - USE_RESOLUTION_MS) return true
  return utimes(file, now / 1000, found.mtime).then(() => true, (error: NodeJS.ErrnoException) => {
    // A store that may only be read is used without a trace; what went away meanwhile is not there.
    if (error.code === 'EROFS' || error.code === 'EPERM' || error.code === 'EACCES') return true
    return whenMissing(error) ?? false
  })
}

async function exists(file: string): Promise<boolean> {
  return access(file).then(() => true, () => false)
}

function whenMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined
  throw error
}
