import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { hashOf } from '../../../agent/stage/object-hash.ts'
import { archive } from '../../builders/archive.ts'
import { testUpstream } from '../../builders/upstream.ts'
import { openTestProxy, unsigned } from './open-test-proxy.ts'

const SMALL = randomBytes(5_000)
const LARGE = randomBytes(3_000_000)
const PACKAGES = { 'pool/small_1_amd64.deb': SMALL, 'pool/large_1_amd64.deb': LARGE }
const DAY = 86_400_000
/** Another state of the archive, a day later. */
const NEXT = { date: 'Tue, 06 Oct 2020 10:00:00 UTC' }

test('a package is fetched once, held against the index, and then served from the store', async () => {
  await using upstream = await testUpstream(archive({ packages: PACKAGES }))
  await using proxy = await openTestProxy([unsigned([upstream.url])])
  for (let count = 0; count < 3; count += 1) {
    const got = await proxy.get('/apt/debian/pool/small_1_amd64.deb')
    expect([got.status, got.body.equals(SMALL), got.headers['content-type']]).toEqual([200, true, 'application/vnd.debian.binary-package'])
  }
  expect(upstream.asked.filter(one => one.startsWith('pool/'))).toEqual(['pool/small_1_amd64.deb'])
  expect(await proxy.store.has(hashOf(SMALL))).toBe(true)
  expect(proxy.proxy.state.counters.requests).toMatchObject({ hit: 2, miss: 1, failed: 0 })
})

test('a hundred clients at once are one request to the upstream', async () => {
  await using upstream = await testUpstream(archive({ packages: PACKAGES }))
  await using proxy = await openTestProxy([unsigned([upstream.url])])
  const all = await Promise.all(Array.from({ length: 100 }, (_, index) => proxy.get(`/apt/debian/pool/${index % 2 === 0 ? 'large' : 'small'}_1_amd64.deb`)))
  expect(all.every((got, index) => got.whole && got.body.equals(index % 2 === 0 ? LARGE : SMALL))).toBe(true)
  expect(upstream.asked.filter(one => one.startsWith('pool/')).toSorted()).toEqual(['pool/large_1_amd64.deb', 'pool/small_1_amd64.deb'])
  expect(upstream.asked.filter(one => one === 'dists/test/Release')).toHaveLength(1)
})

test('more at once than memory is given to is right as well', async () => {
  const many = Object.fromEntries(Array.from({ length: 70 }, (_, at) => [`pool/m${String(at)}_1_amd64.deb`, Buffer.alloc(1024 * 1024, String(at).padStart(4, '0'))]))
  await using upstream = await testUpstream(archive({ packages: many }))
  await using proxy = await openTestProxy([unsigned([upstream.url])], { unsettled: true })
  const all = Object.keys(many)
  const got = await Promise.all(all.map(path => proxy.get(`/apt/debian/${path}`)))
  expect(got.map(({ body }, at) => body.equals(many[all[at] ?? ''] ?? Buffer.alloc(0)))).toEqual(all.map(() => true))
  await proxy.proxy.settled()
  for (const bytes of Object.values(many)) expect(await proxy.store.has(hashOf(bytes))).toBe(true)
  expect(upstream.asked.filter(path => path.startsWith('pool/'))).toHaveLength(70)
})

test('as a forward proxy it answers URLs of its upstreams, and no others', async () => {
  await using upstream = await testUpstream(archive({ packages: PACKAGES }))
  await using proxy = await openTestProxy([unsigned([`${upstream.url.replace('http:', 'https:')}`, upstream.url])])
  expect((await proxy.get(`${upstream.url}pool/small_1_amd64.deb`)).body.equals(SMALL)).toBe(true)
  const other = await proxy.get('http://elsewhere.example/pool/small_1_amd64.deb')
  expect([other.status, other.body.toString()]).toEqual([403, 'crowbar: elsewhere.example with this path is an upstream of no source of the site; add a source document for it\n'])
})

test('an upstream that dies in the middle is gone on from where it was, at the next one', async () => {
  await using first = await testUpstream(archive({ packages: PACKAGES }))
  await using second = await testUpstream(archive({ packages: PACKAGES }))
  first.misbehave = (request, response, bytes) => {
    if (!request.url?.includes('large') || bytes === undefined) return false
    response.writeHead(200, { 'content-length': bytes.length })
    response.write(bytes.subarray(0, 2_000_000), () => response.destroy())
    return true
  }
  await using proxy = await openTestProxy([unsigned([first.url, second.url])])
  const got = await proxy.get('/apt/debian/pool/large_1_amd64.deb')
  expect([got.status, got.whole, got.body.equals(LARGE)]).toEqual([200, true, true])
  expect(second.asked.at(-1)).toMatch(/^pool\/large_1_amd64\.deb bytes=[1-9]\d*-$/)
})

test('a wrong byte in a large package never makes a whole answer, and is not kept', async () => {
  await using upstream = await testUpstream(archive({ packages: PACKAGES }))
  const wrong = Buffer.from(LARGE)
  wrong[2_999_999] = (wrong[2_999_999] ?? 0) ^ 1
  upstream.misbehave = (request, response) => {
    if (!request.url?.includes('large')) return false
    response.writeHead(200, { 'content-length': wrong.length }).end(wrong)
    return true
  }
  await using proxy = await openTestProxy([unsigned([upstream.url])], { limits: { rounds: 1 } })
  const got = await proxy.get('/apt/debian/pool/large_1_amd64.deb')
  expect([got.whole, got.body.length < LARGE.length]).toEqual([false, true])
  expect([await proxy.store.has(hashOf(LARGE)), await proxy.store.has(hashOf(wrong))]).toEqual([false, false])
  upstream.misbehave = () => false
  expect((await proxy.get('/apt/debian/pool/large_1_amd64.deb')).body.equals(LARGE)).toBe(true)
  expect(await proxy.leftovers()).toEqual([])
})

test('a wrong byte in a small package is not even seen where another upstream has it right', async () => {
  await using first = await testUpstream(archive({ packages: PACKAGES }))
  await using second = await testUpstream(archive({ packages: PACKAGES }))
  first.files.set('pool/small_1_amd64.deb', randomBytes(SMALL.length))
  await using proxy = await openTestProxy([unsigned([first.url, second.url])])
  const got = await proxy.get('/apt/debian/pool/small_1_amd64.deb')
  expect([got.status, got.body.equals(SMALL)]).toEqual([200, true])
  expect(proxy.proxy.state.upstreams.map(({ up }) => up)).toEqual([false, true])
})

test.each([
  ['says another length than the index', 502, 'it has 7000 bytes, and the index says 5000', (bytes: Buffer) => ({ head: { 'content-length': 7000 }, body: Buffer.concat([bytes, randomBytes(2000)]) })],
  ['gives more than it says', 502, 'it gave more than the 5000 bytes that the index says', (bytes: Buffer) => ({ head: {}, body: Buffer.concat([bytes, randomBytes(1)]) })],
  ['gives less, and calls it whole', 502, 'it ended after 4000 of 5000 bytes', (bytes: Buffer) => ({ head: {}, body: bytes.subarray(0, 4000) })],
  ['packs what nobody asked it to pack', 502, 'it answers with content-encoding gzip', (bytes: Buffer) => ({ head: { 'content-encoding': 'gzip' }, body: bytes })],
] as const)('an upstream that %s is named with what it did', async (_, status, text, lie) => {
  await using upstream = await testUpstream(archive({ packages: PACKAGES }))
  upstream.misbehave = (request, response, bytes) => {
    if (!request.url?.includes('small') || bytes === undefined) return false
    const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0)
    const { head, body } = lie(bytes)
    response.writeHead(200, head).end(from > 0 ? body : body)
    return true
  }
  await using proxy = await openTestProxy([unsigned([upstream.url])], { limits: { rounds: 2 } })
  const got = await proxy.get('/apt/debian/pool/small_1_amd64.deb')
  expect(got.status).toBe(status)
  expect(got.body.toString()).toContain(`crowbar: pool/small_1_amd64.deb of debian: ${upstream.url}: ${text}`)
  expect(await proxy.store.has(hashOf(SMALL))).toBe(false)
})

test('an upstream that says nothing is left for another one', async () => {
  await using first = await testUpstream(archive({ packages: PACKAGES }))
  await using second = await testUpstream(archive({ packages: PACKAGES }))
  first.misbehave = request => request.url?.includes('pool') === true
  await using proxy = await openTestProxy([unsigned([first.url, second.url])], { limits: { idleMs: 1000 } })
  expect((await proxy.get('/apt/debian/pool/small_1_amd64.deb')).body.equals(SMALL)).toBe(true)
  expect(proxy.proxy.state.upstreams[0]).toMatchObject({ up: false, lastError: 'nothing came for 1 s' })
})

test('when no upstream answers, a client is served what is there, and told that it may be old', async () => {
  const upstream = await testUpstream(archive({ packages: PACKAGES }))
  await using proxy = await openTestProxy([unsigned([upstream.url])], { limits: { rounds: 1 } })
  const before = await proxy.get('/apt/debian/dists/test/Release')
  await proxy.get('/apt/debian/pool/small_1_amd64.deb')
  await upstream.kill()
  proxy.later(DAY)
  const after = await proxy.get('/apt/debian/dists/test/Release')
  expect([after.status, after.body.equals(before.body), after.headers['warning']]).toEqual([200, true, '110 crowbar "Response is Stale"'])
  expect((await proxy.get('/apt/debian/pool/small_1_amd64.deb')).body.equals(SMALL)).toBe(true)
  const missing = await proxy.get('/apt/debian/pool/large_1_amd64.deb')
  expect([missing.status, missing.body.toString()]).toEqual([502, expect.stringMatching(/^crowbar: pool\/large_1_amd64\.deb of debian: http:\/\/127\.0\.0\.1:\d+\/: .*ECONNREFUSED/)])
  expect(proxy.proxy.state.stale).toEqual([{ source: 'debian', suite: 'dists/test/', because: expect.stringContaining('ECONNREFUSED') as string }])
})

test('offline no upstream is asked, also by another process on the same store', async () => {
  await using upstream = await testUpstream(archive({ packages: PACKAGES }))
  const folder = await mkdtemp(join(tmpdir(), 'crowbar-proxy-'))
  try {
    {
      await using proxy = await openTestProxy([unsigned([upstream.url])], { folder })
      await proxy.get('/apt/debian/dists/test/main/binary-amd64/Packages.gz')
      await proxy.get('/apt/debian/pool/small_1_amd64.deb')
    }
    upstream.asked.length = 0
    await using proxy = await openTestProxy([unsigned([upstream.url])], { folder, online: false })
    expect((await proxy.get('/apt/debian/dists/test/Release')).status).toBe(200)
    expect((await proxy.get('/apt/debian/dists/test/main/binary-amd64/Packages.gz')).status).toBe(200)
    expect((await proxy.get('/apt/debian/pool/small_1_amd64.deb')).body.equals(SMALL)).toBe(true)
    const missing = await proxy.get('/apt/debian/pool/large_1_amd64.deb')
    expect([missing.status, missing.body.toString()]).toEqual([504, 'crowbar: pool/large_1_amd64.deb of debian is not in the store, and this admin node is offline\n'])
    expect(upstream.asked).toEqual([])
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})

test('a new Release counts only when all that was used of the old one is there in its new form', async () => {
  await using upstream = await testUpstream(archive({ packages: PACKAGES }))
  await using proxy = await openTestProxy([unsigned([upstream.url])], { limits: { rounds: 1 } })
  const index = '/apt/debian/dists/test/main/binary-amd64/Packages.gz'
  const [release, packages] = [await proxy.get('/apt/debian/dists/test/Release'), await proxy.get(index)]
  const next = archive({ packages: { ...PACKAGES, 'pool/more_1_amd64.deb': SMALL }, ...NEXT })
  // The mirror is being written: its Release is there, the index is yet that of yesterday.
  upstream.files = new Map([...next, ['dists/test/main/binary-amd64/Packages.gz', packages.body]])
  proxy.later(DAY)
  expect((await proxy.get('/apt/debian/dists/test/Release')).body.equals(release.body)).toBe(true)
  expect((await proxy.get(index)).body.equals(packages.body)).toBe(true)
  upstream.files = next
  proxy.later(DAY)
  expect((await proxy.get('/apt/debian/dists/test/Release')).body.equals(next.get('dists/test/Release') ?? Buffer.alloc(0))).toBe(true)
  expect((await proxy.get(index)).body.equals(next.get('dists/test/main/binary-amd64/Packages.gz') ?? Buffer.alloc(0))).toBe(true)
})

test('a client that has read a Release is given what that one names, whatever came since', async () => {
  await using upstream = await testUpstream(archive({ packages: PACKAGES }))
  await using proxy = await openTestProxy([unsigned([upstream.url])])
  const path = '/apt/debian/dists/test/main/binary-amd64/Packages.gz'
  const [one, other] = ['127.0.0.2', '127.0.0.3']
  await proxy.get('/apt/debian/dists/test/Release', { from: one })
  const old = await proxy.get(path, { from: one })
  const next = archive({ packages: { 'pool/more_1_amd64.deb': SMALL }, ...NEXT })
  upstream.files = next
  proxy.later(60_000)
  await proxy.get('/apt/debian/dists/test/Release', { from: other })
  expect((await proxy.get(path, { from: one })).body.equals(old.body)).toBe(true)
  expect((await proxy.get(path, { from: other })).body.equals(next.get('dists/test/main/binary-amd64/Packages.gz') ?? Buffer.alloc(0))).toBe(true)
})

test('a package that changed under its index is an error, and the next Release has it right', async () => {
  await using upstream = await testUpstream(archive({ packages: PACKAGES }))
  await using proxy = await openTestProxy([unsigned([upstream.url])], { limits: { rounds: 1 } })
  await proxy.get('/apt/debian/dists/test/Release')
  const rebuilt = randomBytes(5_000)
  upstream.files = archive({ packages: { ...PACKAGES, 'pool/small_1_amd64.deb': rebuilt }, ...NEXT })
  const index = await proxy.get('/apt/debian/dists/test/main/binary-amd64/Packages.gz')
  expect([index.status, index.body.toString()]).toEqual([502, expect.stringContaining('Packages.gz of debian')])
  const got = await proxy.get('/apt/debian/pool/small_1_amd64.deb')
  expect(got.status).toBe(502)
  await proxy.get('/apt/debian/dists/test/Release')
  expect((await proxy.get('/apt/debian/pool/small_1_amd64.deb')).body.equals(rebuilt)).toBe(true)
})

test('a Release that is older than the one that is known is not believed', async () => {
  const old = archive({ packages: PACKAGES })
  await using upstream = await testUpstream(archive({ packages: { 'pool/new_1_amd64.deb': SMALL }, ...NEXT }))
  await using proxy = await openTestProxy([unsigned([upstream.url])], { limits: { rounds: 1 } })
  const before = await proxy.get('/apt/debian/dists/test/Release')
  upstream.files = old
  proxy.later(DAY)
  const after = await proxy.get('/apt/debian/dists/test/Release')
  expect(after.body.equals(before.body)).toBe(true)
  expect(after.headers['x-crowbar-stale']).toContain('older than the one that is known')
})

test('files of the Release are served by name and by hash, and nothing that it does not name', async () => {
  const translation = Buffer.from('Package: p0\nDescription-en: words\n')
  const files = archive({ packages: PACKAGES, others: { 'main/i18n/Translation-en': translation }, byHash: true })
  files.set('dists/test/main/unnamed', Buffer.from('evil'))
  await using upstream = await testUpstream(files)
  await using proxy = await openTestProxy([unsigned([upstream.url])])
  expect((await proxy.get('/apt/debian/dists/test/main/i18n/Translation-en')).body.equals(translation)).toBe(true)
  expect((await proxy.get(`/apt/debian/dists/test/main/i18n/by-hash/SHA256/${hashOf(translation).slice(7)}`)).body.equals(translation)).toBe(true)
  expect(upstream.asked.filter(one => one.includes('i18n'))).toEqual([`dists/test/main/i18n/by-hash/SHA256/${hashOf(translation).slice(7)}`])
  for (const path of ['dists/test/main/unnamed', 'pool/unnamed_1_amd64.deb', 'dists/other/InRelease', 'dists/test/main/i18n/by-hash/SHA256/00', '%2e%2e/etc/passwd', 'a%00b', '%zz']) {
    expect([path, (await proxy.get(`/apt/debian/${path}`)).status]).toEqual([path, 404])
  }
  expect((await proxy.get('/apt/elsewhere/dists/test/Release')).body.toString()).toBe('crowbar: the site has no apt source elsewhere; it has debian\n')
})

test('a flat repository is served as well', async () => {
  await using upstream = await testUpstream(archive({ folder: '', packages: { 'small_1_amd64.deb': SMALL } }))
  await using proxy = await openTestProxy([unsigned([upstream.url], ['./'])])
  expect((await proxy.get('/apt/debian/./Release')).status).toBe(200)
  expect((await proxy.get('/apt/debian/./Packages.gz')).status).toBe(200)
  expect((await proxy.get('/apt/debian/./small_1_amd64.deb')).body.equals(SMALL)).toBe(true)
})

test('ranges, conditions and HEAD are answered from the store and while a package comes', async () => {
  await using upstream = await testUpstream(archive({ packages: PACKAGES }))
  await using proxy = await openTestProxy([unsigned([upstream.url])])
  const path = '/apt/debian/pool/large_1_amd64.deb'
  const head = await proxy.get(path, { method: 'HEAD' })
  expect([head.status, head.headers['content-length'], head.body.length]).toEqual([200, '3000000', 0])
  expect(upstream.asked).not.toContain('pool/large_1_amd64.deb')
  for (const when of ['coming', 'there']) {
    const part = await proxy.get(path, { headers: { range: 'bytes=1000-1999' } })
    expect([when, part.status, part.headers['content-range'], part.body.equals(LARGE.subarray(1000, 2000))]).toEqual([when, 206, 'bytes 1000-1999/3000000', true])
  }
  const modified = String(head.headers['last-modified'])
  const rest = await proxy.get(path, { headers: { range: 'bytes=2999990-', 'if-range': modified } })
  expect([rest.status, rest.body.equals(LARGE.subarray(2_999_990))]).toEqual([206, true])
  expect((await proxy.get(path, { headers: { range: 'bytes=2999990-', 'if-range': 'Thu, 01 Jan 1970 00:00:00 GMT' } })).status).toBe(200)
  expect((await proxy.get(path, { headers: { range: 'bytes=3000000-' } })).status).toBe(416)
  expect((await proxy.get(path, { headers: { 'if-modified-since': modified } })).status).toBe(304)
})

test('what was found damaged, or collected, is fetched again', async () => {
  await using upstream = await testUpstream(archive({ packages: PACKAGES }))
  await using proxy = await openTestProxy([unsigned([upstream.url])])
  await proxy.get('/apt/debian/pool/large_1_amd64.deb')
  await rm(proxy.store.path(hashOf(LARGE)))
  const got = await proxy.get('/apt/debian/pool/large_1_amd64.deb')
  expect([got.whole, got.body.equals(LARGE)]).toEqual([true, true])
})

test('other methods and tunnels are refused in words', async () => {
  await using upstream = await testUpstream(archive({ packages: PACKAGES }))
  await using proxy = await openTestProxy([unsigned([upstream.url])])
  expect((await proxy.get('/apt/debian/pool/small_1_amd64.deb', { method: 'DELETE' })).status).toBe(403)
  expect((await proxy.get('/elsewhere')).status).toBe(404)
  const { promise, resolve } = Promise.withResolvers<number>()
  const { request } = await import('node:http')
  request({ host: '127.0.0.1', port: new URL(proxy.url).port, method: 'CONNECT', path: 'secret.example:443' }).once('connect', answer => resolve(answer.statusCode ?? 0)).end()
  expect(await promise).toBe(403)
})

test('metrics say what was served and how upstreams do, without credentials', async () => {
  await using upstream = await testUpstream(archive({ packages: PACKAGES }))
  await using proxy = await openTestProxy([unsigned([upstream.url.replace('http://', 'http://me:secret@')])])
  await proxy.get('/apt/debian/pool/small_1_amd64.deb')
  await proxy.get('/apt/debian/pool/small_1_amd64.deb')
  const text = (await proxy.get('/metrics')).body.toString()
  expect(text).toContain('crowbar_proxy_requests_total{result="hit"} 1\n')
  expect(text).toContain('crowbar_proxy_bytes_total{kind="hit"} 5000\n')
  expect(text).toContain(`crowbar_proxy_upstream_up{source="debian",upstream="${upstream.url}"} 1\n`)
  expect(text).not.toContain('secret')
})
