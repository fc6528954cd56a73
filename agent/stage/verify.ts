import { createHash } from 'node:crypto'
import { mkdir, rename } from 'node:fs/promises'
import { join } from 'node:path'
import type { ObjectHash } from './object-hash.ts'
import { openUnseen } from './open-unseen.ts'
import { originOf } from './origin.ts'
import type { Progress } from './progress.ts'
import type { Store } from './store.ts'

/** An object that is not what its name says. Its file was moved to `damaged/<hex>`. */
export interface Damage {
  readonly hash: ObjectHash
  readonly bytes: number
  /** `different`: its bytes have another hash; `unreadable`: the disk does not give them. */
  readonly what: 'different' | 'unreadable'
  /** Where it could be had again; empty when it was made here. */
  readonly origin: readonly string[]
  /** References that lead to it at once. */
  readonly references: readonly string[]
  /** Null when it is there again; else why not. */
  readonly problem: string | null
}

export interface Verified {
  readonly objects: number
  readonly bytes: number
  readonly damaged: readonly Damage[]
  /** References that lead to nothing. */
  readonly dangling: readonly string[]
}

export interface VerifyOptions {
  readonly signal: AbortSignal
  readonly onProgress: Progress
  /** Has an object again from one of its origins, through `store.put` with `expected`. @throws why it cannot be had. */
  readonly refetch: (hash: ObjectHash, origin: readonly string[]) => Promise<void>
  /** Milliseconds, monotonic; for progress. */
  readonly now: () => number
}

const CHUNK = 4 * 1024 * 1024
const PROGRESS_MS = 2_000

/**
 * Reads every object and holds it against its name. What differs is moved aside at once, so that nobody is served from
 * it, and had again where that is possible.
 */
export async function verify(store: Store, { signal, onProgress, refetch, now }: VerifyOptions): Promise<Verified> {
  const names = new Map<ObjectHash, string[]>()
  const dangling: string[] = []
  for await (const { name, hash } of store.references()) {
    if (hash === null || !await store.has(hash)) dangling.push(name)
    else names.set(hash, [...(names.get(hash) ?? []), name])
  }
  const damaged: Damage[] = []
  let [objects, bytes, told] = [0, 0, now()]
  for await (const one of store.objects()) {
    signal.throwIfAborted()
    const what = await inspect(store.path(one.hash), one.hash, signal)
    if (what === 'gone') continue
    objects += 1
    bytes += one.bytes
    if (what !== 'sound') {
      await setAside(store, one.hash)
      const origin = await originOf(store, one.hash)
      const problem = origin.length === 0 ? 'nobody noted where it came from' : await refetch(one.hash, origin).then(() => null, (error: unknown) => (error as Error).message)
      damaged.push({ hash: one.hash, bytes: one.bytes, what, origin, references: (names.get(one.hash) ?? []).toSorted(), problem })
    }
    if (now() - told < PROGRESS_MS) continue
    told = now()
    onProgress(`read ${String(objects)} objects, ${String(Math.round(bytes / 1e6))} MB`)
  }
  return { objects, bytes, damaged: damaged.toSorted((a, b) => (a.hash < b.hash ? -1 : 1)), dangling: dangling.toSorted() }
}

/** Reading leaves the time of last use as it is. */
async function inspect(path: string, hash: ObjectHash, signal: AbortSignal): Promise<'sound' | 'different' | 'unreadable' | 'gone'> {
  try {
    await using file = await openUnseen(path)
    const digest = createHash('sha256')
    const buffer = Buffer.allocUnsafeSlow(CHUNK)
    for (;;) {
      signal.throwIfAborted()
      const { bytesRead } = await file.read(buffer, 0, CHUNK, null)
      if (bytesRead === 0) break
      digest.update(buffer.subarray(0, bytesRead))
    }
    return `sha256:${digest.digest('hex')}` === hash ? 'sound' : 'different'
  } catch (error) {
    const { code } = error as { code?: unknown }
    if (code === 'ENOENT') return 'gone'
    if (code === 'EIO' || code === 'EUCLEAN') return 'unreadable'
    throw error
  }
}

async function setAside(store: Store, hash: ObjectHash): Promise<void> {
  const folder = join(store.folder, 'damaged')
  await mkdir(folder, { recursive: true })
  await rename(store.path(hash), join(folder, hash.slice('sha256:'.length)))
}
