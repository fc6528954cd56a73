import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readFileSync, realpathSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, sep } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { formerSecretFile, readLabel, secretFile, SECRETS_FOLDER, SECRETS_INDEX } from '../../../schemas/secret-file.ts'
import type { IndexLine } from './index-text.ts'
import { withLine } from './index-text.ts'

const LOCK = `${SECRETS_FOLDER}.lock`
const PATIENCE_MS = 20_000

/** Something about the folder itself that keeps a command from writing; `message` is for people. */
export class SecretFolderError extends Error {}

/**
 * Holds the secrets of a site's folder for one writer at a time, while `work` runs.
 *
 * @throws {SecretFolderError} when another writer does not end, or the folder leads out of the site.
 */
export async function holdingSecrets<T>(site: string, work: () => Promise<T>): Promise<T> {
  mkdirSync(join(site, SECRETS_FOLDER), { recursive: true })
  checkInside(site, join(site, SECRETS_FOLDER))
  const lock = join(site, LOCK)
  for (const deadline = performance.now() + PATIENCE_MS; !takeLock(lock);) {
    if (performance.now() > deadline) throw new SecretFolderError(`another crowbar secret command is at work; if none is, remove ${lock}`)
    await sleep(20)
  }
  try {
    return await work()
  } finally {
    rmSync(lock, { force: true })
  }
}

/**
 * Makes a new value the current one: the value before is kept beside it, the one before that goes. Whenever it is
 * interrupted, the version that the index says is in a file of its own. Call while the folder is held.
 */
export function putSecret(site: string, path: string, { text, version, before }: { readonly text: string; readonly version: string; readonly before: IndexLine | undefined }): IndexLine {
  const file = join(site, secretFile(path))
  const kept = before !== undefined && keepFormer(site, path, before.version)
  writeWhole(site, file, text)
  const line = { version, previous: kept ? before.version : null }
  writeIndex(site, path, line)
  if (before?.previous !== undefined && before.previous !== null) rmSync(join(site, formerSecretFile(path, before.previous)), { force: true })
  return line
}

/** Writes a line of the index. Call while the folder is held. */
export function writeIndex(site: string, path: string, line: IndexLine): void {
  const index = join(site, SECRETS_INDEX)
  writeWhole(site, index, withLine(existsSync(index) ? readFileSync(index, 'utf8') : '', path, line))
}

/** Writes a file such that it is there whole or not at all, also after a power cut. */
export function writeWhole(site: string, file: string, text: string): void {
  mkdirSync(dirname(file), { recursive: true })
  checkInside(site, dirname(file))
  const next = `${dirname(file)}/.${process.pid}.new`
  try {
    const descriptor = openSync(next, 'w', 0o644)
    try {
      writeFileSync(descriptor, text)
      fsyncSync(descriptor)
    } finally {
      closeSync(descriptor)
    }
    renameSync(next, file)
  } finally {
    rmSync(next, { force: true })
  }
}

/** @returns whether the value of that version is in its own file now. */
function keepFormer(site: string, path: string, version: string): boolean {
  const former = join(site, formerSecretFile(path, version))
  if (existsSync(former)) return true
  const file = join(site, secretFile(path))
  if (!existsSync(file)) return false
  const bytes = readFileSync(file)
  if (readLabel(bytes)?.version !== version) return false
  writeWhole(site, former, bytes.toString('latin1'))
  return true
}

function takeLock(file: string): boolean {
  try {
    writeFileSync(file, `${process.pid}\n`, { flag: 'wx' })
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
  if (isLeft(file)) rmSync(file, { force: true })
  return false
}

/** Whether whoever made the lock is gone. An empty one is being made. */
function isLeft(file: string): boolean {
  try {
    const pid = Number(readFileSync(file, 'utf8'))
    if (pid === 0) return false
    process.kill(pid, 0)
    return false
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH'
  }
}

/** A link must not make us write elsewhere. */
function checkInside(site: string, folder: string): void {
  const root = realpathSync(site)
  if (!`${realpathSync(folder)}${sep}`.startsWith(`${root}${sep}`)) throw new SecretFolderError(`${folder} leads out of the site`)
}
