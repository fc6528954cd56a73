import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, readdir, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { npmRegistry } from '../../../agent/proxy/registry/npm-registry.ts'
import { hashOf } from '../../../agent/stage/object-hash.ts'
import { testUpstream } from '../../builders/upstream.ts'
import { openTestProxy } from './open-test-proxy.ts'

const BYTES = randomBytes(20_000)
const OTHER = BYTES.subarray(1)
const sum = (algorithm: string, bytes: Buffer = BYTES): string => createHash(algorithm).update(bytes).digest('hex')
const SHA256 = sum('sha256')

/** With two versions, `a.tgz` and `b.tgz`. */
function npmPackage(name: string, url: string): Buffer {
  const dist = (tarball: string, bytes: Buffer): unknown => ({ dist: { tarball: `${url}${tarball}`, shasum: sum('sha1', bytes) } })
  return Buffer.from(JSON.stringify({ name, versions: { '1.0.0': dist('a.tgz', BYTES), '2.0.0': dist('b.tgz', OTHER) } }))
}

function pythonPackage(size: number | undefined): Buffer {
  return Buffer.from(JSON.stringify({ meta: { 'api-version': '1.0' }, name: 'crane', files: [{ filename: 'crane-1.0.tar.gz', url: '/crane-1.0.tar.gz', hashes: { sha256: SHA256 }, size }] }))
}

function npmDocument(tarball: string): Buffer {
  return Buffer.from(JSON.stringify({ name: 'crane', versions: { '1.0.0': { dist: { tarball, shasum: sum('sha1') } } } }))
}

test('an index that no program can take apart is passed over for another upstream, and nobody is told that this is a bug', async () => {
  await using first = await testUpstream(new Map([['simple/crane/', Buffer.from(`<html><a ${'b'.repeat(30_000_000)}>`)]]))
  await using second = await testUpstream(new Map([['simple/crane/', Buffer.from(`<a href="crane-1.0.tar.gz#sha256=${SHA256}">`)]]))
  await using deep = await testUpstream(new Map([['crane', Buffer.from(`{"name":"crane","versions":{},"x":${'['.repeat(100_000)}${']'.repeat(100_000)}}`)]]))
  await using proxy = await openTestProxy([{ type: 'pypi', name: 'python', upstreams: [`${first.url}simple/`, `${second.url}simple/`] }, { type: 'npm', name: 'registry', upstreams: [deep.url] }], { limits: { rounds: 1 } })
  expect((await proxy.get('/pypi/python/simple/crane/')).body.toString()).toContain('crane-1.0.tar.gz')
  const got = await proxy.get('/npm/registry/crane')
  expect([got.status, got.body.toString()]).toEqual([502, expect.stringContaining('the index of crane of registry cannot be told')])
})

test('what the store cannot read of an earlier time is had anew, and kills nobody', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'crowbar-proxy-'))
  try {
    await using upstream = await testUpstream()
    upstream.files = new Map([['crane', npmDocument(`${upstream.url}crane.tgz`)], ['crane.tgz', BYTES]])
    const sources = [{ type: 'npm', name: 'registry', upstreams: [upstream.url] }] as const
    {
      await using proxy = await openTestProxy(sources, { folder })
      for (const accept of ['application/vnd.npm.install-v1+json', 'application/json']) await proxy.get('/npm/registry/crane', { headers: { accept } })
    }
    for (const name of await readdir(join(folder, 'refs/proxy'))) {
      await rm(join(folder, 'refs/proxy', name))
      // It leads to itself, so that it can neither be read nor is it missing.
      await symlink(name, join(folder, 'refs/proxy', name))
    }
    await using proxy = await openTestProxy(sources, { folder, limits: { rounds: 1 } })
    expect((await proxy.get('/npm/registry/crane/-/crane-1.0.0.tgz')).body.equals(BYTES)).toBe(true)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})

test('an index is told of its own project, also where another has the same one', async () => {
  await using upstream = await testUpstream(new Map([['simple/crane/', Buffer.from(`<a href="crane-1.0.tar.gz#sha256=${SHA256}">`)]]))
  upstream.misbehave = (request, response) => {
    if (request.url === '/simple/crane/') return false
    response.writeHead(301, { 'location': '/simple/crane/', 'content-length': 0 }).end()
    return true
  }
  await using proxy = await openTestProxy([{ type: 'pypi', name: 'python', upstreams: [`${upstream.url}simple/`] }])
  for (const name of ['first', 'second']) expect((await proxy.get(`/pypi/python/simple/${name}/`)).body.toString()).toContain(`/pypi/python/files/${name}/crane-1.0.tar.gz`)
})

test('what a client calls the proxy is not believed when it is no host', async () => {
  await using upstream = await testUpstream(new Map([['simple/crane/', Buffer.from('<html></html>')]]))
  await using proxy = await openTestProxy([{ type: 'pypi', name: 'python', upstreams: [`${upstream.url}simple/`] }])
  for (const host of ['a:b:c', '[', `${'a'.repeat(4000)}`]) expect([host.slice(0, 9), (await proxy.get('/pypi/python/simple/crane/', { headers: { host } })).status]).toEqual([host.slice(0, 9), 200])
})

test('an upstream that lies of a size fills no disk', async () => {
  let sent = 0
  await using upstream = await testUpstream()
  upstream.files = new Map([['simple/crane/', pythonPackage(2 ** 50)], ['crane-1.0.tar.gz', BYTES]])
  upstream.misbehave = () => {
    sent += 1
    return false
  }
  await using proxy = await openTestProxy([{ type: 'pypi', name: 'python', upstreams: [`${upstream.url}simple/`] }], { limits: { rounds: 1 } })
  const got = await proxy.get('/pypi/python/files/crane/crane-1.0.tar.gz')
  expect([got.status, got.body.equals(BYTES), sent]).toEqual([200, true, 2])
})

test('a path with two slashes at its start is one of the upstream, and no host', async () => {
  await using upstream = await testUpstream()
  upstream.files = new Map([['npm/crane', npmDocument(`${upstream.url}/pool/crane.tgz`)], ['/pool/crane.tgz', BYTES]])
  await using proxy = await openTestProxy([{ type: 'npm', name: 'registry', upstreams: [`${upstream.url}npm/`] }], { limits: { rounds: 1 } })
  expect((await proxy.get('/npm/registry/crane/-/crane-1.0.0.tgz')).body.equals(BYTES)).toBe(true)
})

test('a password is in no name of the store: with a new one there is still what was had by the old', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'crowbar-proxy-'))
  try {
    await using upstream = await testUpstream()
    upstream.files = new Map([['crane', npmDocument(`${upstream.url}crane.tgz`)]])
    for (const [password, online] of [['old', true], ['new', false]] as const) {
      await using proxy = await openTestProxy([{ type: 'npm', name: 'registry', upstreams: [upstream.url.replace('//', `//reader:${password}@`)] }], { folder, online })
      expect((await proxy.get('/npm/registry/crane')).status).toBe(200)
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})

test('when the proxy has closed, nothing of what was under way is left', async () => {
  for (const path of ['crane', 'crane.tgz']) {
    await using upstream = await testUpstream()
    upstream.files = new Map([['crane', npmDocument(`${upstream.url}crane.tgz`)]])
    upstream.misbehave = (request, response) => {
      if (!(request.url ?? '').endsWith(path)) return false
      response.writeHead(200, { 'content-length': 90_000 }).write(BYTES)
      return true
    }
    await using proxy = await openTestProxy([{ type: 'npm', name: 'registry', upstreams: [upstream.url] }], { unsettled: true })
    const got = proxy.get('/npm/registry/crane/-/crane-1.0.0.tgz').catch(() => undefined)
    while (upstream.asked.at(-1) !== path) await sleep(5)
    await sleep(50)
    expect(await proxy.leftovers()).toEqual([])
    await got
  }
})

test('what was collected while an upstream says that nothing changed is noted again', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'crowbar-proxy-'))
  try {
    await using upstream = await testUpstream()
    upstream.files = new Map([['crane', npmDocument(`${upstream.url}crane.tgz`)]])
    upstream.misbehave = (request, response, bytes) => {
      if (request.headers['if-none-match'] === undefined) response.writeHead(200, { 'etag': '"1"', 'content-length': bytes?.length ?? 0 }).end(bytes)
      else response.writeHead(304).end()
      return true
    }
    const sources = [{ type: 'npm', name: 'registry', upstreams: [upstream.url] }] as const
    {
      await using proxy = await openTestProxy(sources, { folder })
      await proxy.get('/npm/registry/crane')
      await rm(join(folder, 'refs/proxy'), { recursive: true })
      proxy.later(60_000)
      expect((await proxy.get('/npm/registry/crane')).status).toBe(200)
    }
    await using proxy = await openTestProxy(sources, { folder, online: false })
    expect((await proxy.get('/npm/registry/crane')).status).toBe(200)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})

test('a package that is gone is not called out of date', async () => {
  await using upstream = await testUpstream()
  upstream.files = new Map([['crane', npmDocument(`${upstream.url}crane.tgz`)]])
  await using proxy = await openTestProxy([{ type: 'npm', name: 'registry', upstreams: [upstream.url] }], { limits: { rounds: 1 } })
  await proxy.get('/npm/registry/crane')
  upstream.misbehave = (_request, response) => {
    response.writeHead(500, { 'content-length': 0 }).end()
    return true
  }
  proxy.later(60_000)
  await proxy.get('/npm/registry/crane')
  expect(proxy.proxy.state.stale).toHaveLength(1)
  upstream.misbehave = () => false
  upstream.files.clear()
  proxy.later(60_000)
  expect((await proxy.get('/npm/registry/crane')).status).toBe(404)
  expect(proxy.proxy.state.stale).toEqual([])
})

test('names of npm are what they are, odd ones too', () => {
  expect(npmRegistry.route('-/-/--1.0.0.tgz')).toEqual({ kind: 'file', name: '-', file: '--1.0.0.tgz' })
  expect(npmRegistry.route('__proto__')).toEqual({ kind: 'index', name: '__proto__' })
  for (const path of ['@/x', '@a/../x', 'a/-/../b.tgz', '.x', '@a', '@a/.x']) expect([path, npmRegistry.route(path)]).toEqual([path, undefined])
})

test('a size that an index has wrong cuts nothing off what the store has', async () => {
  await using upstream = await testUpstream(new Map([['simple/crane/', pythonPackage(undefined)], ['crane-1.0.tar.gz', BYTES]]))
  await using proxy = await openTestProxy([{ type: 'pypi', name: 'python', upstreams: [`${upstream.url}simple/`] }], { limits: { rounds: 1 } })
  expect((await proxy.get('/pypi/python/files/crane/crane-1.0.tar.gz')).body.equals(BYTES)).toBe(true)
  await using second = await testUpstream(new Map([['simple/crane/', pythonPackage(10)], ['crane-1.0.tar.gz', BYTES]]))
  proxy.proxy.follow([{ type: 'pypi', name: 'python', upstreams: [`${second.url}simple/`] }])
  const got = await proxy.get('/pypi/python/files/crane/crane-1.0.tar.gz')
  expect([got.status, got.body.length]).toEqual([200, BYTES.length])
})

test('a file that the store has is had by its SHA-256, offline too', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'crowbar-proxy-'))
  try {
    await using upstream = await testUpstream(new Map([['simple/crane/', pythonPackage(undefined)], ['crane-1.0.tar.gz', BYTES]]))
    const sources = [{ type: 'pypi', name: 'python', upstreams: [`${upstream.url}simple/`] }] as const
    {
      await using proxy = await openTestProxy(sources, { folder })
      await proxy.get('/pypi/python/simple/crane/')
      await proxy.store.put(BYTES)
    }
    await using proxy = await openTestProxy(sources, { folder, online: false })
    expect((await proxy.get('/pypi/python/files/crane/crane-1.0.tar.gz')).status).toBe(200)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})

test('a package that is asked for is not forgotten meanwhile, however many others come', { timeout: 60_000 }, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'crowbar-proxy-'))
  try {
    await using upstream = await testUpstream()
    upstream.files = new Map([['a.tgz', BYTES], ['b.tgz', OTHER], ...Array.from({ length: 230 }, (_, i) => [`p${String(i)}`, npmPackage(`p${String(i)}`, upstream.url)] as const)])
    const sources = [{ type: 'npm', name: 'registry', upstreams: [upstream.url] }] as const
    {
      await using proxy = await openTestProxy(sources, { folder, unsettled: true })
      let go: () => void = () => undefined
      upstream.misbehave = (request, response) => {
        if (request.url !== '/a.tgz') return false
        go = () => response.end(BYTES)
        return true
      }
      const a = proxy.get('/npm/registry/p0/-/p0-1.0.0.tgz')
      while (upstream.asked.at(-1) !== 'a.tgz') await sleep(5)
      // Many at once: each waits for the disk, and the one that is held up may wait only so long.
      const others = await Promise.all(Array.from({ length: 229 }, (_, i) => proxy.get(`/npm/registry/p${String(i + 1)}`)))
      expect(others.filter(({ status }) => status !== 200)).toEqual([])
      await proxy.get('/npm/registry/p0', { headers: { accept: 'application/vnd.npm.install-v1+json' } })
      go()
      expect((await a).status).toBe(200)
      expect((await proxy.get('/npm/registry/p0/-/p0-2.0.0.tgz')).status).toBe(200)
      await proxy.proxy.settled()
    }
    await using proxy = await openTestProxy(sources, { folder, online: false })
    expect((await proxy.get('/npm/registry/p0/-/p0-2.0.0.tgz')).status).toBe(200)
    expect((await proxy.get('/npm/registry/p0/-/p0-1.0.0.tgz')).status).toBe(200)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})

test('that an index names no file is not said for certain when it could not be looked at', async () => {
  await using upstream = await testUpstream()
  upstream.files = new Map([['crane', npmPackage('crane', upstream.url)]])
  await using proxy = await openTestProxy([{ type: 'npm', name: 'registry', upstreams: [upstream.url] }], { limits: { rounds: 1 } })
  await proxy.get('/npm/registry/crane')
  expect((await proxy.get('/npm/registry/crane/-/crane-3.0.0.tgz')).status).toBe(404)
  upstream.misbehave = (_request, response) => {
    response.writeHead(500, { 'content-length': 0 }).end()
    return true
  }
  expect((await proxy.get('/npm/registry/crane/-/crane-3.0.0.tgz')).status).toBe(502)
})

test('that nothing changed is no answer to a question for the whole', async () => {
  await using upstream = await testUpstream()
  upstream.files = new Map([['crane', npmPackage('crane', upstream.url)]])
  await using proxy = await openTestProxy([{ type: 'npm', name: 'registry', upstreams: [upstream.url] }], { limits: { rounds: 1 } })
  upstream.misbehave = (_request, response) => {
    response.writeHead(304).end()
    return true
  }
  expect((await proxy.get('/npm/registry/crane')).status).toBe(502)
  upstream.misbehave = () => false
  expect((await proxy.get('/npm/registry/crane')).status).toBe(200)
  upstream.misbehave = (_request, response) => {
    response.writeHead(304).end()
    return true
  }
  proxy.later(60_000)
  expect((await proxy.get('/npm/registry/crane')).status).toBe(200)
  expect((await proxy.get('/npm/registry/crane/-/crane-1.0.0.tgz')).status).toBe(502)
})

test('many clients at once are one question for an index and one for a file', async () => {
  await using upstream = await testUpstream()
  upstream.files = new Map([['crane', npmPackage('crane', upstream.url)], ['a.tgz', BYTES]])
  await using proxy = await openTestProxy([{ type: 'npm', name: 'registry', upstreams: [upstream.url] }], { limits: { rounds: 1 } })
  const all = await Promise.all(Array.from({ length: 200 }, (_, i) => proxy.get(i % 2 === 0 ? '/npm/registry/crane' : '/npm/registry/crane/-/crane-1.0.0.tgz')))
  expect(all.every(one => one.status === 200)).toBe(true)
  // A file asks for the smaller form of the index, unless the other is there already.
  expect(['crane crane a.tgz', 'crane a.tgz']).toContain(upstream.asked.join(' '))
})

test('what was had by one form of an index is not had again by the other', async () => {
  await using upstream = await testUpstream()
  upstream.files = new Map([['crane', npmPackage('crane', upstream.url)], ['a.tgz', BYTES]])
  let go = (): void => undefined
  upstream.misbehave = (request, response, bytes) => {
    // The form that files are looked up in first comes last.
    if (request.headers.accept?.includes('install-v1') !== true) return false
    go = () => response.writeHead(200).end(bytes)
    return true
  }
  await using proxy = await openTestProxy([{ type: 'npm', name: 'registry', upstreams: [upstream.url] }], { limits: { rounds: 1 }, unsettled: true })
  const late = proxy.get('/npm/registry/crane/-/crane-1.0.0.tgz')
  while (upstream.asked.length < 1) await sleep(5)
  expect((await proxy.get('/npm/registry/crane')).status).toBe(200)
  expect((await proxy.get('/npm/registry/crane/-/crane-1.0.0.tgz')).body.equals(BYTES)).toBe(true)
  go()
  expect((await late).body.equals(BYTES)).toBe(true)
  expect(upstream.asked).toEqual(['crane', 'crane', 'a.tgz'])
})

test('an answer of any length makes no long message', async () => {
  await using upstream = await testUpstream(new Map([['crane', Buffer.from(JSON.stringify({ name: 'x'.repeat(1_000_000), versions: {} }))]]))
  await using proxy = await openTestProxy([{ type: 'npm', name: 'registry', upstreams: [upstream.url] }], { limits: { rounds: 1 } })
  expect((await proxy.get('/npm/registry/crane')).body.length).toBeLessThan(500)
})

test('an index that is collected while its upstream says that it did not change is had again', async () => {
  await using upstream = await testUpstream()
  const doc = Buffer.from(JSON.stringify({ name: 'crane', versions: {} }))
  upstream.files = new Map([['crane', doc]])
  let go = (): void => undefined
  upstream.misbehave = (request, response, bytes) => {
    if (request.headers['if-none-match'] === undefined) response.writeHead(200, { etag: '"1"' }).end(bytes)
    else go = () => response.writeHead(304).end()
    return true
  }
  await using proxy = await openTestProxy([{ type: 'npm', name: 'registry', upstreams: [upstream.url] }], { limits: { rounds: 1, patienceMs: 30 }, unsettled: true })
  expect((await proxy.get('/npm/registry/crane')).status).toBe(200)
  proxy.later(60_000)
  const first = proxy.get('/npm/registry/crane')
  while (upstream.asked.length < 2) await sleep(5)
  await rm(proxy.store.path(hashOf(doc)))
  setTimeout(() => go(), 100)
  const second = await proxy.get('/npm/registry/crane', { headers: { host: 'other' } })
  expect([(await first).status, second.status]).toEqual([200, 200])
})
