import { chmod, mkdir, open } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import type { StatementSync } from 'node:sqlite'
import { canonical, digestBytes } from '../../schemas/canonical.ts'
import type { Event } from '../../schemas/event.ts'
import type { Json } from '../../schemas/shape.ts'
import { openAgentKey } from './agent-key.ts'
import type { AgentKey } from './agent-key.ts'
import { EVENT_VERSIONS } from './event-types.ts'
import type { LogEvent, NewEvent } from './event-types.ts'
import { LogError } from './log-error.ts'
import { openOutputTable } from './output-table.ts'
import type { OutputTable } from './output-table.ts'
import { MIGRATIONS } from './sqlite-schema.ts'
import type { EventStore, ReadOptions } from './store.ts'
import { streamOf } from './stream-of.ts'
import { upcast } from './upcast.ts'

export interface SqliteStoreOptions {
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly random: (bytes: number) => Uint8Array
  /** Bytes of output kept per attempt; default 4 MiB, the newest. */
  readonly outputBytes?: number
}

/** An event store in a folder, and the key that lives beside it. */
export interface SqliteStore extends EventStore {
  readonly key: AgentKey
}

interface Pending {
  readonly events: readonly NewEvent[]
  readonly epoch: number
  readonly expectedSeq: number | undefined
  readonly resolve: (seq: number) => void
  readonly reject: (error: unknown) => void
}

/** Events waiting to be written; beyond that whoever appends is told, instead of memory growing without end. */
const MAX_PENDING = 100_000

/**
 * Opens (or makes) the event log in a data folder: `log.sqlite` and `agent.key`.
 *
 * Appends that arrive in one turn of the event loop share one transaction and one fsync (WAL, synchronous=FULL), so
 * that many concurrent ones are cheap. Another process may open the same log: whoever raised the epoch last may write.
 *
 * @throws {LogError} STORE_BROKEN; EVENT_UNKNOWN when a newer Crowbar made it.
 */
export async function openSqliteStore(folder: string, options: SqliteStoreOptions): Promise<SqliteStore> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const key = await openAgentKey(folder, options)
  // Root's alone, also in a folder that was there before and is open to all; SQLite's own files beside it follow.
  const file = join(folder, 'log.sqlite')
  await (await open(file, 'a', 0o600)).close()
  await chmod(file, 0o600)
  const database = openDatabase(file)
  return new OpenSqliteStore(database, key, options)
}

function openDatabase(file: string): DatabaseSync {
  try {
    const database = new DatabaseSync(file, { timeout: 10_000 })
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON')
    const { user_version: version } = database.prepare('PRAGMA user_version').get() as { user_version: number }
    if (version > MIGRATIONS.length) {
      database.close()
      throw new LogError('EVENT_UNKNOWN', `${file} was written by a newer Crowbar (format ${version}, this one knows ${MIGRATIONS.length})`)
    }
    for (let i = version; i < MIGRATIONS.length; i++) {
      database.exec(`BEGIN IMMEDIATE; ${MIGRATIONS[i] as string} PRAGMA user_version = ${i + 1}; COMMIT`)
    }
    return database
  } catch (cause) {
    if (cause instanceof LogError) throw cause
    throw new LogError('STORE_BROKEN', `cannot open the event log ${file}`, { cause })
  }
}

class OpenSqliteStore implements SqliteStore {
  readonly key: AgentKey
  readonly #database: DatabaseSync
  readonly #options: SqliteStoreOptions
  readonly #listeners = new Set<(events: readonly LogEvent[]) => void>()
  readonly #insert: StatementSync
  readonly #outputs: OutputTable
  #pending: Pending[] = []
  #pendingEvents = 0
  #scheduled: NodeJS.Immediate | undefined
  #last: number
  #closed = false

  constructor(database: DatabaseSync, key: AgentKey, options: SqliteStoreOptions) {
    this.#database = database
    this.key = key
    this.#options = options
    this.#insert = database.prepare('INSERT INTO events (seq, time, stream, epoch, type, v, data) VALUES (?, ?, ?, ?, ?, ?, ?)')
    this.#outputs = openOutputTable(database, { now: () => this.#time(), bytesPerAttempt: options.outputBytes ?? 4 * 1024 * 1024 })
    this.#last = lastSeq(database)
  }

  get last(): number {
    return this.#last
  }

  append(events: readonly NewEvent[], options: { readonly epoch: number; readonly expectedSeq?: number }): Promise<number> {
    if (this.#closed) return Promise.reject(closed())
    if (events.length === 0) return Promise.resolve(this.#last)
    if (this.#pendingEvents + events.length > MAX_PENDING) {
      return Promise.reject(new LogError('STORE_FULL', `${this.#pendingEvents} events wait to be written; ${events.length} more are refused`))
    }
    this.#pendingEvents += events.length
    return new Promise<number>((resolve, reject) => {
      this.#pending.push({ events, epoch: options.epoch, expectedSeq: options.expectedSeq, resolve, reject })
      this.#scheduled ??= setImmediate(() => this.#flush())
    })
  }

  /** Writes everything that waits, in one transaction. Subscribers hear of it before the appends resolve. */
  #flush(): void {
    if (this.#scheduled !== undefined) clearImmediate(this.#scheduled)
    this.#scheduled = undefined
    const group = this.#pending
    this.#pending = []
    this.#pendingEvents = 0
    if (group.length === 0) return
    const written: LogEvent[] = []
    const settle: (() => void)[] = []
    try {
      this.#transaction(() => {
        const { epoch } = this.#database.prepare('SELECT epoch FROM writer').get() as { epoch: number }
        let last = lastSeq(this.#database)
        const time = this.#time()
        for (const pending of group) {
          const refused = refusal(pending, epoch, last)
          if (refused !== undefined) {
            settle.push(() => pending.reject(refused))
            continue
          }
          for (const event of pending.events) {
            const stored = { seq: ++last, time, stream: streamOf(event), epoch: pending.epoch, type: event.type, v: EVENT_VERSIONS[event.type], data: event.data } as LogEvent
            this.#insert.run(stored.seq, stored.time, stored.stream, stored.epoch, stored.type, stored.v, JSON.stringify(stored.data))
            written.push(stored)
          }
          const seq = last
          settle.push(() => pending.resolve(seq))
        }
        this.#outputs.write()
      })
    } catch (cause) {
      const error = new LogError('STORE_BROKEN', 'the event log could not be written', { cause })
      for (const pending of group) pending.reject(error)
      return
    }
    this.#last = written.at(-1)?.seq ?? this.#last
    if (written.length > 0) for (const listener of this.#listeners) listener(written)
    for (const done of settle) done()
  }

  async read(options: ReadOptions): Promise<LogEvent[]> {
    this.#open()
    const equal = Object.entries({ stream: options.stream, type: options.type }).filter((entry): entry is [string, string] => entry[1] !== undefined)
    const where = ['seq > ?', ...equal.map(([column]) => `${column} = ?`)].join(' AND ')
    const rows = this.#database.prepare(`SELECT * FROM events WHERE ${where} ORDER BY seq LIMIT ?`).all(options.after, ...equal.map(([, value]) => value), options.limit)
    return rows.map((row) => upcast({ ...row, data: JSON.parse(row['data'] as string) as Event['data'] } as Event))
  }

  async *follow(options: { readonly after: number; readonly stream?: string; readonly signal: AbortSignal }): AsyncGenerator<LogEvent> {
    const { signal, stream } = options
    let after = options.after
    let wake: (() => void) | undefined
    const stop = (): void => wake?.()
    signal.addEventListener('abort', stop)
    using _subscription = this.subscribe(() => wake?.())
    try {
      while (!signal.aborted && !this.#closed) {
        const upTo = this.#last
        const page = await this.read({ after, limit: 1000, ...(stream === undefined ? {} : { stream }) })
        for (const event of page) {
          if (signal.aborted) return
          yield event
          after = event.seq
        }
        if (page.length > 0 || this.#last > upTo || signal.aborted || this.#closed) continue
        await new Promise<void>((resolve) => (wake = resolve))
        wake = undefined
      }
    } finally {
      signal.removeEventListener('abort', stop)
    }
  }

  subscribe(listener: (events: readonly LogEvent[]) => void): Disposable {
    this.#listeners.add(listener)
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) }
  }

  async raiseEpoch(above = 0): Promise<number> {
    this.#open()
    this.#flush()
    return this.#transaction(() => {
      const { epoch } = this.#database.prepare('UPDATE writer SET epoch = max(epoch, ?) + 1 RETURNING epoch').get(above) as { epoch: number }
      return epoch
    })
  }

  async putDocument(document: Json): Promise<string> {
    this.#open()
    const text = canonical(document)
    const key = digestBytes(text)
    if (this.#database.prepare('SELECT 1 FROM documents WHERE key = ?').get(key) === undefined) {
      this.#database.prepare('INSERT OR IGNORE INTO documents (key, zstd) VALUES (?, ?)').run(key, zstdCompressSync(text))
    }
    return key
  }

  async document(key: string): Promise<Json> {
    this.#open()
    const row = this.#database.prepare('SELECT zstd FROM documents WHERE key = ?').get(key)
    if (row === undefined) throw new LogError('DOCUMENT_MISSING', `the store has no document ${key}`, { data: { key } })
    return JSON.parse(zstdDecompressSync(row['zstd'] as Uint8Array).toString('utf8')) as Json
  }

  async seal(value: Json): Promise<string> {
    this.#open()
    const reference = this.key.reference(value)
    const { nonce, bytes } = this.key.seal(reference, value, this.#options.random(12))
    this.#database.prepare('INSERT OR IGNORE INTO sealed (reference, nonce, bytes) VALUES (?, ?, ?)').run(reference, nonce, bytes)
    return reference
  }

  async unseal(reference: string): Promise<Json> {
    this.#open()
    const row = this.#database.prepare('SELECT nonce, bytes FROM sealed WHERE reference = ?').get(reference)
    if (row === undefined) throw new LogError('SEALED_MISSING', `the store has no sealed value ${reference}`, { data: { reference } })
    return this.key.unseal(reference, { nonce: row['nonce'] as Uint8Array, bytes: row['bytes'] as Uint8Array })
  }

  output(chunk: Parameters<EventStore['output']>[0]): void {
    if (!this.#closed) this.#outputs.add(chunk)
  }

  async outputs(options: Parameters<EventStore['outputs']>[0]): ReturnType<EventStore['outputs']> {
    this.#open()
    this.#transaction(() => this.#outputs.write())
    return this.#outputs.read(options)
  }

  async saveSnapshot(name: string, snapshot: { readonly seq: number; readonly version: number; readonly value: Json }): Promise<void> {
    this.#open()
    const zstd = zstdCompressSync(JSON.stringify(snapshot.value))
    this.#database.prepare('INSERT OR REPLACE INTO snapshots (name, seq, version, zstd) VALUES (?, ?, ?, ?)').run(name, snapshot.seq, snapshot.version, zstd)
  }

  async loadSnapshot(name: string, version: number): Promise<{ readonly seq: number; readonly value: Json } | undefined> {
    this.#open()
    const row = this.#database.prepare('SELECT seq, zstd FROM snapshots WHERE name = ? AND version = ?').get(name, version)
    if (row === undefined) return undefined
    return { seq: row['seq'] as number, value: JSON.parse(zstdDecompressSync(row['zstd'] as Uint8Array).toString('utf8')) as Json }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return
    this.#flush()
    this.#transaction(() => this.#outputs.write())
    this.#closed = true
    this.#outputs[Symbol.dispose]()
    // Followers look up, find the store closed and end.
    for (const listener of this.#listeners) listener([])
    this.#database.close()
  }

  #transaction<T>(work: () => T): T {
    this.#database.exec('BEGIN IMMEDIATE')
    try {
      const result = work()
      this.#database.exec('COMMIT')
      return result
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK')
      throw error
    }
  }

  #time(): string {
    return new Date(this.#options.now()).toISOString()
  }

  #open(): void {
    if (this.#closed) throw closed()
  }
}

function refusal(pending: Pending, epoch: number, last: number): LogError | undefined {
  if (pending.epoch !== epoch) return new LogError('STALE_EPOCH', `this agent writes under epoch ${pending.epoch}, but epoch ${epoch} has taken over`, { data: { epoch: pending.epoch, current: epoch } })
  if (pending.expectedSeq !== undefined && pending.expectedSeq !== last) return new LogError('SEQUENCE_MOVED', `the log ends with event ${last}, not ${pending.expectedSeq}`, { data: { expected: pending.expectedSeq, last } })
  return undefined
}

function lastSeq(database: DatabaseSync): number {
  return (database.prepare('SELECT coalesce(max(seq), 0) AS last FROM events').get() as { last: number }).last
}

function closed(): LogError {
  return new LogError('STORE_CLOSED', 'the event log is closed')
}
