import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { LockedPackage } from '../../../schemas/artifacts.ts'
import type { Plan } from '../../../schemas/plan.ts'
import { stageStatusText } from '../../../agent/cli/stage/plan.ts'
import { hashOf } from '../../../agent/stage/object-hash.ts'
import { openStore } from '../../../agent/stage/store.ts'
import { discoveryOrder, orderReference, stageOrder } from '../../../agent/stager/order.ts'
import { stageStatus } from '../../../agent/stager/stage-status.ts'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'crowbar-status-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const locked = (content: string): LockedPackage => ({ version: '1.2', architecture: 'all', from: 'bookworm', path: 'pool/x.deb', sha256: hashOf(content).slice('sha256:'.length), bytes: 1_000_000 })
const step = (id: string, kind: string, artifacts: readonly string[], attributes: string | null = null): unknown => ({ id, kind, artifacts, attributes })
const PLAN = {
  artifacts: { 'rootfs-d': { kind: 'rootfs', os: 'd', packages: [], locked: 'sha256:rrrr' }, 'packages-d': { kind: 'packages', os: 'd', packages: ['curl'], locked: 'sha256:aaaaaaaaaaaabbbb' }, 'packages-r': { kind: 'packages', os: 'r', packages: ['x'] } },
  systems: {
    d: { family: 'debian', version: '12', architecture: 'amd64', install: 'image', source: 's', packages: [] },
    r: { family: 'rhel', version: '9', architecture: 'amd64', install: 'image', source: null, packages: [] },
  },
  nodes: { a: { admin: false, os: 'd' } },
  sources: { s: { type: 'apt', upstream: 'system', suites: ['bookworm'], components: ['main'] } },
  steps: [step('stage/rootfs-d', 'stage', ['rootfs-d'], 'base'), step('stage/packages-d', 'stage', ['packages-d'], 'document'), step('d/web@a', 'role', ['packages-d']), step('d/web@b', 'role', ['packages-d'])],
  values: {
    base: { parts: { packages: 'q', releases: 'r', wanted: 'w' } }, document: { parts: { packages: 'p', releases: 'r', wanted: 'w' } }, r: [{ suite: 'bookworm', date: 'Sat, 11 Jul 2026 10:16:37 UTC', sha256: '' }], w: ['curl'],
    p: { curl: locked('one'), libcurl4: locked('two') }, q: { base: locked('zero') },
  },
} as unknown as Plan

test('what is locked is the order, with the packages that the root filesystem has', () => {
  expect(stageOrder('packages-d', PLAN)).toMatchObject({ kind: 'packages', locked: { packages: { base: {}, curl: {}, libcurl4: {} } } })
  expect(stageOrder('rootfs-d', PLAN)).toMatchObject({ kind: 'rootfs', locked: { wanted: ['curl'], epoch: 1_783_764_997, packages: { base: {} } } })
})

test('the status of a store says what is there, what misses and who wants it', async () => {
  const store = await openStore(join(folder, 'store'))
  await store.put(Buffer.from('one'))
  const [packages, strange] = await stageStatus(PLAN, store)
  expect(packages).toEqual({
    set: 'packages-d', os: 'd', sources: [{ name: 's', upstreams: ['system'] }], locked: 'sha256:aaaaaaaaaaaabbbb', staged: false, problem: null,
    files: { wanted: 2, present: 1, bytes: 2_000_000, missingBytes: 1_000_000 }, missing: ['libcurl4 1.2'], wantedBy: ['d/web@a', 'd/web@b'],
  })
  expect(strange).toMatchObject({ set: 'packages-r', staged: false, files: null, problem: 'only Debian systems with an apt source that names a suite can be staged, and r is not one' })
  expect(stageStatusText(packages === undefined ? [] : [packages])).toContain('packages-d: misses libcurl4 1.2; wanted by d/web@a and 1 more\n')

  const packagesOf = (...contents: string[]) => contents.map(one => ({ name: one, version: '1', architecture: 'all', path: `${one}.deb`, hash: hashOf(one), bytes: one.length }))
  const manifest = { kind: 'apt-repository', version: 1, packages: packagesOf('one', 'two'), files: { Packages: { hash: (await store.put(Buffer.from('index'))).hash, bytes: 5 } } }
  const { hash } = await store.put(Buffer.from(JSON.stringify({ kind: 'packages', manifest: (await store.put(Buffer.from(JSON.stringify(manifest)))).hash })))
  await store.refer(orderReference(stageOrder('packages-d', PLAN)), hash)
  // One file of the repository went, and so the set is not staged, whoever says that it was.
  expect((await stageStatus(PLAN, store))[0]).toMatchObject({ staged: false, missing: ['libcurl4 1.2', 'two 1'] })
  await store.put(Buffer.from('two'))
  expect((await stageStatus(PLAN, store))[0]).toMatchObject({ staged: true })
})

test('the discovery image and sources that are staged whole stand beside artifact sets', async () => {
  const store = await openStore(join(folder, 'store'))
  const sources = { fw: { type: 'file', upstream: 'http://example.com/fw', sha256: hashOf('firmware').slice('sha256:'.length) }, wild: { type: 'file', upstream: 'http://example.com/x' }, app: { type: 'git', upstream: 'https://example.com/app.git' } }
  const plan = { ...PLAN, artifacts: {}, sources, steps: [step('discover@a', 'discover', []), step('install@a', 'install', [])].map(one => ({ ...(one as object), node: 'a' })) } as unknown as Plan
  const before = await stageStatus(plan, store)
  expect(before.map(({ set, staged, wantedBy }) => ({ set, staged, wantedBy }))).toEqual([
    { set: 'discovery', staged: false, wantedBy: ['discover@a', 'install@a'] }, { set: 'source/app', staged: false, wantedBy: [] },
    { set: 'source/fw', staged: false, wantedBy: [] }, { set: 'source/wild', staged: false, wantedBy: [] },
  ])
  expect(before[3]?.problem).toContain('no sha256')
  await store.put(Buffer.from('firmware'))
  expect((await stageStatus(plan, store))[2]).toMatchObject({ set: 'source/fw', staged: true })
  const joined = { ...plan, systems: { d: { ...PLAN.systems['d'], install: 'joined' } }, sources: {} } as unknown as Plan
  expect(await stageStatus(joined, store)).toEqual([])
})

test('a document of the store that lost a bit is named, and what it stood for is not staged', async () => {
  const store = await openStore(join(folder, 'store'))
  const orders = [stageOrder('packages-d', PLAN), discoveryOrder(PLAN)]
  const damaged: string[] = []
  for (const order of orders) {
    const { hash } = await store.put(Buffer.from(JSON.stringify({ kind: order.kind })))
    await store.refer(orderReference(order), hash)
    rmSync(store.path(hash))
    writeFileSync(store.path(hash), 'x')
    damaged.push(hash)
  }
  const status = (await stageStatus(PLAN, store)).filter(({ set }) => set === 'packages-d' || set === 'discovery')
  expect(status.map(({ staged, problem }) => [staged, problem?.split(' ')[0]])).toEqual(damaged.map(hash => [false, hash]))
})
