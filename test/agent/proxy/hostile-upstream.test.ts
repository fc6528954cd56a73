import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { openServerIdentity } from '../../../agent/nodes/tls.ts'
import { hashOf } from '../../../agent/stage/object-hash.ts'
import { archive } from '../../builders/archive.ts'
import { testUpstream } from '../../builders/upstream.ts'
import type { Misbehaviour, TestUpstream } from '../../builders/upstream.ts'
import { openTestProxy, unsigned } from './open-test-proxy.ts'
import type { TestProxy } from './open-test-proxy.ts'

const CONTENT = randomBytes(40_000)
const PACKAGES = { 'pool/p_1_amd64.deb': CONTENT }
const PATH = '/apt/debian/pool/p_1_amd64.deb'
const FILES = archive({ packages: PACKAGES })
const RELEASE = FILES.get('dists/test/Release') ?? Buffer.alloc(0)

const isPackage = (request: { readonly url?: string | undefined }): boolean => request.url?.startsWith('/pool/') === true

async function misbehaving(misbehave: Misbehaviour, files = FILES): Promise<TestUpstream> {
  const upstream = await testUpstream(new Map(files))
  upstream.misbehave = misbehave
  return upstream
}

/** The client has the right bytes, in one request of its own, and nothing else is in the store. */
async function expectRight(proxy: TestProxy): Promise<void> {
  const got = await proxy.get(PATH)
  expect([got.status, got.body.equals(CONTENT)]).toEqual([200, true])
  expect(await proxy.leftovers()).toEqual([])
}

/** The client has an error in words, and the store has nothing. */
async function expectError(proxy: TestProxy, text: RegExp | string, path = PATH): Promise<void> {
  const got = await proxy.get(path)
  expect([got.status, got.body.toString()]).toEqual([502, expect.stringMatching(text)])
  expect(await proxy.store.has(hashOf(CONTENT))).toBe(false)
  expect(await proxy.leftovers()).toEqual([])
}

test('an upstream that drips is given up, and another one asked', async () => {
  const drips: NodeJS.Timeout[] = []
  await using first = await misbehaving((request, response) => {
    if (!isPackage(request)) return false
    response.writeHead(200, { 'content-length': CONTENT.length })
    let at = 0
    drips.push(setInterval(() => response.write(CONTENT.subarray(at, ++at)), 10))
    return true
  })
  await using second = await testUpstream(FILES)
  try {
    await using proxy = await openTestProxy([unsigned([first.url, second.url])], { limits: { rateWindowMs: 500, leastBytesPerSecond: 1000 } })
    await expectRight(proxy)
    expect(proxy.proxy.state.upstreams[0]).toMatchObject({ up: false, lastError: expect.stringMatching(/^fewer than 1000 bytes a second came/) as string })
  } finally {
    for (const one of drips) clearInterval(one)
  }
})

test('a redirect is followed to another host, and never to a file of this machine or without end', async () => {
  await using other = await testUpstream(FILES)
  await using upstream = await misbehaving((request, response) => isPackage(request) && Boolean(response.writeHead(302, { location: new URL(request.url ?? '', other.url).href }).end()))
  {
    await using proxy = await openTestProxy([unsigned([upstream.url])])
    await expectRight(proxy)
  }
  const folder = mkdtempSync(join(tmpdir(), 'crowbar-hostile-'))
  try {
    writeFileSync(join(folder, 'p'), CONTENT)
    for (const [location, said] of [[`file://${folder}/p`, /redirects to file:/], ['/pool/p_1_amd64.deb', /redirects without end/], ['http://[', /redirects to what is no address/]] as const) {
      upstream.misbehave = (request, response) => isPackage(request) && Boolean(response.writeHead(301, { location }).end())
      await using proxy = await openTestProxy([unsigned([upstream.url])], { limits: { rounds: 1 } })
      await expectError(proxy, said)
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

test('an answer in a compression that nobody asked for is not taken, of a package or of a Release', async () => {
  await using upstream = await misbehaving((_, response, bytes) => bytes !== undefined && Boolean(response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(bytes))))
  await using proxy = await openTestProxy([unsigned([upstream.url])], { limits: { rounds: 1 } })
  await expectError(proxy, /content-encoding gzip, which was not asked for/)
})

test('an answer in chunks with trailers is as good as one with a length', async () => {
  await using upstream = await misbehaving((_, response, bytes) => {
    if (bytes === undefined) return false
    response.writeHead(200, { trailer: 'x-checksum' })
    for (let at = 0; at < bytes.length; at += 7_000) response.write(bytes.subarray(at, at + 7_000))
    response.addTrailers({ 'x-checksum': 'of something else' })
    response.end()
    return true
  })
  await using proxy = await openTestProxy([unsigned([upstream.url])])
  await expectRight(proxy)
})

test('a part that nobody asked for is no answer, of a package or of a Release', async () => {
  const part: Misbehaviour = (_, response, bytes) => {
    if (bytes === undefined) return false
    const half = bytes.subarray(0, bytes.length >> 1)
    response.writeHead(206, { 'content-length': half.length, 'content-range': `bytes 0-${String(half.length - 1)}/${String(bytes.length)}` }).end(half)
    return true
  }
  for (const of of ['dists', 'pool']) {
    await using upstream = await misbehaving((request, response, bytes) => request.url?.startsWith(`/${of}/`) === true && part(request, response, bytes))
    await using proxy = await openTestProxy([unsigned([upstream.url])], { limits: { rounds: 1 } })
    await expectError(proxy, /206 to a question for the whole/)
  }
})

/** The first answer breaks off half-way; what is asked for after it is answered by `then`. */
function brokenOff(then: Misbehaviour): Misbehaviour {
  let isFirst = true
  return (request, response, bytes) => {
    if (!isPackage(request) || bytes === undefined) return false
    if (!isFirst) return then(request, response, bytes)
    isFirst = false
    response.writeHead(200, { 'content-length': bytes.length })
    response.write(bytes.subarray(0, 15_000), () => response.destroy())
    return true
  }
}

const rest = (bytes: Buffer | undefined, from: number): Buffer => bytes?.subarray(from) ?? Buffer.alloc(0)
const RESUMED: Readonly<Record<string, Misbehaviour>> = {
  'the whole again': (_, response, bytes) => Boolean(response.writeHead(200, { 'content-length': bytes?.length ?? 0 }).end(bytes)),
  '416': (request, response) => request.headers.range !== undefined && Boolean(response.writeHead(416, { 'content-range': 'bytes */1', 'content-length': 0 }).end()),
  'another range': (request, response, bytes) => request.headers.range !== undefined && Boolean(response.writeHead(206, { 'content-range': `bytes 100-${String((bytes?.length ?? 0) - 1)}/${String(bytes?.length ?? 0)}` }).end(rest(bytes, 100))),
  'a range in other words': (request, response, bytes) => request.headers.range !== undefined && Boolean(response.writeHead(206, { 'content-range': 'lines 1-2/3' }).end(rest(bytes, 15_000))),
  'another ETag, and bytes of another file': (request, response, bytes) => request.headers.range !== undefined && Boolean(response.writeHead(206, { 'etag': '"other"', 'content-range': `bytes 15000-${String((bytes?.length ?? 0) - 1)}/${String(bytes?.length ?? 0)}` }).end(Buffer.alloc(rest(bytes, 15_000).length))),
  '304 without a condition': (request, response) => request.headers.range !== undefined && Boolean(response.writeHead(304).end()),
}
test.each(Object.keys(RESUMED))('a download that broke off comes whole when its rest is answered with %s', async what => {
  await using upstream = await misbehaving(brokenOff(RESUMED[what] ?? (() => false)))
  await using proxy = await openTestProxy([unsigned([upstream.url])])
  await expectRight(proxy)
})

test('all bytes of a file are enough, also when the answer does not end well', async () => {
  await using upstream = await misbehaving((request, response, bytes) => isPackage(request) && (request.headers.range === undefined
    ? Boolean(response.writeHead(200, { 'transfer-encoding': 'chunked' }).write(bytes ?? '', () => response.destroy()))
    : Boolean(response.writeHead(416, { 'content-length': 0 }).end())))
  await using proxy = await openTestProxy([unsigned([upstream.url])])
  await expectRight(proxy)
  expect(upstream.asked.filter(one => one.startsWith('pool/'))).toHaveLength(1)
})

test('a Release that is said to be unchanged when nobody asked so is had from another upstream', async () => {
  await using first = await misbehaving((_, response) => Boolean(response.writeHead(304).end()))
  await using second = await testUpstream(FILES)
  await using proxy = await openTestProxy([unsigned([first.url, second.url])])
  await expectRight(proxy)
  expect(proxy.proxy.state.upstreams[0]?.lastError).toBe('304 to a question without a condition')
})

test('an upstream that fails for a while is asked again, and one that fails for good is named', async () => {
  let storm = 2
  await using upstream = await misbehaving((request, response) => isPackage(request) && storm-- > 0 && Boolean(response.writeHead(503, { 'retry-after': '3600' }).end('busy')))
  {
    await using proxy = await openTestProxy([unsigned([upstream.url])])
    await expectRight(proxy)
  }
  storm = Number.POSITIVE_INFINITY
  await using proxy = await openTestProxy([unsigned([upstream.url])])
  await expectError(proxy, /127\.0\.0\.1:\d+\/: 503/)
})

/** Raw bytes for each request of one connection after another; undefined: it is closed instead. */
async function rawUpstream(answer: (path: string, nth: number) => Buffer | string | undefined): Promise<AsyncDisposable & { readonly url: string }> {
  const sockets = new Set<Socket>()
  const server: Server = createServer(socket => {
    sockets.add(socket)
    let nth = 0
    socket.on('error', () => socket.destroy())
    socket.on('data', (data: Buffer) => {
      const reply = answer(/^\S+ \/(\S*)/.exec(data.toString())?.[1] ?? '', nth++)
      if (reply === undefined) socket.destroy()
      else socket.write(reply)
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}/`,
    async [Symbol.asyncDispose]() {
      for (const one of sockets) one.destroy()
      await new Promise(resolve => server.close(resolve))
    },
  }
}
const plain = (path: string): Buffer => {
  const bytes = FILES.get(path)
  return bytes === undefined ? Buffer.from('HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n') : Buffer.concat([Buffer.from(`HTTP/1.1 200 OK\r\ncontent-length: ${String(bytes.length)}\r\n\r\n`), bytes])
}

test('a connection that was kept and is closed under the next request is no failure of the upstream', async () => {
  await using upstream = await rawUpstream((path, nth) => (nth === 0 ? plain(path) : undefined))
  await using proxy = await openTestProxy([unsigned([upstream.url])], { limits: { rounds: 1 } })
  await expectRight(proxy)
  expect(proxy.proxy.state.upstreams[0]).toMatchObject({ up: true, failures: 0 })
})

test.each([
  ['headers without end', `HTTP/1.1 200 OK\r\n${'x-bomb: 0123456789\r\n'.repeat(50_000)}`],
  ['one header without end', `HTTP/1.1 200 OK\r\nx-bomb: ${'0'.repeat(1_000_000)}`],
  ['what is no HTTP', 'SSH-2.0-OpenSSH_9.2\r\n'],
  ['two lengths', 'HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 7\r\n\r\nhello'],
])('%s instead of an answer are left for another upstream', async (_, bytes) => {
  await using first = await rawUpstream(() => bytes)
  await using second = await testUpstream(FILES)
  await using proxy = await openTestProxy([unsigned([first.url, second.url])])
  await expectRight(proxy)
  expect(proxy.proxy.state.upstreams[0]?.up).toBe(false)
})

test('a Release without end is given up', async () => {
  await using upstream = await misbehaving((request, response) => {
    if (request.url?.endsWith('Release') !== true) return false
    const block = Buffer.alloc(1024 * 1024, 'x')
    const more = (): void => void (response.destroyed || response.write(block, more))
    more()
    return true
  })
  await using proxy = await openTestProxy([unsigned([upstream.url])], { limits: { rounds: 1 } })
  await expectError(proxy, /more than 16777216 bytes/)
})

test('an index that unpacks to what is no index is given up soon', async () => {
  const bomb = gzipSync(Buffer.alloc(200_000_000, 'a'))
  const files = archive({ packages: PACKAGES, others: { 'contrib/binary-amd64/Packages.gz': bomb } })
  await using upstream = await testUpstream(files)
  await using proxy = await openTestProxy([unsigned([upstream.url])], { limits: { rounds: 1 } })
  const begun = performance.now()
  const got = await proxy.get('/apt/debian/pool/none_1_amd64.deb')
  expect([got.status, got.body.toString()]).toEqual([502, expect.stringContaining('contrib/binary-amd64/Packages.gz cannot be read: ')])
  expect(performance.now() - begun).toBeLessThan(10_000)
  await expectRight(proxy)
})

const dated = (date: string, more = ''): typeof FILES => {
  const files = archive({ packages: PACKAGES, date })
  return files.set('dists/test/Release', Buffer.from((files.get('dists/test/Release') ?? '').toString().replace('SHA256:', `${more}SHA256:`)))
}
const EXPIRED = dated('Sun, 04 Oct 2020 10:00:00 UTC', 'Valid-Until: Mon, 12 Oct 2020 10:00:00 UTC\n')

test('a mirror that stands still is passed over for one whose Release has not expired', async () => {
  await using still = await testUpstream(EXPIRED)
  await using live = await testUpstream(FILES)
  await using proxy = await openTestProxy([unsigned([still.url, live.url])])
  expect((await proxy.get('/apt/debian/dists/test/Release')).body.equals(RELEASE)).toBe(true)
  expect(proxy.proxy.state.upstreams[0]?.lastError).toBe('its Release is valid until 2020-10-12T10:00:00.000Z only: the mirror stands still, or the clock of this machine is wrong')
})

test('a Release that has expired everywhere is served as what it is: apt says the last word', async () => {
  await using upstream = await testUpstream(EXPIRED)
  await using proxy = await openTestProxy([unsigned([upstream.url])], { limits: { rounds: 1 } })
  const got = await proxy.get('/apt/debian/dists/test/Release')
  expect([got.status, got.body.toString(), got.headers['x-crowbar-stale']]).toEqual([200, (EXPIRED.get('dists/test/Release') ?? '').toString(), expect.stringContaining('valid until 2020-10-12') as string])
  await expectRight(proxy)
})

test('a Release of the future is not believed, so that it cannot outlive those to come', async () => {
  await using upstream = await testUpstream(dated('Mon, 05 Oct 2099 10:00:00 UTC'))
  await using proxy = await openTestProxy([unsigned([upstream.url])], { limits: { rounds: 1 } })
  await expectError(proxy, /its Release is of 2099-10-05T10:00:00\.000Z, which is yet to come/, '/apt/debian/dists/test/Release')
})

test('an index that is missing under its hash is had by its name', async () => {
  const files = archive({ packages: PACKAGES, byHash: true })
  for (const path of files.keys()) if (path.includes('by-hash')) files.delete(path)
  await using upstream = await testUpstream(files)
  await using proxy = await openTestProxy([unsigned([upstream.url])])
  await expectRight(proxy)
})

test('of an InRelease and a Release that differ the first counts, and both are served as one', async () => {
  const next = archive({ packages: { 'pool/other_1_amd64.deb': CONTENT }, date: 'Tue, 06 Oct 2020 10:00:00 UTC' })
  await using upstream = await testUpstream(new Map([...next, ...FILES, ['dists/test/InRelease', RELEASE], ['dists/test/Release', next.get('dists/test/Release') ?? RELEASE]]))
  await using proxy = await openTestProxy([unsigned([upstream.url])])
  for (const name of ['InRelease', 'Release']) expect((await proxy.get(`/apt/debian/dists/test/${name}`)).body.equals(RELEASE)).toBe(true)
  expect((await proxy.get('/apt/debian/dists/test/Release.gpg')).status).toBe(404)
  await expectRight(proxy)
})

test('an upstream with nothing but IPv6 is asked as any other', async () => {
  await using upstream = await testUpstream(FILES, null, '::1')
  await using proxy = await openTestProxy([unsigned([upstream.url])])
  await expectRight(proxy)
})

test('a certificate of another name, or one that has expired, is not believed', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'crowbar-hostile-'))
  try {
    for (const [name, names, now, said] of [['name', ['elsewhere.example.com'], Date.now(), /does not match certificate's altnames/], ['age', ['127.0.0.1'], Date.UTC(2000, 0, 1), /certificate has expired/]] as const) {
      const { key, certificates, authority } = await openServerIdentity(join(folder, name), { names, now })
      const authorities = join(folder, `${name}.pem`)
      writeFileSync(authorities, authority)
      await using upstream = await testUpstream(FILES, { key, cert: certificates })
      await using proxy = await openTestProxy([unsigned([upstream.url])], { authorities, limits: { rounds: 1 } })
      await expectError(proxy, said)
      expect(upstream.asked).toEqual([])
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})
