import { createHash, randomUUID } from 'node:crypto'
import { constants } from 'node:fs'
import { mkdir, open, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { StageError } from './stage-error.ts'
import type { ObjectHash, StoredObject } from './object-hash.ts'

/**
 * An object on its way into the store, piece by piece. Nothing of it is in the store before `keep`; whoever leaves the
 * scope without that leaves nothing. Calls are made one after another.
 */
export interface Incoming extends AsyncDisposable {
  /** The growing file: what was written can be read from it. It stays readable for who has it open. */
  readonly file: string
  /** Written so far. */
  readonly bytes: number
  /** @throws {StageError} STORE_FULL */
  write(chunk: Uint8Array): Promise<void>
  /** Forgets what was written. */
  restart(): Promise<void>
  /** What was written, held against what was expected. @throws {StageError} STORE_HASH_MISMATCH */
  check(): StoredObject
  /** Checks, and makes it an object of the store, durably. @throws {StageError} STORE_HASH_MISMATCH, STORE_FULL */
  keep(): Promise<StoredObject>
}

export interface IncomingOptions {
  readonly expected?: ObjectHash | undefined
  /** Where an object of this hash belongs. */
  readonly path: (hash: ObjectHash) => string
}

/** Begins an object below a store's folder for temporary files. */
export async function openIncoming(temporary: string, { expected, path }: IncomingOptions): Promise<Incoming> {
  const file = join(temporary, `put-${randomUUID()}`)
  const handle = await open(file, 'wx', 0o444).catch(whenFull(temporary))
  let digest = createHash('sha256')
  let bytes = 0
  let isKept = false

  const check = (): StoredObject => {
    const hash: ObjectHash = `sha256:${digest.copy().digest('hex')}`
    if (expected !== undefined && hash !== expected) {
      throw new StageError('STORE_HASH_MISMATCH', `expected ${expected}, but ${String(bytes)} bytes of ${hash} came`, { data: { expected, actual: hash, bytes } })
    }
    return { hash, bytes }
  }
  return {
    file,
    get bytes() {
      return bytes
    },
    async write(chunk) {
      for (let at = 0; at < chunk.length; ) {
        const { bytesWritten } = await handle.write(chunk, at, chunk.length - at, bytes + at).catch(whenFull(temporary))
        at += bytesWritten
      }
      digest.update(chunk)
      bytes += chunk.length
    },
    async restart() {
      await handle.truncate(0)
      digest = createHash('sha256')
      bytes = 0
    },
    check,
    async keep() {
      const stored = check()
      await handle.sync().catch(whenFull(temporary))
      if (!isKept) await moveDurably(file, path(stored.hash)).catch(whenFull(temporary))
      isKept = true
      return stored
    },
    async [Symbol.asyncDispose]() {
      await handle.close()
      if (!isKept) await rm(file, { force: true })
    },
  }
}

/** Renames a file that is on disk already, so that it is there under the new name after a crash, or under the old one. */
export async function moveDurably(from: string, to: string): Promise<void> {
  const made = await mkdir(dirname(to), { recursive: true })
  await rename(from, to)
  await syncFolder(dirname(to))
  if (made !== undefined) await syncFolder(dirname(made))
}

async function syncFolder(path: string): Promise<void> {
  await using folder = await open(path, constants.O_RDONLY | constants.O_DIRECTORY)
  await folder.sync()
}

function whenFull(folder: string): (error: unknown) => never {
  return error => {
    const { code } = error as { code?: unknown }
    if (code !== 'ENOSPC' && code !== 'EDQUOT') throw error
    throw new StageError('STORE_FULL', `no space is left for ${folder}: make room on its file system, or run "crowbar stage gc"`, { cause: error })
  }
}
