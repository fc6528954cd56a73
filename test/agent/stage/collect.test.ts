import { mkdir, mkdtemp, readdir, rename, rm, stat, utimes } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { collect } from '../../../agent/stage/collect.ts'
import { noteOrigin, originOf } from '../../../agent/stage/origin.ts'
import type { ObjectHash } from '../../../agent/stage/object-hash.ts'
import { openStore } from '../../../agent/stage/store.ts'
import type { Store } from '../../../agent/stage/store.ts'

const HOUR = 60 * 60_000
const DAY = 24 * HOUR
const NOW = Date.now()

let folder: string
let store: Store
let clock = NOW

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'crowbar-collect-'))
  clock = NOW
  store = await openStore(folder, { now: () => clock })
})
afterEach(() => rm(folder, { recursive: true, force: true }))

async function used(path: string, ms: number): Promise<void> {
  await utimes(path, ms / 1000, ms / 1000)
}

/** An object that was last used ten days ago. */
async function old(content: string): Promise<ObjectHash> {
  const { hash } = await store.put(Buffer.from(content))
  await used(store.path(hash), NOW - 10 * DAY)
  return hash
}

const options = { documents: [], references: new Set<string>(), now: NOW, graceMs: 7 * DAY }

test('what nobody used for the grace period and nothing names goes, with the note of its origin', async () => {
  const gone = await old('gone')
  await noteOrigin(store, gone, ['http://mirror.example/gone'])
  const fresh = await old('fresh')
  await used(store.path(fresh), NOW - 6 * DAY)
  expect(await collect(store, { ...options, dryRun: true })).toEqual({ removed: { objects: 1, references: 0, bytes: 4 }, kept: { objects: 1, references: 0, bytes: 5 } })
  expect(await store.has(gone)).toBe(true)
  expect(await collect(store, options)).toEqual({ removed: { objects: 1, references: 0, bytes: 4 }, kept: { objects: 1, references: 0, bytes: 5 } })
  expect([await store.has(gone), await store.has(fresh)]).toEqual([false, true])
  expect(await originOf(store, gone)).toEqual([])
  expect(await readdir(join(folder, 'tmp'))).toEqual([])
})

test('a document keeps what it names, and that what it names in turn', async () => {
  const package1 = await old('\x7fpackage')
  const manifest = await old(JSON.stringify({ packages: [{ hash: package1 }] }))
  const result = await old(`${JSON.stringify({ kind: 'packages', manifest: manifest.slice(7) })}\n`)
  const other = await old('other')
  await collect(store, { ...options, documents: [`lock: ${result}`] })
  expect(await Promise.all([package1, manifest, result, other].map(hash => store.has(hash)))).toEqual([true, true, true, false])
})

test('a reference keeps its object until it was not used for the grace period, or for as long as it is wanted', async () => {
  const [one, two, three] = [await old('one'), await old('two'), await old('three')]
  for (const [name, hash] of [['set/one', one], ['set/two', two], ['set/three', three]] as const) {
    await store.refer(name, hash)
    await used(store.path(hash), NOW - 10 * DAY)
  }
  for (const name of ['one', 'two']) await used(join(folder, 'refs/set', name), NOW - 10 * DAY)
  const collected = await collect(store, { ...options, references: new Set(['set/two']) })
  expect(collected.removed).toMatchObject({ objects: 1, references: 1 })
  expect(await Promise.all([one, two, three].map(hash => store.has(hash)))).toEqual([false, true, true])
  expect(await store.resolve('set/one')).toBeUndefined()
})

test('use counts: resolving, putting again and saying so', async () => {
  const [resolved, put, said, read] = [await old('resolved'), await old('put'), await old('said'), await old('read')]
  await store.refer('set/resolved', resolved)
  await used(store.path(resolved), NOW - 10 * DAY)
  await used(join(folder, 'refs/set/resolved'), NOW - 10 * DAY)
  await store.resolve('set/resolved')
  await store.put(Buffer.from('put'))
  expect(await store.use(said)).toBe(true)
  await collect(store, options)
  expect(await Promise.all([resolved, put, said, read].map(hash => store.has(hash)))).toEqual([true, true, true, false])
  expect(await store.use(read)).toBe(false)
})

test('looking at the store is no use of it', async () => {
  const hash = await old('{}')
  await store.refer('set/looked-at', hash)
  await used(join(folder, 'refs/set/looked-at'), NOW - 10 * DAY)
  await used(store.path(hash), NOW - 10 * DAY)
  await collect(store, { ...options, dryRun: true, references: new Set(['set/looked-at']) })
  expect((await stat(store.path(hash))).atimeMs).toBe(NOW - 10 * DAY)
  expect((await collect(store, options)).removed).toEqual({ objects: 1, references: 1, bytes: 2 })
})

test('a grace period of less than two hours counts as two, since use is noted to the hour', async () => {
  const hash = await old('young')
  await used(store.path(hash), NOW - 1.5 * HOUR)
  expect((await collect(store, { ...options, graceMs: 0 })).removed.objects).toBe(0)
  clock = NOW + 2 * HOUR
  expect((await collect(store, { ...options, graceMs: 0, now: clock })).removed.objects).toBe(1)
})

test('what a killed collection had aside is put back before the next one judges', async () => {
  const wanted = await old('wanted')
  const trash = join(folder, 'tmp/gc-killed')
  await mkdir(trash)
  await rename(store.path(wanted), join(trash, wanted.slice(7)))
  await collect(store, { ...options, documents: [wanted] })
  expect((await store.read(wanted)).toString()).toBe('wanted')
})
