import { open } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { parseRange } from '../boot/http/parse-range.ts'
import type { ByteRange } from '../boot/http/parse-range.ts'
import type { ObjectHash } from '../stage/object-hash.ts'
import type { Flight } from './flight.ts'

/** One exchange with a client. */
export interface Exchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
}

/** What is to be sent. */
export interface Content {
  readonly hash: ObjectHash
  readonly bytes: number
  readonly contentType: string
  /** Seconds since 1970; default: a date that stands for the hash. */
  readonly modified?: number
  readonly headers?: Readonly<Record<string, string>>
}

const CHUNK = 128 * 1024
/** Clients that are sent files at once: where they are more, reading for one goes on while another is written to. */
const MANY = 16
/** Buffers to be used again: those that the garbage collector gives back come back late. */
const spare: Buffer[] = []
const MOST_SPARE = 128
let sending = 0

/** The head of an answer, and the part of the content that follows it; null: nothing follows. */
interface PlannedAnswer {
  readonly status: number
  readonly head: Readonly<Record<string, string | number>>
  readonly part: ByteRange | null
}

/** What GET or HEAD is answered: conditions, one range. RFC 9110 §13, §14. */
function planAnswer(request: IncomingMessage, content: Content): PlannedAnswer {
  const { bytes } = content
  const tag = `"${content.hash.slice('sha256:'.length)}"`
  const modified = new Date((content.modified ?? dateFor(content.hash)) * 1000).toUTCString()
  const given = request.headers
  const head: Record<string, string | number> = { etag: tag, 'last-modified': modified, 'accept-ranges': 'bytes', 'content-type': content.contentType, ...content.headers }
  const isSame = given['if-none-match'] === undefined ? given['if-modified-since'] === modified : given['if-none-match'].split(',').some(one => one.trim().replace(/^W\//, '') === tag || one.trim() === '*')
  if (isSame) return { status: 304, head, part: null }
  const condition = given['if-range']
  const range = condition === undefined || condition === tag || condition === modified ? parseRange(given.range, bytes) : 'whole'
  if (range === 'unsatisfiable') return { status: 416, head: { 'content-range': `bytes */${String(bytes)}`, 'content-length': 0 }, part: null }
  const part = range === 'whole' ? { first: 0, last: bytes - 1 } : range
  head['content-length'] = part.last - part.first + 1
  if (range !== 'whole') head['content-range'] = `bytes ${String(part.first)}-${String(part.last)}/${String(bytes)}`
  return { status: range === 'whole' ? 200 : 206, head, part: request.method === 'HEAD' || bytes === 0 ? null : part }
}

/** Sends content that is in memory. @returns bytes of the body. */
export function sendBytes({ request, response }: Exchange, content: Content, bytes: Buffer): number {
  const { status, head, part } = planAnswer(request, content)
  response.writeHead(status, head)
  if (part === null) response.end()
  else response.end(part.first === 0 && part.last === bytes.length - 1 ? bytes : bytes.subarray(part.first, part.last + 1))
  return part === null ? 0 : part.last - part.first + 1
}

/**
 * A client that goes on with a part (apt does, by If-Range with a date) asks by date whether it is still the same file. The
 * date of a file with one content for ever says nothing; one made of its hash does.
 */
function dateFor(hash: ObjectHash): number {
  const span = 20 * 365 * 86_400
  return Date.UTC(2000, 0, 1) / 1000 + (Number.parseInt(hash.slice(7, 19), 16) % span)
}

/** Sends content that is a whole file. @returns bytes of the body. */
export async function sendFile({ request, response }: Exchange, content: Content, path: string): Promise<number> {
  const { status, head, part } = planAnswer(request, content)
  if (part === null) {
    response.writeHead(status, head).end()
    return 0
  }
  const { first, last } = part
  await using file = await open(path, 'r')
  response.writeHead(status, head)
  sending += 1
  try {
    await copy(file, { path, first, last, response })
  } finally {
    sending -= 1
  }
  response.end()
  return last - first + 1
}

async function copy(file: FileHandle, { path, first, last, response }: ByteRange & { readonly path: string; readonly response: ServerResponse }): Promise<void> {
  let buffer = takeBuffer()
  let other = sending > MANY ? buffer : takeBuffer()
  let sent: Promise<void> = Promise.resolve()
  for (let at = first; at <= last; ) {
    // A buffer is filled again only after it was sent.
    if (buffer === other) await sent
    const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.length, last - at + 1), at)
    if (bytesRead === 0) throw new Error(`${path} is shorter than it was`)
    at += bytesRead
    await sent
    sent = write(response, buffer.subarray(0, bytesRead))
    sent.catch(() => undefined);
    [buffer, other] = [other, buffer]
  }
  await sent
  giveBack(buffer)
  if (other !== buffer) giveBack(other)
}

function takeBuffer(): Buffer {
  return spare.pop() ?? Buffer.allocUnsafeSlow(CHUNK)
}

/** Not what a write that failed may still hold. */
function giveBack(buffer: Buffer): void {
  if (spare.length < MOST_SPARE) spare.push(buffer)
}

/** Sends content that is on its way, as it comes. @throws {ProxyError}; the connection must then be cut if bytes were sent. */
export async function sendFlight({ request, response }: Exchange, content: Content, flight: Flight): Promise<number> {
  const { status, head, part } = planAnswer(request, content)
  if (part === null) {
    response.writeHead(status, head).end()
    return 0
  }
  const total = part.last - part.first + 1
  await using reader = await flight.read(part.first)
  const buffer = takeBuffer()
  // The head waits for the first byte: until then there can be a plain error.
  let had = await reader.next(buffer)
  response.writeHead(status, head)
  let left = total
  while (had > 0) {
    const bytes = buffer.subarray(0, Math.min(had, left))
    left -= bytes.length
    await write(response, bytes)
    if (left === 0) break
    had = await reader.next(buffer)
  }
  giveBack(buffer)
  response.end()
  return total - left
}

async function write(response: ServerResponse, bytes: Buffer): Promise<void> {
  if (response.destroyed) throw new GoneError()
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  response.write(bytes, error => (error ? reject(new GoneError()) : resolve()))
  const gone = (): void => reject(new GoneError())
  response.once('close', gone)
  return promise.finally(() => response.off('close', gone))
}

/** The client went away. */
export class GoneError extends Error {
  constructor() {
    super('the client is gone')
    this.name = 'GoneError'
  }
}
