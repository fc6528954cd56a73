import { createHash } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { NodeError, systemCode } from '../node-error.ts'

/** What to fetch, and what it has to be. */
export interface Fetchable {
  readonly url: string
  /** 64 hex digits. */
  readonly sha256: string
  readonly bytes: number
}

export interface DownloadOptions {
  readonly signal: AbortSignal
  /** A line for people when the download has to wait. */
  readonly onWait?: (message: string) => void
  /** Milliseconds without a byte before the connection counts as dead. Default 60,000. */
  readonly stallMs?: number
  readonly firstWaitMs?: number
}

const MOST_WAIT_MS = 10_000

/**
 * Fetches a file as chunks. A connection that breaks is made again where it broke, for as long as the signal allows: the
 * agent may be restarted meanwhile. The last chunk comes only after the hash of all was checked, so that who unpacks the
 * stream cannot come to its end with anything else.
 *
 * @throws {NodeError} CONTENT_MISMATCH for another hash or size; FETCH_FAILED when the server says that it has no such file.
 */
export async function* download({ url, sha256, bytes }: Fetchable, options: DownloadOptions): AsyncGenerator<Buffer> {
  const hash = createHash('sha256')
  let received = 0
  let held: Buffer | undefined
  let wait = options.firstWaitMs ?? 500
  while (received < bytes) {
    try {
      for await (const chunk of fetchFrom(url, { start: received, options })) {
        received += chunk.length
        if (received > bytes) throw new NodeError('CONTENT_MISMATCH', `${url} is longer than ${bytes} bytes`)
        hash.update(chunk)
        wait = options.firstWaitMs ?? 500
        if (held !== undefined) yield held
        held = chunk
      }
    } catch (error) {
      options.signal.throwIfAborted()
      if (error instanceof NodeError) throw error
      options.onWait?.(`waiting for ${new URL(url).host}: ${systemCode((error as Error).cause) ?? (error as Error).message}`)
    }
    if (received >= bytes) break
    await delay(wait, undefined, { signal: options.signal })
    wait = Math.min(wait * 2, MOST_WAIT_MS)
  }
  if (hash.digest('hex') !== sha256) throw new NodeError('CONTENT_MISMATCH', `${url} is not the file that was announced: its SHA-256 differs`)
  if (held !== undefined) yield held
}

async function* fetchFrom(url: string, { start, options }: { readonly start: number; readonly options: DownloadOptions }): AsyncGenerator<Buffer> {
  const stall = new AbortController()
  const stalled = (): void => stall.abort(new Error('no data'))
  let timer = setTimeout(stalled, options.stallMs ?? 60_000)
  try {
    const response = await fetch(url, {
      signal: AbortSignal.any([options.signal, stall.signal]), headers: start === 0 ? {} : { range: `bytes=${start}-` },
    })
    if (response.status >= 400 && response.status < 500 && response.status !== 408 && response.status !== 429) {
      throw new NodeError('FETCH_FAILED', `${url}: ${response.status} ${response.statusText}`)
    }
    if (!response.ok || response.body === null) throw new Error(`${response.status} ${response.statusText}`)
    // A server that does not know ranges begins again; what we have is skipped.
    let skip = response.status === 206 ? 0 : start
    for await (const part of response.body) {
      clearTimeout(timer)
      timer = setTimeout(stalled, options.stallMs ?? 60_000)
      const chunk = Buffer.from(part as Uint8Array)
      if (skip < chunk.length) yield chunk.subarray(skip)
      skip = Math.max(0, skip - chunk.length)
    }
  } finally {
    clearTimeout(timer)
  }
}
