import { mkdtemp, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { chmodSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { noteOrigin } from '../../../agent/stage/origin.ts'
import type { ObjectHash } from '../../../agent/stage/object-hash.ts'
import { openStore } from '../../../agent/stage/store.ts'
import type { Store } from '../../../agent/stage/store.ts'
import { verify } from '../../../agent/stage/verify.ts'

let folder: string
let store: Store

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'crowbar-verify-'))
  store = await openStore(folder)
})
afterEach(() => rm(folder, { recursive: true, force: true }))

async function flipBit(hash: ObjectHash): Promise<void> {
  const bytes = await readFile(store.path(hash))
  bytes[0] = (bytes[0] ?? 0) ^ 4
  chmodSync(store.path(hash), 0o644)
  await writeFile(store.path(hash), bytes)
}

const never = (): Promise<void> => Promise.reject(new Error('offline: no upstream is asked'))
const options = { signal: new AbortController().signal, onProgress: () => undefined, now: () => 0, refetch: never }

test('a sound store has nothing to say, and its times of use stay', async () => {
  const { hash } = await store.put(Buffer.from('sound'))
  await utimes(store.path(hash), 1000, 1000)
  expect(await verify(store, options)).toEqual({ objects: 1, bytes: 5, damaged: [], dangling: [] })
  expect((await stat(store.path(hash))).atimeMs).toBe(1_000_000)
})

test('an object with a flipped bit is had again from where it came', async () => {
  const { hash } = await store.put(Buffer.from('packed'))
  await store.put(Buffer.from('another'))
  await noteOrigin(store, hash, ['http://user:secret@mirror.example/pool/packed.deb'])
  await flipBit(hash)
  const asked: string[] = []
  const { damaged, objects } = await verify(store, {
    ...options,
    async refetch(wanted, origin) {
      asked.push(...origin)
      await store.put(Buffer.from('packed'), { expected: wanted })
    },
  })
  expect(asked).toEqual(['http://mirror.example/pool/packed.deb'])
  expect(objects).toBe(2)
  expect(damaged).toEqual([{ hash, bytes: 6, what: 'different', origin: asked, references: [], problem: null }])
  expect((await store.read(hash)).toString()).toBe('packed')
})

test('one that cannot be had again is named, with what wants it, and is served to nobody', async () => {
  const { hash } = await store.put(Buffer.from('image'))
  const { hash: made } = await store.put(Buffer.from('made here'))
  await store.refer('set/image', hash)
  await noteOrigin(store, hash, ['http://mirror.example/image'])
  await flipBit(hash)
  await flipBit(made)
  const { damaged } = await verify(store, options)
  expect(damaged).toHaveLength(2)
  expect(damaged.find(one => one.hash === hash)).toMatchObject({ references: ['set/image'], problem: 'offline: no upstream is asked' })
  expect(damaged.find(one => one.hash === made)).toMatchObject({ origin: [], problem: 'nobody noted where it came from' })
  expect([await store.has(hash), await store.resolve('set/image')]).toEqual([false, undefined])
  expect((await verify(store, options)).dangling).toEqual(['set/image'])
})

test('a reference that a crash of the machine emptied is named', async () => {
  await writeFile(join(folder, 'refs/torn'), '')
  expect((await verify(store, options)).dangling).toEqual(['torn'])
})
