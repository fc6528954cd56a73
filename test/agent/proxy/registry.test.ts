import { execFile } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { npmRegistry } from '../../../agent/proxy/registry/npm-registry.ts'
import { pythonIndex } from '../../../agent/proxy/registry/python-index.ts'
import { hashOf } from '../../../agent/stage/object-hash.ts'
import { testUpstream } from '../../builders/upstream.ts'
import { openTestProxy } from './open-test-proxy.ts'
import fc from '../../property.ts'

const TARBALL = randomBytes(200_000)
const sum = (algorithm: string, bytes: Buffer, as: 'hex' | 'base64' = 'hex'): string => createHash(algorithm).update(bytes).digest(as)

function packument(name: string, versions: Readonly<Record<string, Record<string, unknown>>>): Buffer {
  return Buffer.from(JSON.stringify({ name, 'dist-tags': { latest: Object.keys(versions).at(-1) }, 'versions': Object.fromEntries(Object.entries(versions).map(([version, dist]) => [version, { name, version, dist }])) }))
}

/** An upstream with `crane`, `@quay/crane` and what it is told beside them. */
async function npmUpstream(bytes: Buffer = TARBALL): ReturnType<typeof testUpstream> {
  const upstream = await testUpstream()
  const dist = (tarball: string): Record<string, unknown> => ({ tarball: `${upstream.url}${tarball}`, integrity: `sha512-${sum('sha512', TARBALL, 'base64')}`, shasum: sum('sha1', TARBALL) })
  upstream.files = new Map([
    ['crane', packument('crane', { '1.0.0': { ...dist('crane/-/crane-1.0.0.tgz'), integrity: undefined }, '1.1.0': dist('crane/-/crane-1.1.0.tgz') })],
    ['@quay/crane', packument('@quay/crane', { '2.0.0': dist('download/9f/odd') })],
    ['crane/-/crane-1.0.0.tgz', bytes], ['crane/-/crane-1.1.0.tgz', bytes], ['download/9f/odd', bytes],
  ])
  return upstream
}

const PYTHON = randomBytes(150_000)
const METADATA = Buffer.from('Metadata-Version: 2.1\nName: crane\nVersion: 1.0\n')
const HTML = `<!DOCTYPE html><html><!-- <a href="no">no</a> --><body>
<a href="../../packages/crane-1.0.tar.gz#sha256=${sum('sha256', PYTHON)}" data-requires-python="&gt;=3.7" data-yanked="it &quot;broke&quot;">crane-1.0.tar.gz</a>
<a href='../../packages/crane-1.0-py3-none-any.whl#sha256=${sum('sha256', PYTHON)}' data-core-metadata="sha256=${sum('sha256', METADATA)}">crane-1.0-py3-none-any.whl</a>
<a href="../../packages/crane-0.9.tar.gz#md5=d41d8cd98f00b204e9800998ecf8427e">crane-0.9.tar.gz</a>
<a href="file:///etc/shadow#sha256=${sum('sha256', PYTHON)}">crane-0.8.tar.gz</a>
</body></html>`

async function pythonUpstream(index: string | Buffer = HTML, bytes: Buffer = PYTHON): ReturnType<typeof testUpstream> {
  return testUpstream(new Map([['simple/crane/', Buffer.from(index)], ['packages/crane-1.0.tar.gz', bytes], ['packages/crane-1.0-py3-none-any.whl', bytes], ['packages/crane-1.0-py3-none-any.whl.metadata', METADATA]]))
}

test('npm has packages and their tarballs, scoped ones too, each asked for once', async () => {
  await using upstream = await npmUpstream()
  await using proxy = await openTestProxy([{ type: 'npm', name: 'registry', upstreams: [upstream.url] }])
  const index = JSON.parse((await proxy.get('/npm/registry/@quay%2fcrane', { headers: { accept: 'application/vnd.npm.install-v1+json' } })).body.toString()) as { versions: Record<string, { dist: { tarball: string } }> }
  expect(index.versions['2.0.0']?.dist.tarball).toBe(`${proxy.url}/npm/registry/@quay/crane/-/crane-2.0.0.tgz`)
  const both = await Promise.all([1, 2].map(() => proxy.get('/npm/registry/@quay/crane/-/crane-2.0.0.tgz')))
  expect(both.map(one => one.body.equals(TARBALL))).toEqual([true, true])
  expect((await proxy.get('/npm/registry/crane/-/crane-1.0.0.tgz', { headers: { range: 'bytes=-7' } })).body.equals(TARBALL.subarray(-7))).toBe(true)
  // The tarball of crane has the same bytes, but a SHA-1 alone says so.
  expect(upstream.asked).toEqual(['@quay/crane', 'download/9f/odd', 'crane', 'crane/-/crane-1.0.0.tgz'])
})

test('npm itself installs from the proxy, and again when the upstream is gone', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'crowbar-npm-'))
  try {
    await mkdir(join(folder, 'package'))
    await writeFile(join(folder, 'package/package.json'), JSON.stringify({ name: 'crane', version: '1.1.0', main: 'index.js' }))
    await writeFile(join(folder, 'package/index.js'), 'module.exports = 7\n')
    await promisify(execFile)('tar', ['-czf', 'crane.tgz', 'package'], { cwd: folder })
    const tarball = await readFile(join(folder, 'crane.tgz'))
    await using upstream = await testUpstream()
    upstream.files = new Map([['crane', packument('crane', { '1.1.0': { tarball: `${upstream.url}crane/-/crane-1.1.0.tgz`, integrity: `sha512-${sum('sha512', tarball, 'base64')}` } })], ['crane/-/crane-1.1.0.tgz', tarball]])
    await using proxy = await openTestProxy([{ type: 'npm', name: 'registry', upstreams: [upstream.url] }], { limits: { rounds: 1 } })
    const install = async (place: string): Promise<string> => {
      await mkdir(join(folder, place))
      await writeFile(join(folder, place, 'package.json'), JSON.stringify({ name: 'user', version: '1.0.0', dependencies: { crane: '^1.0.0' } }))
      const env = { ...process.env, npm_config_registry: `${proxy.url}/npm/registry/`, npm_config_cache: join(folder, `${place}-cache`), npm_config_fetch_retries: '0', npm_config_omit_lockfile_registry_resolved: 'false' }
      await promisify(execFile)('npm', ['install', '--no-audit', '--no-fund', '--no-update-notifier'], { cwd: join(folder, place), env })
      return (JSON.parse(await readFile(join(folder, place, 'package-lock.json'), 'utf8')) as { packages: Record<string, { resolved: string }> }).packages['node_modules/crane']?.resolved ?? ''
    }
    expect(await install('first')).toBe(`${proxy.url}/npm/registry/crane/-/crane-1.1.0.tgz`)
    await upstream.kill()
    proxy.later(60_000)
    await install('second')
    expect(await readFile(join(folder, 'second/node_modules/crane/index.js'), 'utf8')).toBe('module.exports = 7\n')
    expect(proxy.proxy.state.stale).toEqual([{ source: 'registry', suite: 'crane', because: expect.stringContaining('crane of registry') }])
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})

test('a simple index is told as HTML or JSON, whichever the upstream has, without what nothing vouches for', async () => {
  const json = { meta: { 'api-version': '1.1' }, name: 'crane', versions: ['1.0'], files: [
    { 'filename': 'crane-1.0.tar.gz', 'url': '../../packages/crane-1.0.tar.gz', 'hashes': { sha256: sum('sha256', PYTHON) }, 'size': PYTHON.length, 'requires-python': '>=3.7', 'yanked': 'it "broke"' },
    { 'filename': 'crane-1.0-py3-none-any.whl', 'url': '../../packages/crane-1.0-py3-none-any.whl', 'hashes': { sha256: sum('sha256', PYTHON) }, 'yanked': false, 'core-metadata': { sha256: sum('sha256', METADATA) } },
    { filename: 'crane-0.9.tar.gz', url: '../../packages/crane-0.9.tar.gz', hashes: { md5: 'd41d8cd98f00b204e9800998ecf8427e' } },
    { filename: '../../../etc/passwd', url: '../../packages/crane-1.0.tar.gz', hashes: { sha256: sum('sha256', PYTHON) } },
  ] }
  for (const index of [HTML, JSON.stringify(json)]) {
    await using upstream = await pythonUpstream(index)
    await using proxy = await openTestProxy([{ type: 'pypi', name: 'python', upstreams: [`${upstream.url}simple/`] }])
    const html = (await proxy.get('/pypi/python/simple/Crane/')).body.toString()
    expect(html.match(/<a .*<\/a>/g)).toEqual([
      `<a href="/pypi/python/files/crane/crane-1.0.tar.gz#sha256=${sum('sha256', PYTHON)}" data-requires-python="&#62;=3.7" data-yanked="it &#34;broke&#34;">crane-1.0.tar.gz</a>`,
      `<a href="/pypi/python/files/crane/crane-1.0-py3-none-any.whl#sha256=${sum('sha256', PYTHON)}" data-core-metadata="sha256=${sum('sha256', METADATA)}" data-dist-info-metadata="sha256=${sum('sha256', METADATA)}">crane-1.0-py3-none-any.whl</a>`,
    ])
    const told = await proxy.get('/pypi/python/simple/crane/', { headers: { accept: 'application/vnd.pypi.simple.v1+json' } })
    expect(told.headers).toMatchObject({ 'content-type': 'application/vnd.pypi.simple.v1+json', 'vary': 'accept' })
    expect((JSON.parse(told.body.toString()) as { files: unknown[] }).files[0]).toMatchObject({ 'filename': 'crane-1.0.tar.gz', 'url': '/pypi/python/files/crane/crane-1.0.tar.gz', 'requires-python': '>=3.7', 'yanked': 'it "broke"' })
    for (const file of ['crane-1.0.tar.gz', 'crane-1.0-py3-none-any.whl']) expect((await proxy.get(`/pypi/python/files/crane/${file}`)).body.equals(PYTHON)).toBe(true)
    expect((await proxy.get('/pypi/python/files/crane/crane-1.0-py3-none-any.whl.metadata')).body.equals(METADATA)).toBe(true)
    expect((await proxy.get('/pypi/python/files/crane/crane-0.9.tar.gz')).status).toBe(404)
  }
})

test('a file that is not what the index says is given to nobody, and kept by nobody', async () => {
  const wrong = Buffer.from(TARBALL)
  wrong[9] = (wrong[9] ?? 0) ^ 1
  await using npm = await npmUpstream(wrong)
  await using python = await pythonUpstream(HTML, wrong)
  await using proxy = await openTestProxy([{ type: 'npm', name: 'registry', upstreams: [npm.url] }, { type: 'pypi', name: 'python', upstreams: [`${python.url}simple/`] }], { limits: { rounds: 1 } })
  for (const path of ['/npm/registry/crane/-/crane-1.0.0.tgz', '/npm/registry/crane/-/crane-1.1.0.tgz', '/pypi/python/files/crane/crane-1.0.tar.gz']) {
    const got = await proxy.get(path)
    expect([path, got.status, got.body.toString()]).toEqual([path, 502, expect.stringMatching(/its bytes have another SHA-(1|256|512) than the index says/)])
  }
  const kept: number[] = []
  for await (const { bytes } of proxy.store.objects()) kept.push(bytes)
  expect(kept).not.toContain(wrong.length)
  expect(await proxy.leftovers()).toEqual([])
})

test('a mirror that is behind or broken is passed over, and gets its files by its own base', async () => {
  await using first = await npmUpstream()
  await using second = await npmUpstream()
  first.files.delete('crane/-/crane-1.1.0.tgz')
  await using proxy = await openTestProxy([{ type: 'npm', name: 'registry', upstreams: [first.url, second.url] }], { limits: { rounds: 1 } })
  expect((await proxy.get('/npm/registry/crane/-/crane-1.1.0.tgz')).body.equals(TARBALL)).toBe(true)
  first.misbehave = (_request, response) => {
    response.writeHead(200, { 'content-length': 15 }).end('<html>sign in: ')
    return true
  }
  proxy.later(60_000)
  expect((await proxy.get('/npm/registry/@quay/crane')).status).toBe(200)
  expect(second.asked).toEqual(['crane/-/crane-1.1.0.tgz', '@quay/crane'])
})

test('a new version is seen after the time of an index, or at once by its file; one that was taken back is not told any more', async () => {
  await using upstream = await npmUpstream()
  await using proxy = await openTestProxy([{ type: 'npm', name: 'registry', upstreams: [upstream.url] }], { limits: { rounds: 1 } })
  const versions = async (): Promise<string[]> => Object.keys((JSON.parse((await proxy.get('/npm/registry/crane')).body.toString()) as { versions: object }).versions)
  expect(await versions()).toEqual(['1.0.0', '1.1.0'])
  const dist = { tarball: `${upstream.url}crane/-/crane-1.1.0.tgz`, integrity: `sha512-${sum('sha512', TARBALL, 'base64')}` }
  upstream.files.set('crane', packument('crane', { '1.1.0': dist, '1.2.0': dist }))
  expect(await versions()).toEqual(['1.0.0', '1.1.0'])
  expect((await proxy.get('/npm/registry/crane/-/crane-1.2.0.tgz')).body.equals(TARBALL)).toBe(true)
  proxy.later(60_000)
  expect(await versions()).toEqual(['1.1.0', '1.2.0'])
  expect((await proxy.get('/npm/registry/crane/-/crane-1.0.0.tgz')).status).toBe(404)
  // A file that is other than the index says is a reason to look at the index again.
  const [changed, tarball] = [randomBytes(1_000), `${upstream.url}crane/-/crane-1.3.0.tgz`]
  const told = (bytes: Buffer): void => void upstream.files.set('crane', packument('crane', { '1.3.0': { tarball, integrity: `sha512-${sum('sha512', bytes, 'base64')}` } }))
  upstream.files.set('crane/-/crane-1.3.0.tgz', changed)
  told(Buffer.from('what it was before'))
  expect((await proxy.get('/npm/registry/crane/-/crane-1.3.0.tgz')).status).toBe(502)
  told(changed)
  expect((await proxy.get('/npm/registry/crane')).status).toBe(200)
  expect((await proxy.get('/npm/registry/crane/-/crane-1.3.0.tgz')).body.equals(changed)).toBe(true)
  upstream.files.delete('crane')
  proxy.later(60_000)
  expect((await proxy.get('/npm/registry/crane')).status).toBe(404)
})

test('offline there is what was had before, and of the rest it is said what is missing', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'crowbar-proxy-'))
  try {
    await using upstream = await npmUpstream()
    await using python = await pythonUpstream()
    const sources = [{ type: 'npm', name: 'registry', upstreams: [upstream.url] }, { type: 'pypi', name: 'python', upstreams: [`${python.url}simple/`] }] as const
    {
      await using proxy = await openTestProxy(sources, { folder })
      for (const path of ['/npm/registry/crane', '/npm/registry/crane/-/crane-1.1.0.tgz', '/pypi/python/simple/crane', '/pypi/python/files/crane/crane-1.0.tar.gz']) expect((await proxy.get(path)).status).toBe(200)
    }
    const before = [upstream.asked.length, python.asked.length]
    await using proxy = await openTestProxy(sources, { folder, online: false })
    for (const path of ['/npm/registry/crane', '/npm/registry/crane/-/crane-1.1.0.tgz', '/pypi/python/simple/crane/', '/pypi/python/files/crane/crane-1.0.tar.gz']) expect([path, (await proxy.get(path)).status]).toEqual([path, 200])
    for (const [path, missing] of [['/npm/registry/other', 'the index of other of registry'], ['/npm/registry/crane/-/crane-1.0.0.tgz', 'crane-1.0.0.tgz of registry'], ['/pypi/python/files/crane/crane-1.0-py3-none-any.whl.metadata', 'crane-1.0-py3-none-any.whl.metadata of python']] as const) {
      const got = await proxy.get(path)
      expect([got.status, got.body.toString()]).toEqual([504, `crowbar: ${missing} is not in the store, and this admin node is offline\n`])
    }
    expect([upstream.asked.length, python.asked.length]).toEqual(before)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})

test('an index that was collected is had again; of one that lost a bit it is said what to do', async () => {
  await using upstream = await npmUpstream()
  await using proxy = await openTestProxy([{ type: 'npm', name: 'registry', upstreams: [upstream.url] }])
  expect((await proxy.get('/npm/registry/crane')).status).toBe(200)
  const kept = proxy.store.path(hashOf(upstream.files.get('crane') ?? Buffer.alloc(0)))
  await rm(kept)
  expect((await proxy.get('/npm/registry/crane', { headers: { accept: 'text/plain' } })).status).toBe(200)
  await rm(kept)
  await writeFile(kept, '{}')
  // Told under another name, so not from memory.
  const got = await proxy.get('/npm/registry/crane', { headers: { host: 'admin.example.com' } })
  expect([got.status, got.body.toString()]).toEqual([502, expect.stringContaining('is damaged: `crowbar stage verify')])
})

test('links of an index that was redirected are those of where it is', async () => {
  await using upstream = await pythonUpstream()
  upstream.misbehave = (request, response) => {
    if (request.url !== '/old/crane/') return false
    response.writeHead(301, { 'location': '/simple/crane/', 'content-length': 0 }).end()
    return true
  }
  await using proxy = await openTestProxy([{ type: 'pypi', name: 'python', upstreams: [`${upstream.url.replace('//', '//reader:secret@')}old/`] }])
  expect((await proxy.get('/pypi/python/files/crane/crane-1.0.tar.gz')).body.equals(PYTHON)).toBe(true)
  // Nothing that is kept has the password.
  for await (const { hash, bytes } of proxy.store.objects()) if (bytes < 100_000) expect((await proxy.store.read(hash)).toString()).not.toContain('secret')
})

test('a path that is none of a registry is answered by what there is', async () => {
  await using proxy = await openTestProxy([{ type: 'npm', name: 'registry', upstreams: ['http://127.0.0.1:9/'] }, { type: 'pypi', name: 'python', upstreams: ['http://127.0.0.1:9/'] }], { limits: { rounds: 1 } })
  expect((await proxy.get('/npm/registry/-/v1/search')).body.toString()).toBe('crowbar: -/v1/search: of the npm source registry there are PACKAGE, @SCOPE/PACKAGE and PACKAGE/-/FILE.tgz\n')
  for (const path of ['/pypi/python/simple/', '/pypi/python/files/crane', '/npm/registry/', '/npm/registry/a/b', '/npm/registry/%2e%2e%2fx', '/pypi/python/simple/%2e%2e/']) expect([path, (await proxy.get(path)).status]).toEqual([path, 404])
  expect((await proxy.get('/npm/registry/crane', { method: 'PUT' })).status).toBe(403)
})

test('no bytes make an index anything but an index or a plain error, in time', () => {
  const read = (kind: typeof npmRegistry, bytes: Buffer): void => {
    try {
      kind.read(bytes, 'crane', 'http://example.com/simple/crane/')
      kind.write(bytes, 'crane', { url: 'http://example.com/simple/crane/', base: 'http://admin/x/', contentType: 'text/html' })
    } catch (error) {
      expect(error instanceof SyntaxError || error instanceof TypeError).toBe(true)
    }
  }
  fc.assert(fc.property(fc.oneof(fc.json(), fc.string(), fc.array(fc.constantFrom('<a ', 'href="', '"', "'", '>', '</a>', '<!--', '-->', '<base href="x">', '&#x110000;', '#sha256=', 'a'.repeat(64), 'x-1.0.tar.gz', '<html>')).map(parts => parts.join(''))), text => {
    for (const kind of [npmRegistry, pythonIndex]) read(kind, Buffer.from(text))
  }))
  for (const part of ['<a "', '<!--', '<a href="x" ', '<', '<a>', '&#1', '<a href']) read(pythonIndex, Buffer.from(part.repeat(400_000)))
})
