import { open } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import type { Incoming } from '../stage/incoming.ts'
import type { ObjectHash } from '../stage/object-hash.ts'
import { noteOrigin } from '../stage/origin.ts'
import { StageError } from '../stage/stage-error.ts'
import type { Store } from '../stage/store.ts'
import { holdArriving } from './arriving.ts'
import type { Arriving } from './arriving.ts'
import { ProxyError } from './proxy-error.ts'
import type { Connector, UpstreamAnswer } from './upstream/connector.ts'
import { UpstreamError } from './upstream/upstream-error.ts'
import { askInTurn } from './upstream/upstreams.ts'
import type { Upstream } from './upstream/upstreams.ts'

/** What a flight brings, and whence. */
export interface FlightOrder {
  readonly hash: ObjectHash
  readonly bytes: number
  /** Relative to an upstream's base; where the first is absent, the next is tried. */
  readonly paths: readonly string[]
  readonly upstreams: readonly Upstream[]
  /** For messages. */
  readonly what: string
  /** It is here already, and has to be kept. */
  readonly content?: Buffer
}

/** An object on its way from an upstream into the store, for however many readers. It ends by itself, with or without them. */
export interface Flight {
  readonly bytes: number
  /** It ended without what it was for. */
  readonly failed: boolean
  /** Settles with the flight. The object is in the store, or the store could not keep it, which `kept` says. */
  readonly done: Promise<{ readonly kept: boolean }>
  /** The whole of an object that is small, once it was found to be right; null: it is read as it comes. @throws {ProxyError} */
  readonly held: (() => Promise<Buffer>) | null
  /** Settles when nothing more comes from an upstream. */
  readonly landed: Promise<void>
  /** A reader of its own, from a byte on, unless it is held. It has to be closed. */
  read(from: number): Promise<FlightReader>
}

export interface FlightReader extends AsyncDisposable {
  /**
   * Bytes from where it stands, waiting for some; 0 at the end. The last byte comes only when all were found to be right.
   *
   * @throws {ProxyError} when the flight failed, or began anew after this reader had bytes of the first try.
   */
  next(buffer: Buffer): Promise<number>
}

export interface FlightOptions {
  readonly store: Store
  readonly connector: Connector
  readonly rounds: number
  readonly backoffMs: number
  readonly now: () => number
  readonly signal: AbortSignal
  /** Whether there is room in memory for an object of so many bytes. */
  readonly hasRoom: (bytes: number) => boolean
  /** Forces to disk one after another: whoever waits for a disk must not keep those from it who only read. */
  readonly inTurn: <T>(work: () => Promise<T>) => Promise<T>
  /** Told of bytes as they come from an upstream. */
  readonly onBytes: (bytes: number) => void
}

/** Smaller objects are handed out only when they are whole and right, so that a wrong one can still be had elsewhere. */
export const HELD_BYTES = 1024 * 1024
const PIECE = 256 * 1024

/** Starts a flight. Nothing of a wrong or torn body is kept. */
export async function startFlight(order: FlightOrder, options: FlightOptions): Promise<Flight> {
  const inMemory = order.content !== undefined || (order.bytes <= HELD_BYTES && options.hasRoom(order.bytes)) ? holdArriving({ ...order, store: options.store }) : null
  const inFile = inMemory === null ? await options.store.receive({ expected: order.hash }) : null
  const incoming: Arriving = inMemory ?? inFile as Incoming
  let waiters: (() => void)[] = []
  /** Counts how often it began anew: what was read before is void. */
  let beginning = 0
  let state: 'flying' | 'right' | 'failed' = 'flying'
  let failure: unknown
  const landed = Promise.withResolvers<void>()
  const wake = (): void => {
    const all = waiters
    waiters = []
    for (const one of all) one()
  }
  const restart = async (): Promise<void> => {
    if (incoming.bytes === 0) return
    beginning += 1
    await incoming.restart()
    wake()
  }
  const readable = (): number => (state === 'right' ? order.bytes : order.bytes <= HELD_BYTES ? 0 : Math.min(incoming.bytes, order.bytes - 1))
  /** The paths of one upstream, until one is there. */
  const fromUpstream = async (upstream: Upstream): Promise<string> => {
    let absent: UpstreamError | undefined
    for (const path of order.paths) {
      try {
        const url = new URL(path, upstream.base).href
        await load(url, { order, incoming, restart, wake, upstream, ...options })
        return url
      } catch (error) {
        if (!(error instanceof UpstreamError) || error.kind !== 'absent') throw error
        absent = error
      }
    }
    throw absent ?? new UpstreamError('absent', 'it has no such path')
  }
  /** @returns where it was had. */
  const fetch = async (): Promise<readonly string[]> => {
    const { rounds, backoffMs, now, signal } = options
    if (order.content === undefined) return [await askInTurn(order.upstreams, fromUpstream, { what: order.what, rounds, backoffMs, now, signal })]
    await incoming.write(order.content)
    return []
  }
  const fly = async (): Promise<{ kept: boolean }> => {
    try {
      const urls = await fetch()
      state = 'right'
      landed.resolve()
      wake()
      // Readers have open what is right, even if it cannot be kept.
      const kept = await options.inTurn(() => incoming.keep()).then(() => (urls.length === 0 ? undefined : noteOrigin(options.store, order.hash, urls))).then(() => true, () => false)
      return { kept }
    } catch (error) {
      failure = error instanceof StageError && error.code === 'STORE_FULL' ? new ProxyError('STORE_FULL', `${order.what}: ${error.message}`, { cause: error }) : error
      state = 'failed'
      landed.resolve()
      wake()
      throw failure
    } finally {
      await incoming[Symbol.asyncDispose]()
    }
  }
  const done = fly()
  // Whoever reads learns it from there.
  done.catch(() => undefined)

  return {
    bytes: order.bytes,
    get failed() {
      return state === 'failed'
    },
    done,
    landed: landed.promise,
    held: inMemory === null ? null : async () => {
      await landed.promise
      if (state === 'failed') throw failure
      return inMemory.content
    },
    async read(from) {
      if (inFile === null) throw new TypeError(`${order.what} is held in memory`)
      const file: FileHandle = await open(inFile.file, 'r').catch(async (error: unknown) => {
        // It ended meanwhile.
        await done
        return open(options.store.path(order.hash), 'r').catch(() => Promise.reject(error as Error))
      })
      let at = from
      const mine = beginning
      return {
        async next(buffer) {
          while (at < order.bytes) {
            if (state === 'failed') throw failure
            if (beginning !== mine && at > from) throw new ProxyError('NOT_GENUINE', `${order.what}: what came first was wrong, and was begun anew`)
            const length = Math.min(buffer.length, readable() - at)
            if (length > 0) {
              const { bytesRead } = await file.read(buffer, 0, length, at)
              at += bytesRead
              return bytesRead
            }
            await new Promise<void>(resolve => waiters.push(resolve))
          }
          return 0
        },
        [Symbol.asyncDispose]: () => file.close(),
      }
    },
  }
}

/** All bytes of a flight, once it has landed or as it comes. */
export async function* readFlight(flight: Flight): AsyncIterable<Buffer> {
  if (flight.held !== null) {
    yield await flight.held()
    return
  }
  await using reader = await flight.read(0)
  for (;;) {
    // Whoever takes it may hold it for as long as it wants.
    const buffer = Buffer.allocUnsafeSlow(PIECE)
    const bytes = await reader.next(buffer)
    if (bytes === 0) return
    yield buffer.subarray(0, bytes)
  }
}

interface LoadContext extends FlightOptions {
  readonly order: FlightOrder
  readonly incoming: Arriving
  readonly restart: () => Promise<void>
  readonly wake: () => void
  readonly upstream: Upstream
}

/** One answer of one upstream, going on where an earlier one broke off. @throws {UpstreamError} */
async function load(url: string, { order, incoming, restart, wake, upstream, connector, onBytes, signal }: LoadContext): Promise<void> {
  const had = incoming.bytes
  let answer: UpstreamAnswer | undefined
  const isWhole = (error: unknown): boolean => error instanceof UpstreamError && (error.kind === 'truncated' || error.kind === 'timeout') && incoming.bytes === order.bytes
  const take = async ({ body }: UpstreamAnswer, start: number): Promise<void> => {
    let skip = start
    for await (const chunk of body) {
      const part = skip === 0 ? chunk : chunk.subarray(Math.min(skip, chunk.length))
      skip -= chunk.length - part.length
      if (part.length === 0) continue
      if (incoming.bytes + part.length > order.bytes) throw new UpstreamError('wrong', `it gave more than the ${String(order.bytes)} bytes that the index says`)
      await incoming.write(part)
      upstream.bytes += part.length
      onBytes(part.length)
      wake()
    }
  }
  try {
    answer = await connector.get(url, { signal, ...(had === 0 ? {} : { headers: { range: `bytes=${String(had)}-` } }) })
    await take(answer, expectedStart(answer, had, order.bytes)).catch((error: unknown) => {
      // All of it came, however the answer ended.
      if (!isWhole(error)) throw error
    })
    if (incoming.bytes < order.bytes) throw new UpstreamError('truncated', `it ended after ${String(incoming.bytes)} of ${String(order.bytes)} bytes`)
    check(incoming)
  } catch (error) {
    // What broke off is a beginning; what is wrong, or cannot be gone on with, is not.
    if (error instanceof UpstreamError && (error.kind === 'wrong' || error.kind === 'unasked')) await restart()
    throw error
  } finally {
    answer?.drop()
  }
}

/** Bytes of the body that are had already. */
function expectedStart(answer: UpstreamAnswer, had: number, bytes: number): number {
  const { headers, status } = answer
  const length = headers['content-length']
  if (status === 206) {
    const start = Number(/^bytes (\d+)-/.exec(headers['content-range'] ?? '')?.[1] ?? -1)
    if (start !== had) throw new UpstreamError('unasked', 'it gave another range than was asked for')
    return 0
  }
  if (length !== undefined && Number(length) !== bytes) throw new UpstreamError('wrong', `it has ${length} bytes, and the index says ${String(bytes)}`)
  return had
}

function check(incoming: Arriving): void {
  try {
    incoming.check()
  } catch (error) {
    if (!(error instanceof StageError)) throw error
    throw new UpstreamError('wrong', `its bytes have another SHA-256 than the index says`, { cause: error })
  }
}
