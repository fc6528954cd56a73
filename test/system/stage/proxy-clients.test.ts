import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openProxy } from '../../../agent/proxy/proxy.ts'
import type { Proxy } from '../../../agent/proxy/proxy.ts'
import { resolveSource } from '../../../agent/proxy/resolve-source.ts'
import { serveProxy } from '../../../agent/proxy/serve-proxy.ts'
import type { ProxySource } from '../../../agent/proxy/source.ts'
import { readHostApt } from '../../../agent/stage/site-sources.ts'
import type { HostApt } from '../../../agent/stage/site-sources.ts'
import { openStore } from '../../../agent/stage/store.ts'
import type { Store } from '../../../agent/stage/store.ts'
import { needDebianPackages } from '../debian-packages.ts'

const RELEASES = [['11', 'bullseye'], ['12', 'bookworm'], ['13', 'trixie']] as const
const ENVIRONMENT = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C.UTF-8', DEBIAN_FRONTEND: 'noninteractive' }
const parts = new AsyncDisposableStack()
let folder = ''
let store: Store
let host: HostApt

const run = async (program: string, ...args: string[]): Promise<string> => (await promisify(execFile)(program, args, { env: { ...ENVIRONMENT, HOME: folder }, maxBuffer: 64 * 1024 * 1024, timeout: 600_000 })).stdout

beforeAll(async () => {
  await needDebianPackages(['mmdebstrap', 'gpgv', 'git', 'curl', 'debian-archive-keyring'])
  folder = mkdtempSync(join(tmpdir(), 'crowbar-clients-'))
  store = await openStore(join(folder, 'store'))
  host = await readHostApt()
})
afterAll(async () => {
  await parts.disposeAsync()
  rmSync(folder, { recursive: true, force: true })
})

function debian(suite: string): Extract<ProxySource, { type: 'apt' }> {
  const source = resolveSource({ name: suite, type: 'apt', upstream: 'system', suites: [suite], components: ['main'], architectures: ['amd64'], keys: null, at: null, sha256: null }, host)
  if (source?.type !== 'apt') throw new TypeError('not an apt source')
  return source
}

async function serve(sources: readonly ProxySource[], online = true): Promise<AsyncDisposable & { readonly proxy: Proxy; readonly url: string }> {
  const proxy = openProxy({ store, sources, now: () => Date.now(), online: () => online, log: () => undefined })
  const server = await serveProxy(proxy, { address: '127.0.0.1', port: 0 })
  return {
    proxy, url: `http://127.0.0.1:${String(server.port)}`,
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]()
      await proxy[Symbol.asyncDispose]()
    },
  }
}

/** Lines of sources.list, by what this machine uses for the suite; TLS is the proxy's to speak. */
function lines({ archives }: Extract<ProxySource, { type: 'apt' }>): string[] {
  return archives.flatMap(({ upstreams, suites, trust }) => suites.map(suite => {
    const by = trust.kind === 'unsigned' ? '[trusted=yes] ' : trust.kind === 'files' && trust.paths.length > 0 ? `[signed-by=${trust.paths.filter(path => existsSync(path)).join(',')}] ` : ''
    return `deb ${by}${(upstreams[0] ?? '').replace('https:', 'http:')} ${suite} main`
  }))
}

/** A system with apt in it, and a package that its own apt has installed afterwards; all by the proxy. @returns versions of all packages. */
async function bootstrap(suite: string, proxy: string): Promise<string> {
  const root = join(folder, suite)
  mkdirSync(root)
  // The system has no keyring of this machine: what it fetched is not asked for again under another key.
  const inside = 'chroot "$1" apt-get -qq -y -o APT::Install-Recommends=false install hello && chroot "$1" hello'
  try {
    await run('mmdebstrap', '--quiet', '--mode=root', '--variant=apt', '--architectures=amd64', `--aptopt=Acquire::http::Proxy "${proxy}"`, `--customize-hook=${inside}`, suite, root, ...lines(debian(suite)))
    return await run('dpkg-query', `--admindir=${root}/var/lib/dpkg`, '--show')
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
}

test.each(RELEASES)('mmdebstrap makes a Debian %s by the proxy, and apt in it installs a package', async (_, suite) => {
  await using served = await serve([debian(suite)])
  const installed = await bootstrap(suite, served.url)
  expect(installed).toMatch(/^apt\t/m)
  expect(installed).toMatch(/^hello\t/m)
  expect(served.proxy.state.counters.requests).toMatchObject({ failed: 0, refused: 0 })
  expect(served.proxy.state.counters.bytes.upstream).toBeGreaterThan(10_000_000)
})

test('what was had once is had again offline, the same packages', async () => {
  const before = await (async () => {
    await using served = await serve([debian('bookworm')])
    return await bootstrap('bookworm', served.url)
  })()
  await using offline = await serve([debian('bookworm')], false)
  expect(await bootstrap('bookworm', offline.url)).toBe(before)
  expect(offline.proxy.state.counters).toMatchObject({ requests: { failed: 0, miss: 0 }, bytes: { upstream: 0 } })
})

test('curl has ranges of a package, and goes on with one', async () => {
  const source = debian('bookworm')
  await using served = await serve([source])
  const base = (source.archives[0]?.upstreams[0] ?? '').replace('https:', 'http:').replace(/\/*$/, '/')
  const index = join(folder, 'Packages.xz')
  const curl = (...args: string[]): Promise<string> => run('curl', '--silent', '--show-error', '--fail', '--proxy', served.url, ...args)
  await curl('--output', index, `${base}dists/bookworm/main/binary-amd64/Packages.xz`)
  const stanza = (await run('xz', '-dc', index)).split('\n\n').find(one => one.startsWith('Package: hello\n')) ?? ''
  const [path = '', sha256 = ''] = ['Filename', 'SHA256'].map(name => new RegExp(`^${name}: (.*)$`, 'm').exec(stanza)?.[1] ?? '')
  const [whole, part] = [join(folder, 'whole.deb'), join(folder, 'part.deb')]
  await curl('--output', part, '--range', '100-1099', base + path)
  await curl('--output', whole, base + path)
  const bytes = readFileSync(whole)
  expect(createHash('sha256').update(bytes).digest('hex')).toBe(sha256)
  expect(readFileSync(part).equals(bytes.subarray(100, 1_100))).toBe(true)
  writeFileSync(part, bytes.subarray(0, 20_000))
  await curl('--output', part, '--continue-at', '-', base + path)
  expect(readFileSync(part).equals(bytes)).toBe(true)
})

test('git clones by the proxy, and fetches what came since', async () => {
  const upstream = join(folder, 'upstream')
  const git = (...args: string[]): Promise<string> => run('git', '-c', 'user.name=t', '-c', 'user.email=t@example.com', ...args)
  await git('init', '--quiet', '--initial-branch=trunk', upstream)
  await git('-C', upstream, 'commit', '--quiet', '--allow-empty', '-m', 'one')
  const proxy = parts.use(openProxy({ store, sources: [{ type: 'git', name: 'app', upstreams: [upstream] }], now: () => Date.now(), log: () => undefined, limits: { maxAgeMs: 0 } }))
  const { port } = parts.use(await serveProxy(proxy, { address: '127.0.0.1', port: 0 }))
  const clone = join(folder, 'clone')
  await git('clone', '--quiet', `http://127.0.0.1:${String(port)}/git/app.git`, clone)
  await git('-C', upstream, 'commit', '--quiet', '--allow-empty', '-m', 'two')
  await git('-C', clone, 'fetch', '--quiet')
  expect(await git('-C', clone, 'log', '--format=%s', 'origin/trunk')).toBe('two\none\n')
})
