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
  /** Has the object in the store when it resolves. @throws {ProxyError} */
  bring(order: FlightOrder): Promise<void>
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
    if (!options.online()) throw new ProxyError('OFFLINE', `${order.what} is not in the store, and this admin node is offline`)
    return begin(order)
  }
  return {
    start,
    async bring(order) {
      if (await options.store.use(order.hash)) return
      const flight = await start({ ...order, urgent: true })
      // It may have begun when nobody waited for it.
      void flight.landed.then(writing.hurry)
      const { kept } = await flight.done
      if (!kept) throw new ProxyError('STORE_FULL', `${order.what} came and could not be kept: is there room for the store?`)
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
