import { createHash } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm, stat, unlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { hashOf } from '../../../agent/stage/object-hash.ts'
import { openStore } from '../../../agent/stage/store.ts'
import type { ObjectHash } from '../../../agent/stage/object-hash.ts'
import type { Store } from '../../../agent/stage/store.ts'

const ABC = 'sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'
const NEVER: ObjectHash = `sha256:${'0'.repeat(64)}`

let folder: string
let store: Store

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'crowbar-store-'))
  store = await openStore(folder)
})
afterEach(() => rm(folder, { recursive: true, force: true }))

async function filesIn(path: string): Promise<string[]> {
  return (await readdir(path, { recursive: true, withFileTypes: true })).filter(entry => entry.isFile()).map(entry => entry.name)
}

test('an object is a read-only file named by the SHA-256 of its bytes', async () => {
  expect(await store.put(Buffer.from('abc'))).toEqual({ hash: ABC, bytes: 3 })
  const file = join(folder, 'sha256/ba/ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad')
  expect(store.path(ABC)).toBe(file)
  expect(await readFile(file, 'utf8')).toBe('abc')
  expect((await stat(file)).mode & 0o777).toBe(0o444)
  expect(await store.has(ABC)).toBe(true)
  expect((await store.read(ABC)).toString()).toBe('abc')
})

test('memory, a stream and a file of the same bytes are one object', async () => {
  const file = join(folder, 'input')
  await writeFile(file, 'abc')
  const stream = async function* (): AsyncGenerator<Buffer> {
    yield Buffer.from('a')
    yield Buffer.from('bc')
  }
  const stored = [await store.put(Buffer.from('abc')), await store.put(stream()), await store.put({ file })]
  expect(stored.map(one => one.hash)).toEqual([ABC, ABC, ABC])
  expect(await filesIn(join(folder, 'sha256'))).toHaveLength(1)
  expect(await readFile(file, 'utf8')).toBe('abc')
})

test('bytes with another hash than expected are refused and leave nothing', async () => {
  await expect(store.put(Buffer.from('abd'), { expected: ABC })).rejects.toMatchObject({ code: 'STORE_HASH_MISMATCH', data: { expected: ABC, bytes: 3 } })
  expect(await store.has(ABC)).toBe(false)
  expect(await filesIn(folder)).toEqual([])
  expect(await readdir(join(folder, 'tmp'))).toEqual([])
})

test('a stream that breaks off leaves nothing', async () => {
  const broken = async function* (): AsyncGenerator<Buffer> {
    yield Buffer.from('abc')
    throw new Error('the other side went away')
  }
  await expect(store.put(broken())).rejects.toThrow('the other side went away')
  expect(await filesIn(folder)).toEqual([])
  expect(await readdir(join(folder, 'tmp'))).toEqual([])
})

test('an abort in the middle of a stream ends the put and leaves nothing', async () => {
  const controller = new AbortController()
  const endless = async function* (): AsyncGenerator<Buffer> {
    for (let count = 0; ; count += 1) {
      if (count === 3) controller.abort(new Error('told to stop'))
      yield Buffer.alloc(10)
    }
  }
  await expect(store.put(endless(), { signal: controller.signal })).rejects.toThrow('told to stop')
  expect(await filesIn(folder)).toEqual([])
})

test('many who store the same bytes at once all get the one object', async () => {
  const content = Buffer.alloc(300_000, 7)
  const other = await openStore(folder)
  const stored = await Promise.all(Array.from({ length: 12 }, (_, index) => (index % 2 === 0 ? store : other).put(content)))
  expect(new Set(stored.map(one => one.hash))).toEqual(new Set([`sha256:${createHash('sha256').update(content).digest('hex')}`]))
  expect(await readFile(store.path(hashOf(content)))).toEqual(content)
  expect(await readdir(join(folder, 'tmp'))).toEqual([])
})

test('an expected object that is there is not read again', async () => {
  await store.put(Buffer.from('abc'))
  const untouchable = async function* (): AsyncGenerator<Buffer> {
    yield Buffer.alloc(0)
    throw new Error('was read')
  }
  expect(await store.put(untouchable(), { expected: ABC })).toEqual({ hash: ABC, bytes: 3 })
})

test('a reference names an object until it is pointed elsewhere', async () => {
  const first = await store.put(Buffer.from('one'))
  const second = await store.put(Buffer.from('two'))
  expect(await store.resolve('rootfs/abc')).toBeUndefined()
  await store.refer('rootfs/abc', first.hash)
  expect(await (await openStore(folder)).resolve('rootfs/abc')).toBe(first.hash)
  await store.refer('rootfs/abc', second.hash)
  expect(await store.resolve('rootfs/abc')).toBe(second.hash)
})

test('a reference to an object that is gone, or to no object, is none', async () => {
  const { hash } = await store.put(Buffer.from('one'))
  await store.refer('key', hash)
  await unlink(store.path(hash))
  expect(await store.resolve('key')).toBeUndefined()
  await writeFile(join(folder, 'refs/torn'), 'sha256:12')
  expect(await store.resolve('torn')).toBeUndefined()
  await expect(store.refer('key', NEVER)).rejects.toMatchObject({ code: 'STORE_MISSING' })
})

test.each(['../escape', 'a/../b', '/absolute', 'a//b', '', '.hidden', 'UPPER', 'a\0b'])('%j is not a name for a reference', async name => {
  await expect(store.resolve(name)).rejects.toMatchObject({ code: 'STORE_BAD_REFERENCE' })
})

test('what is not a hash has no path', () => {
  expect(() => store.path('sha256:../../etc/passwd')).toThrow(expect.objectContaining({ code: 'STORE_BAD_HASH' }))
  expect(() => store.path(`sha256:${'A'.repeat(64)}`)).toThrow(expect.objectContaining({ code: 'STORE_BAD_HASH' }))
})

test('reading an object that is not there says which', async () => {
  await expect(store.read(NEVER)).rejects.toMatchObject({ code: 'STORE_MISSING', data: { hash: NEVER } })
})

test('reading an object that lost a bit says so, and gives nothing', async () => {
  const { hash } = await store.put(Buffer.from('{"kind":"set"}'))
  const path = store.path(hash)
  await rm(path)
  await writeFile(path, '{"kind":"sat"}')
  await expect(store.read(hash)).rejects.toMatchObject({ code: 'STORE_DAMAGED', data: { hash }, message: expect.stringContaining('crowbar stage verify') as string })
})

test('sweeping removes old temporary folders only', async () => {
  await using work = await store.temporaryFolder('work')
  const { mtimeMs } = await stat(work.path)
  await store.sweep({ now: mtimeMs + 500, olderThanMs: 1000 })
  expect(await readdir(join(folder, 'tmp'))).toHaveLength(1)
  await store.sweep({ now: mtimeMs + 1500, olderThanMs: 1000 })
  expect(await readdir(join(folder, 'tmp'))).toEqual([])
})
