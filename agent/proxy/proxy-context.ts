import type { Store } from '../stage/store.ts'
import type { Flights } from './flights.ts'
import type { Connector } from './upstream/connector.ts'

/** What every part of the proxy works with. */
export interface ProxyContext {
  readonly store: Store
  readonly connector: Connector
  readonly flights: Flights
  /** False: no upstream is asked. */
  readonly online: () => boolean
  /** For how long what an upstream said of a repository counts as new, milliseconds. */
  readonly maxAgeMs: number
  /** For how long clients wait for a repository to be looked at again when there is an older state of it, milliseconds. */
  readonly patienceMs: number
  readonly rounds: number
  readonly backoffMs: number
  readonly now: () => number
  /** Takes a fixed lower-case message and fields; nothing secret. */
  readonly log: (message: string, fields?: Readonly<Record<string, unknown>>) => void
  /** Told of bytes that came from upstreams outside of flights. */
  readonly onBytes: (bytes: number) => void
  /** Work that nobody waits for, but the end of the proxy; must not reject. */
  readonly inBackground: (work: Promise<void>) => void
  readonly signal: AbortSignal
}
