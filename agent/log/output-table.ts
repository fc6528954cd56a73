import type { DatabaseSync } from 'node:sqlite'
import type { OutputChunk } from './store.ts'

/** What attempts printed: collected in memory, written with the next transaction, cut from the oldest end. */
export interface OutputTable extends Disposable {
  add(chunk: Omit<OutputChunk, 'id' | 'time'>): void
  /** Writes what was collected; call it within a transaction. */
  write(): void
  read(options: { readonly attempt: string; readonly after?: number; readonly limit: number }): OutputChunk[]
}

/** Characters collected before they are written at once, whatever else happens. */
const COLLECT = 1024 * 1024
/** Longest wait before output is on disk, milliseconds. */
const DELAY = 250

/** @param options.now gives RFC 3339 text. @param options.bytesPerAttempt more than that and the oldest goes. */
export function openOutputTable(database: DatabaseSync, options: { readonly now: () => string; readonly bytesPerAttempt: number }): OutputTable {
  const insert = database.prepare('INSERT INTO outputs (attempt, time, stream, text) VALUES (?, ?, ?, ?)')
  const select = database.prepare('SELECT id, attempt, time, stream, text FROM outputs WHERE attempt = ? AND id > ? ORDER BY id LIMIT ?')
  const measure = database.prepare('SELECT coalesce(sum(length(CAST(text AS BLOB))), 0) AS bytes FROM outputs WHERE attempt = ?')
  const oldest = database.prepare('SELECT id, length(CAST(text AS BLOB)) AS bytes FROM outputs WHERE attempt = ? ORDER BY id LIMIT 100')
  const remove = database.prepare('DELETE FROM outputs WHERE id = ?')
  let collected: Omit<OutputChunk, 'id'>[] = []
  let characters = 0
  let timer: NodeJS.Timeout | undefined

  const write = (): void => {
    clearTimeout(timer)
    timer = undefined
    const chunks = collected
    collected = []
    characters = 0
    for (const { attempt, time, stream, text } of chunks) insert.run(attempt, time, stream, text)
    for (const attempt of new Set(chunks.map((chunk) => chunk.attempt))) cut(attempt)
  }
  const cut = (attempt: string): void => {
    let { bytes } = measure.get(attempt) as { bytes: number }
    while (bytes > options.bytesPerAttempt) {
      const rows = oldest.all(attempt) as { id: number; bytes: number }[]
      for (const row of rows) {
        if (bytes <= options.bytesPerAttempt) break
        remove.run(row.id)
        bytes -= row.bytes
      }
      if (rows.length === 0) break
    }
  }
  const writeAlone = (): void => {
    try {
      database.exec('BEGIN IMMEDIATE')
      write()
      database.exec('COMMIT')
    } catch {
      // A disk that is full loses output first. The next append meets the same disk and says so.
      if (database.isTransaction) database.exec('ROLLBACK')
    }
  }

  return {
    add(chunk) {
      collected.push({ ...chunk, time: options.now() })
      characters += chunk.text.length
      if (characters > COLLECT) writeAlone()
      else timer ??= setTimeout(writeAlone, DELAY).unref()
    },
    write,
    read({ attempt, after = 0, limit }) {
      return select.all(attempt, after, limit) as unknown as OutputChunk[]
    },
    [Symbol.dispose]() {
      clearTimeout(timer)
    },
  }
}
