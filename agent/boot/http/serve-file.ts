import { open, type FileHandle } from 'node:fs/promises'
import type { ServerResponse } from 'node:http'
import type { BootRequest } from './boot-route.ts'
import { mostCachedBytes, type FileCache } from './file-cache.ts'
import { parseRange } from './parse-range.ts'

/** See {@link serveFile}. */
export interface ServeFileOptions {
  readonly cache: FileCache
  /** SHA-256 of the file, hexadecimal, if its name says so: then it never changes and is known by that. */
  readonly sha256?: string
}

const chunkBytes = 262_144

/**
 * Serves a file from disk: GET and HEAD, one range, conditional requests (RFC 9110). Small files come from memory,
 * large ones are read while they are sent, the next piece during the last one's way.
 *
 * @param path absolute.
 * @returns `missing` if there is no such regular file.
 */
export async function serveFile(path: string, boot: BootRequest, options: ServeFileOptions): Promise<'done' | 'missing'> {
  const { request, response } = boot
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.writeHead(405, { allow: 'GET, HEAD', 'content-length': 0 }).end()
    return 'done'
  }
  const opened = await openFile(path)
  if (!opened) return 'missing'
  await using file = opened
  const found = await file.stat()
  if (!found.isFile()) return 'missing'

  const tag = options.sha256 ? `"${options.sha256}"` : `"${found.mtimeMs.toString(36)}-${found.size.toString(36)}"`
  const headers: Record<string, string | number> = {
    etag: tag,
    'accept-ranges': 'bytes',
    'content-type': 'application/octet-stream',
    'cache-control': options.sha256 ? 'public, max-age=31536000, immutable' : 'no-cache',
    'last-modified': found.mtime.toUTCString(),
  }
  if (lists(request.headers['if-none-match'], tag)) {
    response.writeHead(304, headers).end()
    return 'done'
  }
  const condition = request.headers['if-range']
  const isSame = condition === undefined || condition === tag
  const range = isSame ? parseRange(request.headers.range, found.size) : 'whole'
  if (range === 'unsatisfiable') {
    response.writeHead(416, { 'content-range': `bytes */${found.size}`, 'content-length': 0 }).end()
    return 'done'
  }
  const { first, last } = range === 'whole' ? { first: 0, last: found.size - 1 } : range
  headers['content-length'] = last - first + 1
  if (range !== 'whole') headers['content-range'] = `bytes ${first}-${last}/${found.size}`
  response.writeHead(range === 'whole' ? 200 : 206, headers)
  if (request.method === 'HEAD' || last < first) {
    response.end()
  } else if (found.size <= mostCachedBytes) {
    const bytes = await options.cache.read(path, { file, size: found.size, tag })
    response.end(bytes.subarray(first, last + 1))
  } else {
    await stream(file, { first, last, response, signal: boot.signal })
  }
  return 'done'
}

async function openFile(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, 'r')
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'EISDIR') return undefined
    throw error
  }
}

function lists(header: string | undefined, tag: string): boolean {
  if (header === undefined) return false
  return header.split(',').some((each) => each.trim() === '*' || each.trim().replace(/^W\//, '') === tag)
}

interface Part {
  readonly first: number
  readonly last: number
  readonly response: ServerResponse
  readonly signal: AbortSignal
}

async function stream(file: FileHandle, { first, last, response, signal }: Part): Promise<void> {
  const buffers = [Buffer.allocUnsafeSlow(chunkBytes), Buffer.allocUnsafeSlow(chunkBytes)] as const
  let sending: Promise<void> = Promise.resolve()
  let turn: 0 | 1 = 0
  for (let at = first; at <= last; ) {
    const buffer = buffers[turn]
    const { bytesRead } = await file.read(buffer, 0, Math.min(chunkBytes, last - at + 1), at)
    if (bytesRead === 0) throw new Error('the file became shorter while it was sent')
    at += bytesRead
    turn = turn === 0 ? 1 : 0
    // A buffer is filled again only after it has been sent: one is on its way while the other is read.
    await sending
    sending = write(response, buffer.subarray(0, bytesRead), signal)
    // Its rejection is met at the next turn; until then it must not count as unhandled.
    sending.catch(() => {})
  }
  await sending
  response.end()
}

function write(response: ServerResponse, bytes: Buffer, signal: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const abort = (): void => reject(new Error('the client is gone'))
  if (signal.aborted) abort()
  signal.addEventListener('abort', abort, { once: true })
  response.write(bytes, (error) => (error ? reject(error) : resolve()))
  return promise.finally(() => signal.removeEventListener('abort', abort))
}
