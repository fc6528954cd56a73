import { createServer } from 'node:http'
import type { Server } from 'node:http'
import { mkdtempSync, rmSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { LockedPackage } from '../../../schemas/artifacts.ts'
import type { AptSource } from '../../../agent/stage/apt-sources.ts'
import { fetchLocked } from '../../../agent/stage/fetch-locked.ts'
import { hashOf } from '../../../agent/stage/object-hash.ts'
import { openStore } from '../../../agent/stage/store.ts'

let folder = ''
const servers: Server[] = []
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'crowbar-fetch-'))
})
afterEach(async () => {
  for (const server of servers.splice(0)) await new Promise(resolve => server.close(resolve))
  rmSync(folder, { recursive: true, force: true })
})

/** A mirror on the loopback interface that counts what it is asked for. */
async function mirror(files: Readonly<Record<string, string>>): Promise<{ readonly source: AptSource; readonly asked: string[] }> {
  const asked: string[] = []
  const server = createServer((request, response) => {
    const path = decodeURIComponent(request.url ?? '').slice('/debian/'.length)
    asked.push(path)
    const body = files[path]
    response.writeHead(body === undefined ? 404 : 200, { 'content-length': Buffer.byteLength(body ?? '') }).end(body)
  })
  servers.push(server)
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return { source: { uris: [`http://127.0.0.1:${String((server.address() as AddressInfo).port)}/debian/`], suites: ['bookworm'], components: ['main'], options: {} }, asked }
}

const locked = (name: string, content: string): LockedPackage => ({ version: '1', architecture: 'all', from: 'bookworm', path: `pool/${name}_1+x~y_all.deb`, sha256: hashOf(content).slice('sha256:'.length), bytes: content.length })
const rest = { signal: AbortSignal.timeout(60_000), onProgress: () => {} }

test('what one mirror gives wrong or not at all is asked of the next, and what is there is asked of none', async () => {
  const store = await openStore(join(folder, 'store'))
  await store.put(Buffer.from('had'))
  const packages = { a: locked('a', 'right'), b: locked('b', 'only there'), c: locked('c', 'had') }
  const first = await mirror({ [packages.a.path]: 'wrong' })
  const second = await mirror({ [packages.a.path]: 'right', [packages.b.path]: 'only there' })
  await fetchLocked(packages, { store, sources: () => Promise.resolve([first.source, second.source]), ...rest })
  expect((await store.read(hashOf('right'))).toString()).toBe('right')
  expect((await store.read(hashOf('only there'))).toString()).toBe('only there')
  expect(await store.has(hashOf('wrong'))).toBe(false)
  expect([...first.asked, ...second.asked]).not.toContain(packages.c.path)

  await fetchLocked(packages, { store, sources: () => Promise.reject(new Error('nobody is asked')), ...rest })
})

test('what no mirror has is named, and the rest is kept', async () => {
  const store = await openStore(join(folder, 'store'))
  const { source } = await mirror({ [locked('a', 'right').path]: 'right' })
  const fetching = fetchLocked({ a: locked('a', 'right'), gone: locked('gone', 'x') }, { store, sources: () => Promise.resolve([source]), ...rest })
  await expect(fetching).rejects.toMatchObject({ code: 'APT_DOWNLOAD', data: { names: ['gone 1'] } })
  expect(await store.has(hashOf('right'))).toBe(true)
})
