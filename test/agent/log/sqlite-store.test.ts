import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { LogEvent, NewEvent } from '../../../agent/log/event-types.ts'
import { openSqliteStore } from '../../../agent/log/sqlite-store.ts'
import type { SqliteStore } from '../../../agent/log/sqlite-store.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'crowbar-log-'))
})
afterEach(async () => rm(folder, { recursive: true, force: true }))

let seed = 0
const random = (bytes: number): Uint8Array => new Uint8Array(bytes).fill(++seed % 251)
const open = (outputBytes?: number): Promise<SqliteStore> => openSqliteStore(folder, { now: () => Date.parse('2026-01-02T03:04:05.678Z'), random, ...(outputBytes === undefined ? {} : { outputBytes }) })
const freeze = (reason: string): NewEvent => ({ type: 'freeze.on', data: { by: 'root', reason } })
const cancelled = (run: number): NewEvent => ({ type: 'run.cancelled', data: { run, by: 'root' } })

test('the log is root’s alone, also in a folder that is open to all', async () => {
  await chmod(folder, 0o755)
  await using store = await open()
  await store.append([freeze('a')], { epoch: await store.raiseEpoch() })
  const modes = await Promise.all((await readdir(folder)).map(async (name) => [name, ((await stat(join(folder, name))).mode & 0o777).toString(8)]))
  expect(modes.map(([name]) => name)).toContain('log.sqlite-wal')
  expect(new Set(modes.map(([, mode]) => mode))).toEqual(new Set(['600']))
})

test('events are read as they were appended, with sequence, time, stream, epoch and version', async () => {
  await using store = await open()
  const epoch = await store.raiseEpoch()
  expect(await store.append([freeze('a'), cancelled(7)], { epoch })).toBe(2)
  expect(await store.read({ after: 0, limit: 10 })).toEqual([
    { seq: 1, time: '2026-01-02T03:04:05.678Z', stream: 'agent', epoch: 1, type: 'freeze.on', v: 1, data: { by: 'root', reason: 'a' } },
    { seq: 2, time: '2026-01-02T03:04:05.678Z', stream: 'run/7', epoch: 1, type: 'run.cancelled', v: 1, data: { run: 7, by: 'root' } },
  ])
  expect((await store.read({ after: 1, limit: 10 })).map((event) => event.seq)).toEqual([2])
  expect((await store.read({ after: 0, limit: 10, stream: 'run/7' })).map((event) => event.seq)).toEqual([2])
  expect((await store.read({ after: 0, limit: 10, type: 'freeze.on' })).map((event) => event.seq)).toEqual([1])
  expect((await store.read({ after: 0, limit: 1 })).map((event) => event.seq)).toEqual([1])
})

test('a writer of an older epoch is refused, also when another process raised it, and the others of its group are not', async () => {
  await using store = await open()
  await using other = await open()
  const old = await store.raiseEpoch()
  const epoch = await other.raiseEpoch()
  const results = await Promise.allSettled([store.append([freeze('stale')], { epoch: old }), store.append([freeze('good')], { epoch })])
  expect(results[0]).toMatchObject({ status: 'rejected', reason: { code: 'STALE_EPOCH', data: { epoch: 1, current: 2 } } })
  expect(results[1]).toMatchObject({ status: 'fulfilled', value: 1 })
})

test('an append that expects another end of the log is refused whole', async () => {
  await using store = await open()
  const epoch = await store.raiseEpoch()
  await store.append([freeze('a')], { epoch })
  await expect(store.append([freeze('b'), freeze('c')], { epoch, expectedSeq: 0 })).rejects.toMatchObject({ code: 'SEQUENCE_MOVED' })
  expect(await store.append([freeze('b')], { epoch, expectedSeq: 1 })).toBe(2)
})

test('subscribers have seen an event when its append resolves', async () => {
  await using store = await open()
  const epoch = await store.raiseEpoch()
  const seen: number[] = []
  using _subscription = store.subscribe((events) => seen.push(...events.map((event) => event.seq)))
  await Promise.all([store.append([freeze('a')], { epoch }), store.append([freeze('b')], { epoch }).then(() => expect(seen).toEqual([1, 2]))])
  expect(seen).toEqual([1, 2])
})

test('following gives the past, then the present, and ends quietly when aborted or closed', async () => {
  const store = await open()
  const epoch = await store.raiseEpoch()
  await store.append([freeze('a'), freeze('b')], { epoch })
  const stop = new AbortController()
  const seen: LogEvent[] = []
  const followed = (async () => {
    for await (const event of store.follow({ after: 1, signal: stop.signal })) {
      seen.push(event)
      if (event.seq === 3) stop.abort()
    }
  })()
  const forever = (async () => {
    for await (const event of store.follow({ after: 0, signal: new AbortController().signal })) seen.push(event)
  })()
  await new Promise((resolve) => setImmediate(resolve))
  await store.append([freeze('c')], { epoch })
  await followed
  await store[Symbol.asyncDispose]()
  await forever
  expect(seen.map((event) => event.seq).toSorted((a, b) => a - b)).toEqual([1, 2, 2, 3, 3])
  await expect(store.append([freeze('d')], { epoch })).rejects.toMatchObject({ code: 'STORE_CLOSED' })
})

test('the log is append-only, even for whoever opens the database', async () => {
  const store = await open()
  await store.append([freeze('a')], { epoch: await store.raiseEpoch() })
  await store[Symbol.asyncDispose]()
  using database = new DatabaseSync(join(folder, 'log.sqlite'))
  expect(() => database.exec("UPDATE events SET type = 'x'")).toThrow('append-only')
  expect(() => database.exec('DELETE FROM events')).toThrow('append-only')
})

test('a log of a newer Crowbar is refused, not guessed at', async () => {
  const store = await open()
  await store[Symbol.asyncDispose]()
  const database = new DatabaseSync(join(folder, 'log.sqlite'))
  database.exec("INSERT INTO events VALUES (1, '2026-01-01T00:00:00.000Z', 'agent', 1, 'moon.landed', 1, '{}')")
  await using again = await open()
  await expect(again.read({ after: 0, limit: 1 })).rejects.toMatchObject({ code: 'EVENT_UNKNOWN' })
  database.exec('PRAGMA user_version = 99')
  database.close()
  await expect(open()).rejects.toMatchObject({ code: 'EVENT_UNKNOWN' })
})

test('documents are kept under the digest of their canonical bytes', async () => {
  await using store = await open()
  const key = await store.putDocument({ b: [1, 'ü'], a: null })
  expect(key).toBe(await store.putDocument({ a: null, b: [1, 'ü'] }))
  expect(await store.document(key)).toEqual({ a: null, b: [1, 'ü'] })
  await expect(store.document('sha256:00')).rejects.toMatchObject({ code: 'DOCUMENT_MISSING' })
})

test('sealed values open with the key only, and do not stand in the files in the clear', async () => {
  const store = await open()
  const reference = await store.seal({ token: 'correct-horse' })
  expect(reference).toMatch(/^hmac-sha256:[0-9a-f]{64}$/)
  expect(await store.seal({ token: 'correct-horse' })).toBe(reference)
  expect(await store.unseal(reference)).toEqual({ token: 'correct-horse' })
  await expect(store.unseal('hmac-sha256:00')).rejects.toMatchObject({ code: 'SEALED_MISSING' })
  await store[Symbol.asyncDispose]()
  expect((await stat(join(folder, 'agent.key'))).mode & 0o777).toBe(0o600)

  using database = new DatabaseSync(join(folder, 'log.sqlite'))
  const row = database.prepare('SELECT bytes FROM sealed').get() as { bytes: Uint8Array }
  expect(Buffer.from(row.bytes).toString('latin1')).not.toContain('correct-horse')
  const broken = Buffer.from(row.bytes)
  broken[0] = (broken[0] ?? 0) ^ 1
  database.prepare('UPDATE sealed SET bytes = ?').run(broken)
  await using again = await open()
  await expect(again.unseal(reference)).rejects.toMatchObject({ code: 'SEALED_BROKEN' })
})

test('output is kept by attempt, and the oldest goes when it is too much', async () => {
  await using store = await open(100)
  for (let i = 0; i < 30; i++) store.output({ attempt: '1/a/1', stream: 'stdout', text: `line ${String(i).padStart(4, '0')}\n` })
  store.output({ attempt: '1/b/1', stream: 'stderr', text: 'other' })
  const kept = await store.outputs({ attempt: '1/a/1', limit: 100 })
  expect(kept).toHaveLength(10)
  expect(kept.at(-1)).toMatchObject({ attempt: '1/a/1', stream: 'stdout', text: 'line 0029\n', time: '2026-01-02T03:04:05.678Z' })
  expect((await store.outputs({ attempt: '1/a/1', after: kept[8]?.id ?? 0, limit: 5 })).map((chunk) => chunk.text)).toEqual(['line 0029\n'])
  expect(await store.outputs({ attempt: '1/b/1', limit: 5 })).toHaveLength(1)
})

test('a snapshot of another version is as good as none', async () => {
  await using store = await open()
  await store.saveSnapshot('state', { seq: 3, version: 1, value: { a: 1 } })
  expect(await store.loadSnapshot('state', 1)).toEqual({ seq: 3, value: { a: 1 } })
  expect(await store.loadSnapshot('state', 2)).toBeUndefined()
})

test('what was acknowledged survives kill -9, and nothing is there by half', async () => {
  const script = `
    const { openSqliteStore } = await import(${JSON.stringify(join(import.meta.dirname, '../../../agent/log/sqlite-store.ts'))})
    const store = await openSqliteStore(${JSON.stringify(folder)}, { now: () => Date.now(), random: (n) => new Uint8Array(n) })
    const epoch = await store.raiseEpoch()
    for (let i = 1; ; i++) {
      const pair = [1, 2].map((half) => ({ type: 'freeze.on', data: { by: 'child', reason: i + '.' + half } }))
      await Promise.all(Array.from({ length: 20 }, () => store.append(pair, { epoch }).then((seq) => process.stdout.write(seq + '\\n'))))
    }`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  let said = ''
  child.stdout.setEncoding('utf8')
  for await (const chunk of child.stdout as AsyncIterable<string>) {
    said += chunk
    if (said.split('\n').length > 400) child.kill('SIGKILL')
  }
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  const acknowledged = Math.max(...said.split('\n').slice(0, -1).map(Number))

  await using store = await open()
  const events = await store.read({ after: 0, limit: 1_000_000 })
  expect(events.length).toBeGreaterThanOrEqual(acknowledged)
  expect(events.map((event) => event.seq)).toEqual(events.map((_, index) => index + 1))
  expect(events.length % 2).toBe(0)
  expect(await store.append([freeze('after')], { epoch: await store.raiseEpoch() })).toBe(events.length + 1)
})
