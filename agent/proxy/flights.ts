import type { ObjectHash } from '../stage/object-hash.ts'
import { ProxyError } from './proxy-error.ts'
import { openWriteBehind } from './write-behind.ts'
import { HELD_BYTES, startFlight } from './flight.ts'
import type { Flight, FlightOptions, FlightOrder } from './flight.ts'

/** Of small objects that are in memory until they are in the store, bytes at most. */
const MOST_HELD = 64 * 1024 * 1024

/** Objects that are on their way: one flight each, however many ask. */
export interface Flights extends AsyncDisposable {
  /** @throws {ProxyError} OFFLINE */
  start(order: FlightOrder): Promise<Flight>
  /** Has the object whole and right: in the store, then null, or in a flight that is being kept. @throws {ProxyError} */
  reach(order: FlightOrder): Promise<Flight | null>
  /** Whether an object is on its way, or here and being kept. */
  has(hash: ObjectHash): boolean
  /** Settles when an object that is on its way is in the store, or could not be kept; at once when it is not on its way. */
  kept(hash: ObjectHash): Promise<void>
  /** Settles when all that is under way has landed. */
  settled(): Promise<void>
  /** Objects on their way now. */
  readonly count: number
}

/** Disposal breaks off what is under way. */
export function openFlights(options: Omit<FlightOptions, 'signal' | 'inTurn' | 'hasRoom'> & { readonly online: () => boolean }): Flights {
  const closing = new AbortController()
  const flying = new Map<ObjectHash, Promise<Flight>>()
  const writing = openWriteBehind()
  let held = 0
  const hasRoom = (bytes: number): boolean => held + bytes <= MOST_HELD
  const begin = (order: FlightOrder): Promise<Flight> => {
    // Counted before it begins, and until the store has it, however slow the disk is.
    const flight = startFlight(order, { ...options, hasRoom, inTurn: writing.write, signal: closing.signal })
    flying.set(order.hash, flight)
    const weight = order.bytes <= HELD_BYTES ? order.bytes : 0
    held += weight
    const land = (): void => {
      held -= weight
      if (flying.get(order.hash) === flight) flying.delete(order.hash)
    }
    writing.expect()
    flight.then(one => one.done.then(land, land), land)
    flight.then(one => one.landed, () => undefined).then(() => writing.arrived(), () => writing.arrived())
    return flight
  }
  const start = async (order: FlightOrder): Promise<Flight> => {
    for (;;) {
      const known = flying.get(order.hash)
      if (known === undefined) break
      const flight = await known
      if (!flight.failed) return flight
      if (flying.get(order.hash) === known) flying.delete(order.hash)
    }
    if (order.content === undefined && !options.online()) throw new ProxyError('OFFLINE', `${order.what} is not in the store, and this admin node is offline`)
    return begin(order)
  }
  return {
    start,
    async reach(order) {
      if (await options.store.use(order.hash)) return null
      const flight = await start(order)
      await flight.landed
      if (flight.failed) await flight.done
      return flight
    },
    has: hash => flying.has(hash),
    async kept(hash) {
      await flying.get(hash)?.then(flight => flight.done).catch(() => undefined)
    },
    async settled() {
      writing.hurry()
      await Promise.all([...flying.values()].map(flight => flight.then(one => one.done).catch(() => undefined)))
    },
    get count() {
      return flying.size
    },
    async [Symbol.asyncDispose]() {
      closing.abort(new ProxyError('UPSTREAM_FAILED', 'the proxy is closing'))
      writing.hurry()
      await Promise.all([...flying.values()].map(flight => flight.then(one => one.done).catch(() => undefined)))
    },
  }
}
