import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statfsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { hashOf } from '../../../agent/stage/object-hash.ts'
import { openStore } from '../../../agent/stage/store.ts'
import { verify } from '../../../agent/stage/verify.ts'
import { needDebianPackages } from '../debian-packages.ts'

const KILLS = 12
const options = { signal: new AbortController().signal, onProgress: () => undefined, now: () => 0, refetch: () => Promise.reject(new Error('none')) }
let folder: string

beforeAll(() => needDebianPackages(['mount']))
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'crowbar-store-faults-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

test('a process that is killed at any moment leaves whole objects and references only', async () => {
  const store = await openStore(folder)
  for (let kills = 0; kills < KILLS; kills += 1) {
    const child = spawn(process.execPath, [fileURLToPath(new URL('put-forever.ts', import.meta.url)), folder], { stdio: ['ignore', 'pipe', 'inherit'] })
    await once(child.stdout, 'data')
    await sleep(20 + kills * 37)
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
  const found = await verify(store, options)
  expect(found).toMatchObject({ damaged: [], dangling: [] })
  expect(found.objects).toBeGreaterThan(KILLS)
  // What they left is out of the way, and goes.
  await store.sweep({ now: Date.now() + 1000, olderThanMs: 0 })
  expect(readdirSync(join(folder, 'tmp'))).toEqual([])
})

test('a full disk is said, and nothing of what came is kept', async () => {
  const disk = join(folder, 'disk')
  mkdirSync(disk)
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', disk])
  try {
    const store = await openStore(join(disk, 'store'))
    const small = randomBytes(1_000_000)
    await store.put(small)
    const before = statfsSync(disk).bfree
    await expect(store.put(randomBytes(8_000_000))).rejects.toMatchObject({ code: 'STORE_FULL', message: expect.stringContaining('crowbar stage gc') as string })
    expect(readdirSync(join(disk, 'store/tmp'))).toEqual([])
    expect(statfsSync(disk).bfree).toBe(before)
    const fits = randomBytes(500_000)
    await store.put(fits)
    expect((await store.read(hashOf(fits))).equals(fits)).toBe(true)
    expect(await verify(store, options)).toMatchObject({ objects: 2, damaged: [] })
  } finally {
    execFileSync('umount', [disk])
  }
})
