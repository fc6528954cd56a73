import type { Json } from '../../schemas/shape.ts'
import type { EventType, LogEvent, NewEvent } from './event-types.ts'

/** A piece of what an attempt printed. */
export interface OutputChunk {
  /** Counts up over all attempts; the newest has the highest. */
  readonly id: number
  readonly attempt: string
  /** RFC 3339, UTC. */
  readonly time: string
  readonly stream: 'stdout' | 'stderr' | 'progress'
  readonly text: string
}

export interface ReadOptions {
  /** Only events with a higher sequence. */
  readonly after: number
  /** Only this stream, e.g. `run/4`. */
  readonly stream?: string
  readonly type?: EventType
  /** At most this many, oldest first. */
  readonly limit: number
}

/**
 * The agent's memory: an append-only event log, and beside it what events refer to (documents, sealed values) and what
 * need not last (output, snapshots). One writer: whoever holds the newest epoch.
 */
export interface EventStore extends AsyncDisposable {
  /** Highest sequence; 0 when the log is empty. */
  readonly last: number
  /**
   * Adds events, all or none. When it resolves they survive a power cut, and every subscriber has seen them.
   *
   * @param options.epoch the writer's. @param options.expectedSeq refuse unless the log ends with this sequence.
   * @returns the sequence of the last one.
   * @throws {LogError} STALE_EPOCH when a newer writer has taken over; SEQUENCE_MOVED; STORE_CLOSED; STORE_FULL when too much waits to be written.
   */
  append(events: readonly NewEvent[], options: { readonly epoch: number; readonly expectedSeq?: number }): Promise<number>
  read(options: ReadOptions): Promise<LogEvent[]>
  /** Everything after a sequence, then whatever comes, until the signal aborts or the store closes; both end it quietly. */
  follow(options: { readonly after: number; readonly stream?: string; readonly signal: AbortSignal }): AsyncIterable<LogEvent>
  /** Calls the listener synchronously with each group of new events, in order, before their append() resolves. It must not throw. */
  subscribe(listener: (events: readonly LogEvent[]) => void): Disposable
  /**
   * Takes over as the only writer: every append under an older epoch is refused from here on.
   *
   * @param above an epoch that somebody else is known to have used. @returns the new epoch, greater than both.
   */
  raiseEpoch(above?: number): Promise<number>

  /** Keeps a JSON document and gives its key, the digest of its canonical bytes. */
  putDocument(document: Json): Promise<string>
  /** @throws {LogError} DOCUMENT_MISSING */
  document(key: string): Promise<Json>

  /** Keeps a sensitive value, encrypted, and gives its reference: a keyed digest, equal for equal values. */
  seal(value: Json): Promise<string>
  /** @throws {LogError} SEALED_MISSING; SEALED_BROKEN when the key or the row was tampered with. */
  unseal(reference: string): Promise<Json>

  /** Keeps what an attempt printed; the oldest of an attempt goes when it is too much. Not durable before the next append. */
  output(chunk: Omit<OutputChunk, 'id' | 'time'>): void
  outputs(options: { readonly attempt: string; readonly after?: number; readonly limit: number }): Promise<OutputChunk[]>

  /** Replaces the snapshot of a fold. */
  saveSnapshot(name: string, snapshot: { readonly seq: number; readonly version: number; readonly value: Json }): Promise<void>
  /** Undefined when there is none of this version: fold from the start. */
  loadSnapshot(name: string, version: number): Promise<{ readonly seq: number; readonly value: Json } | undefined>
}
