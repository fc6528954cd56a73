import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { chmod, copyFile, mkdir, open, readdir, rename, rm, stat, utimes } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { RoleTask } from '../../../schemas/protocol.ts'
import { NodeError } from '../node-error.ts'
import { download } from './download.ts'
import type { DownloadOptions, Fetchable } from './download.ts'

/** Bytes of content that are kept for the next role. */
const CACHE_BYTES = 512 * 1024 * 1024

/**
 * Puts the files of a barclamp into a folder. Each is fetched once by its hash, kept in the cache and checked again
 * whenever it is taken from there.
 *
 * @throws {NodeError} CONTENT_INVALID for a path that leaves the folder; CONTENT_MISMATCH, FETCH_FAILED.
 */
export async function placeContent(content: RoleTask['content'], { folder, cache, ...options }: DownloadOptions & { readonly folder: string; readonly cache: string }): Promise<void> {
  await mkdir(cache, { recursive: true, mode: 0o700 })
  for (const { path, mode, file } of content) {
    const target = join(folder, checkedPath(path))
    const cached = await cachedFile(file, { cache, ...options })
    await mkdir(dirname(target), { recursive: true, mode: 0o700 })
    await copyFile(cached, target)
    await chmod(target, mode === '0755' ? 0o700 : 0o600)
  }
  await trimCache(cache)
}

function checkedPath(path: string): string {
  const parts = path.split('/')
  if (path === '' || path.includes('\0') || parts.some((part) => part === '' || part === '.' || part === '..')) {
    throw new NodeError('CONTENT_INVALID', `not a path inside of a barclamp: ${JSON.stringify(path)}`)
  }
  return path
}

async function cachedFile(file: Fetchable, { cache, ...options }: DownloadOptions & { readonly cache: string }): Promise<string> {
  if (!/^[0-9a-f]{64}$/.test(file.sha256)) throw new NodeError('CONTENT_INVALID', `not a SHA-256: ${file.sha256}`)
  const path = join(cache, file.sha256)
  if (await isIntact(path, file)) {
    const now = new Date()
    await utimes(path, now, now)
    return path
  }
  const next = `${path}.next`
  {
    await using handle = await open(next, 'w', 0o600)
    for await (const chunk of download(file, options)) await handle.writeFile(chunk)
  }
  await rename(next, path)
  return path
}

async function isIntact(path: string, { sha256, bytes }: Fetchable): Promise<boolean> {
  const found = await stat(path).catch(() => undefined)
  if (found?.size !== bytes) return false
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer)
  return hash.digest('hex') === sha256
}

async function trimCache(cache: string): Promise<void> {
  const files = await Promise.all((await readdir(cache)).map(async (name) => ({ path: join(cache, name), ...(await stat(join(cache, name)).then(({ size, mtimeMs }) => ({ size, mtimeMs }))) })))
  let kept = 0
  for (const { path, size } of files.toSorted((a, b) => b.mtimeMs - a.mtimeMs)) {
    kept += size
    if (kept > CACHE_BYTES) await rm(path, { force: true })
  }
}
