import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { lockedOf, openAptRoot } from '../../../agent/stage/apt-root.ts'
import type { AptRoot } from '../../../agent/stage/apt-root.ts'
import { fetchLocked } from '../../../agent/stage/fetch-locked.ts'
import { hashOf } from '../../../agent/stage/object-hash.ts'
import { aptSourcesOf } from '../../../agent/stage/site-sources.ts'
import type { SiteSource } from '../../../agent/stage/site-sources.ts'
import { openStore } from '../../../agent/stage/store.ts'
import type { Store } from '../../../agent/stage/store.ts'
import { openSources } from '../../../agent/stager/use-sources.ts'
import { archive } from '../../builders/archive.ts'
import { outerProxy } from '../../builders/outer-proxy.ts'
import { openSigner } from '../../builders/signer.ts'
import type { Signer } from '../../builders/signer.ts'
import { testUpstream } from '../../builders/upstream.ts'
import { needDebianPackages } from '../debian-packages.ts'

const HOST = { sources: [], keyrings: [] }
const options = { upstreamProxy: null, signal: AbortSignal.timeout(120_000), onProgress: () => {} }
let signer: Signer
let folder = ''
let store: Store

beforeAll(async () => {
  await needDebianPackages(['gpg', 'gpg-agent', 'gpgv'])
  signer = openSigner(['debian', 'vendor'])
})
afterAll(() => signer[Symbol.dispose]())
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'crowbar-sources-'))
  store = await openStore(join(folder, 'store'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const package_ = (name: string, version: string, more = ''): { readonly path: string; readonly bytes: Buffer; readonly control: string } =>
  ({ path: `pool/${name}_${version}_amd64.deb`, bytes: Buffer.from(`${name} ${version}`), control: `Package: ${name}\nVersion: ${version}\nArchitecture: amd64\n${more}` })

function repository(suite: string, by: string, packages: readonly ReturnType<typeof package_>[]): Map<string, Buffer> {
  const below = suite.endsWith('/') ? '' : `dists/${suite}/`
  const files = archive({ folder: below, suite: suite.replace('./', 'flat'), packages: Object.fromEntries(packages.map(one => [one.path, one.bytes])), control: Object.fromEntries(packages.map(one => [one.path, one.control])) })
  return signer.sign(files, { by, inline: true, folder: below })
}

const source = (name: string, by: string, more: Partial<SiteSource>): SiteSource =>
  ({ name, upstream: [], suites: ['stable'], components: ['main'], architectures: [], keys: signer.gpg('--armor', '--export', by).toString('base64'), at: `sources.yaml:7:10`, ...more })

async function openApt(sources: readonly SiteSource[]): Promise<AptRoot> {
  const opened = openSources(sources, { store, ...options })
  try {
    const apt = await openAptRoot({ store, status: '', architecture: 'amd64', ...await opened.use(), ...options })
    return { ...apt, [Symbol.asyncDispose]: async () => (await opened[Symbol.asyncDispose](), apt[Symbol.asyncDispose]()) }
  } catch (error) {
    await opened[Symbol.asyncDispose]()
    throw error
  }
}

const lib = package_('lib', '1.0')
const newer = package_('lib', '1.0+deb1')
const app = package_('app', '3', 'Depends: lib\n')

test('packages come from every source of a system, each believed by its own keys, from whichever address answers', async () => {
  await using debian = await testUpstream(new Map([...repository('stable', 'debian', [lib]), ...repository('stable-security', 'debian', [newer])]))
  await using vendor = await testUpstream(repository('./', 'vendor', [app]))
  await using dead = await testUpstream()
  await dead.kill()
  const site = [
    source('debian', 'debian', { upstream: [dead.url, debian.url], suites: ['stable', 'stable-security'] }),
    source('vendor', 'vendor', { upstream: vendor.url, suites: ['./'], components: [], keys: signer.gpg('--export', 'vendor').toString('base64') }),
  ]
  await using apt = await openApt(site)
  const found = (await apt.resolve(['app'])).map(one => [one.name, lockedOf(one)] as const)
  expect(found).toMatchObject([['app', { version: '3', from: './', source: 'vendor', path: app.path }], ['lib', { version: '1.0+deb1', from: 'stable', path: newer.path }]])
  expect(found[1]?.[1]).not.toHaveProperty('source')
  expect(apt.releases.map(one => one.suite)).toEqual(['flat', 'stable', 'stable-security'])

  await fetchLocked(Object.fromEntries(found), { store, sources: () => Promise.resolve(aptSourcesOf(site, HOST)), ...options })
  expect([await store.has(hashOf(app.bytes)), await store.has(hashOf(newer.bytes))]).toEqual([true, true])
  expect(debian.asked.filter(path => path.includes('app_'))).toEqual([])
  expect(vendor.asked.filter(path => path.includes('lib_'))).toEqual([])

  // Next time nothing of the indexes that is unchanged comes again, and when no source answers the last ones count.
  await vendor.kill()
  await debian.kill()
  await using again = await openApt(site)
  expect((await again.resolve(['app'])).map(one => one.name)).toEqual(['app', 'lib'])
})

test('a source that is signed by another key is refused, and the error names it and where its keyring is said', async () => {
  await using debian = await testUpstream(repository('stable', 'debian', [lib]))
  await using vendor = await testUpstream(repository('./', 'vendor', [app]))
  const own = source('debian', 'debian', { upstream: debian.url })
  const wrong = source('vendor', 'debian', { upstream: [vendor.url, vendor.url], suites: ['./'], components: [], at: 'site/vendor.yaml:12:3' })
  await expect(openApt([own, wrong])).rejects.toMatchObject({ code: 'APT_UNTRUSTED', message: expect.stringMatching(/^the source vendor \(site\/vendor\.yaml:12:3\) is not signed by a key of its keyring: /), data: { source: 'vendor', at: 'site/vendor.yaml:12:3' } })
  // That indexes of before are there does not help it.
  await expect(openApt([own, wrong])).rejects.toMatchObject({ code: 'APT_UNTRUSTED' })
  vendor.files = archive({ folder: '', packages: {} })
  await expect(openApt([own, wrong])).rejects.toMatchObject({ code: 'APT_UNTRUSTED' })
})

test('a source that cannot be read at all is named', async () => {
  await using debian = await testUpstream(repository('stable', 'debian', [lib]))
  const gone = source('vendor', 'vendor', { upstream: 'http://127.0.0.1:9/vendor', at: 'site/vendor.yaml:12:3' })
  await expect(openApt([source('debian', 'debian', { upstream: debian.url }), gone])).rejects.toMatchObject({ message: expect.stringContaining('the source vendor (site/vendor.yaml:12:3) cannot be read: ') })
})

test('what the site names is asked through the proxy that is configured: indexes, and files that are locked', async () => {
  await using debian = await testUpstream(repository('stable', 'debian', [lib]))
  await using outer = await outerProxy()
  const site = [source('debian', 'debian', { upstream: debian.url })]
  {
    await using opened = openSources(site, { store, ...options, upstreamProxy: outer.url })
    await using apt = await openAptRoot({ store, status: '', architecture: 'amd64', ...await opened.use(), ...options })
    const found = Object.fromEntries((await apt.resolve(['lib'])).map(one => [one.name, lockedOf(one)]))
    expect(outer.asked).toContain(`GET ${debian.url}dists/stable/InRelease`)
    await fetchLocked(found, { store, sources: () => Promise.resolve(aptSourcesOf(site, HOST)), ...options, upstreamProxy: outer.url })
  }
  expect(await store.has(hashOf(lib.bytes))).toBe(true)
  expect(outer.asked).toContain(`GET ${debian.url}${lib.path}`)
})
