import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { isObjectHash } from './object-hash.ts'
import type { ObjectHash } from './object-hash.ts'
import { openUnseen } from './open-unseen.ts'
import { dropOrigin } from './origin.ts'
import { USE_RESOLUTION_MS } from './store.ts'
import type { Store } from './store.ts'

export interface CollectOptions {
  /** Documents (plans, locks, ledgers) as text: every object whose SHA-256 stands in one is kept, and what that names. */
  readonly documents: Iterable<string>
  /** References that are kept, however long ago they were used. */
  readonly references: ReadonlySet<string>
  /** Milliseconds since 1970. */
  readonly now: number
  /** What was used within so many milliseconds is kept. Less than two hours counts as two: use is noted to the hour. */
  readonly graceMs: number
  /** Says what would go, and takes nothing. */
  readonly dryRun?: boolean
}

/** What a collection came to. Bytes are those of objects. */
export interface Collected {
  readonly removed: { readonly objects: number; readonly references: number; readonly bytes: number }
  readonly kept: { readonly objects: number; readonly references: number; readonly bytes: number }
}

/** Larger objects are images and packages: they name nothing. */
const LARGEST_DOCUMENT = 64 * 1024 * 1024
const TRASH = 'gc-'

/**
 * Takes away what nothing needs: objects that no document names, no reference leads to and nobody used for the grace
 * period; and references that nobody used for as long.
 *
 * An object that is JSON keeps every object whose SHA-256 stands in it. Other processes may use the store meanwhile:
 * what they use in this very moment is put back.
 */
export async function collect(store: Store, options: CollectOptions): Promise<Collected> {
  const before = options.now - Math.max(options.graceMs, 2 * USE_RESOLUTION_MS)
  const isDry = options.dryRun === true
  if (!isDry) await putBack(store)

  const roots = new Set<ObjectHash>()
  for (const text of options.documents) for (const hash of hashesIn(text)) roots.add(hash)
  const old = new Set<string>()
  let references = 0
  for await (const { name, hash, usedMs } of store.references()) {
    if (usedMs < before && !options.references.has(name)) {
      old.add(name)
      continue
    }
    references += 1
    if (hash !== null) roots.add(hash)
  }
  const needed = await reach(store, roots)

  let [objects, bytes, goneObjects, goneBytes] = [0, 0, 0, 0]
  const goes: ObjectHash[] = []
  for await (const one of store.objects()) {
    if (needed.has(one.hash) || one.usedMs >= before) {
      objects += 1
      bytes += one.bytes
    } else {
      goes.push(one.hash)
      goneObjects += 1
      goneBytes += one.bytes
    }
  }
  if (!isDry) {
    // References first: one that leads to nothing is no harm, but why leave any.
    for (const name of old) await store.unrefer(name)
    await remove(store, goes, before)
  }
  return { removed: { objects: goneObjects, references: old.size, bytes: goneBytes }, kept: { objects, references, bytes } }
}

/** The objects, and all that those of them that are JSON name. */
export async function reach(store: Store, roots: ReadonlySet<ObjectHash>): Promise<Set<ObjectHash>> {
  const reached = new Set<ObjectHash>()
  const open = [...roots]
  for (let hash = open.pop(); hash !== undefined; hash = open.pop()) {
    if (reached.has(hash)) continue
    reached.add(hash)
    const text = await readDocument(store, hash)
    if (text !== undefined) for (const named of hashesIn(text)) if (!reached.has(named)) open.push(named)
  }
  return reached
}

async function readDocument(store: Store, hash: ObjectHash): Promise<string | undefined> {
  await using file = await openUnseen(store.path(hash)).catch(whenGone)
  if (file === undefined) return undefined
  const { buffer, bytesRead } = await file.read(Buffer.alloc(1), 0, 1, 0)
  if (bytesRead === 0 || (buffer[0] !== 0x7b && buffer[0] !== 0x5b)) return undefined
  return (await file.stat()).size > LARGEST_DOCUMENT ? undefined : file.readFile('utf8')
}

/** In whatever form it is written: a word of 64 hex digits is taken for the name of an object. */
function* hashesIn(text: string): Generator<ObjectHash> {
  for (const [hex] of text.matchAll(/(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])/g)) yield `sha256:${hex}`
}

/** Out of sight first, then a second look at the time of use: whoever wanted it before that is seen, whoever wants it later misses it. */
async function remove(store: Store, hashes: readonly ObjectHash[], before: number): Promise<void> {
  if (hashes.length === 0) return
  await using trash = await store.temporaryFolder(TRASH.slice(0, -1))
  for (const hash of hashes) {
    const aside = join(trash.path, hash.slice('sha256:'.length))
    await rename(store.path(hash), aside).catch(whenGone)
    const found = await stat(aside).catch(whenGone)
    if (found === undefined) continue
    if (found.atimeMs >= before) {
      await rename(aside, store.path(hash))
    } else {
      await rm(aside, { force: true })
      await dropOrigin(store, hash)
    }
  }
}

/** A collection that was killed may have had something aside that was wanted again. */
async function putBack(store: Store): Promise<void> {
  const temporary = join(store.folder, 'tmp')
  for (const name of await readdir(temporary)) {
    if (!name.startsWith(TRASH)) continue
    for (const hex of (await readdir(join(temporary, name)).catch(whenGone)) ?? []) {
      const hash = `sha256:${hex}`
      if (!isObjectHash(hash) || await store.has(hash)) continue
      await mkdir(join(store.path(hash), '..'), { recursive: true })
      await rename(join(temporary, name, hex), store.path(hash)).catch(whenGone)
    }
  }
}

function whenGone(error: NodeJS.ErrnoException): undefined {
  if (error.code === 'ENOENT') return undefined
  throw error
}
