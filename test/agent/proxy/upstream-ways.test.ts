import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openServerIdentity } from '../../../agent/nodes/tls.ts'
import { printableBase } from '../../../agent/proxy/upstream/upstreams.ts'
import { archive } from '../../builders/archive.ts'
import { outerProxy } from '../../builders/outer-proxy.ts'
import { testUpstream } from '../../builders/upstream.ts'
import { openTestProxy, unsigned } from './open-test-proxy.ts'

const CONTENT = randomBytes(300_000)
const FILES = archive({ packages: { 'pool/p_1_amd64.deb': CONTENT } })
const PATH = '/apt/debian/pool/p_1_amd64.deb'
const limits = { rounds: 1 }
let folder = ''
let tls: { readonly key: string; readonly cert: string }
let authorities = ''

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'crowbar-ways-'))
  const { key, certificates, authority } = await openServerIdentity(join(folder, 'tls'), { names: ['127.0.0.1'], now: Date.now() })
  tls = { key, cert: certificates }
  authorities = join(folder, 'authorities.pem')
  writeFileSync(authorities, authority)
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

test('an upstream is asked by TLS, and clients inside plainly, by path and by its URL', async () => {
  await using upstream = await testUpstream(FILES, tls)
  await using proxy = await openTestProxy([unsigned([upstream.url])], { authorities, limits })
  expect((await proxy.get(PATH)).body.equals(CONTENT)).toBe(true)
  expect((await proxy.get(`${upstream.url.replace('https:', 'http:')}pool/p_1_amd64.deb`)).body.equals(CONTENT)).toBe(true)
})

test('an upstream whose certificate is by an unknown authority is not believed', async () => {
  await using upstream = await testUpstream(FILES, tls)
  await using proxy = await openTestProxy([unsigned([upstream.url])], { limits })
  const got = await proxy.get(PATH)
  expect([got.status, got.body.toString()]).toEqual([502, expect.stringMatching(/certificate/)])
  expect(upstream.asked).toEqual([])
})

test('upstreams are asked through another proxy, those with TLS through a tunnel', async () => {
  await using outer = await outerProxy()
  await using plain = await testUpstream(FILES)
  await using secure = await testUpstream(FILES, tls)
  for (const [upstream, line] of [[plain, `GET ${plain.url}pool/p_1_amd64.deb`], [secure, `CONNECT ${new URL(secure.url).host}`]] as const) {
    await using proxy = await openTestProxy([unsigned([upstream.url])], { authorities, limits, upstreamProxy: outer.url })
    expect((await proxy.get(PATH)).body.equals(CONTENT)).toBe(true)
    expect(outer.asked).toContain(line)
  }
})

test('a proxy that upstreams are asked through and that is not there is said', async () => {
  await using upstream = await testUpstream(FILES)
  await using proxy = await openTestProxy([unsigned([upstream.url])], { limits, upstreamProxy: 'http://127.0.0.1:9' })
  const got = await proxy.get(PATH)
  expect([got.status, got.body.toString()]).toEqual([502, expect.stringContaining('ECONNREFUSED')])
  expect(upstream.asked).toEqual([])
})

test('two sources with one upstream, are told apart by what they have', async () => {
  await using upstream = await testUpstream(new Map([...FILES, ...archive({ folder: 'dists/other/', suite: 'other', packages: { 'pool/other_1_amd64.deb': Buffer.from('other') } })]))
  const sources = [unsigned([upstream.url]), { ...unsigned([upstream.url], ['other']), name: 'second' }]
  await using proxy = await openTestProxy(sources, { limits })
  expect((await proxy.get(`${upstream.url}dists/other/Release`)).status).toBe(200)
  expect((await proxy.get(`${upstream.url}pool/other_1_amd64.deb`)).body.toString()).toBe('other')
  expect((await proxy.get(`${upstream.url}pool/p_1_amd64.deb`)).body.equals(CONTENT)).toBe(true)
  expect((await proxy.get(`${upstream.url}pool/none_1_amd64.deb`)).status).toBe(404)
})

test('a redirect to the same host is followed with the same name and password, to another one without', async () => {
  const seen: unknown[] = []
  await using other = await testUpstream(FILES)
  await using upstream = await testUpstream()
  other.misbehave = ({ headers }) => {
    seen.push(headers.authorization)
    return false
  }
  upstream.misbehave = ({ headers, url = '' }, response) => {
    if (!url.endsWith('.deb')) return false
    seen.push(headers.authorization)
    response.writeHead(302, { 'location': url.startsWith('/moved') ? `${other.url}pool/p_1_amd64.deb` : `${upstream.url}moved.deb`, 'content-length': 0 }).end()
    return true
  }
  upstream.files = FILES
  await using proxy = await openTestProxy([unsigned([upstream.url.replace('//', '//reader:secret@')])], { limits })
  expect((await proxy.get(PATH)).body.equals(CONTENT)).toBe(true)
  const basic = `Basic ${Buffer.from('reader:secret').toString('base64')}`
  expect(seen.slice(0, 2)).toEqual([basic, basic])
  expect(seen.slice(2).filter(one => one !== undefined)).toEqual([])
})

test('of an upstream nothing of its password is shown, whatever that is made of', () => {
  expect(['https://reader:p@ss@example.com/simple/@x', 'https://reader@example.com/', 'https://example.com/@scope/'].map(printableBase)).toEqual(['https://example.com/simple/@x', 'https://example.com/', 'https://example.com/@scope/'])
})

test('an index that nothing but its connection vouches for is had by TLS to the end', async () => {
  await using plain = await testUpstream(new Map([['crane/', Buffer.from('<html></html>')]]))
  await using secure = await testUpstream(new Map([['crane/', Buffer.from('<html></html>')]]), tls)
  let to = `${secure.url}crane/`
  await using upstream = await testUpstream(new Map(), tls)
  upstream.misbehave = (_request, response) => {
    response.writeHead(302, { 'location': to, 'content-length': 0 }).end()
    return true
  }
  await using proxy = await openTestProxy([{ type: 'pypi', name: 'python', upstreams: [upstream.url] }], { authorities, limits })
  expect((await proxy.get('/pypi/python/simple/crane/')).status).toBe(200)
  to = `${plain.url}crane/`
  const got = await proxy.get('/pypi/python/simple/other/')
  expect([got.status, got.body.toString(), plain.asked]).toEqual([502, expect.stringContaining('it redirects from https to http'), []])
})
