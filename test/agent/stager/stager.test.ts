import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { archiveKey } from '../../../agent/stage/archive-key.ts'
import { openStore } from '../../../agent/stage/store.ts'
import { discoveryOrder, orderReference, stageOrder, StagerError } from '../../../agent/stager/order.ts'
import type { StageOrder } from '../../../agent/stager/order.ts'
import { carryOutThere, serveCarryOut } from '../../../agent/stager/remote.ts'
import { openStager } from '../../../agent/stager/stager.ts'
import type { Plan } from '../../../schemas/plan.ts'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'crowbar-stager-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const PLAN = {
  artifacts: { 'rootfs-d': { kind: 'rootfs', os: 'd', packages: [] }, 'packages-d': { kind: 'packages', os: 'd', packages: ['curl'] }, 'rootfs-r': { kind: 'rootfs', os: 'r', packages: [] } },
  systems: {
    d: { family: 'debian', version: '12', architecture: 'amd64', install: 'image', source: 's', packages: ['vim'] },
    r: { family: 'rhel', version: '9', architecture: 'amd64', install: 'image', source: null, packages: [] },
  },
  sources: { s: { type: 'apt', upstream: 'system', suites: ['bookworm'], components: ['main'] } },
} as unknown as Plan
const options = { signal: AbortSignal.timeout(20_000), onProgress: () => {} }

test('an order says all that decides what a set is', () => {
  expect(stageOrder('packages-d', PLAN)).toEqual({ kind: 'packages', os: { family: 'debian', version: '12', suite: 'bookworm', architecture: 'amd64' }, flavour: 'machine', base: ['vim'], packages: ['curl'], sources: [{ name: 's', upstream: 'system', suites: ['bookworm'], components: ['main'], architectures: [], keys: null, at: null }] })
  expect(orderReference(stageOrder('rootfs-d', PLAN))).not.toBe(orderReference(stageOrder('packages-d', PLAN)))
})

test('where packages come from is part of what a set is, but not when they are locked, and no line of a document is', () => {
  const of = (s: object, more: object = {}): string => orderReference(stageOrder('rootfs-d', { ...PLAN, ...more, sources: { s: { ...PLAN.sources['s'], ...s } } } as unknown as Plan))
  // What stores had before sources were part of an order is still found.
  expect(of({})).toBe(orderReference({ ...(stageOrder('rootfs-d', PLAN) as Extract<StageOrder, { kind: 'rootfs' }>), sources: [] }))
  expect(of({ at: 'site.yaml:9:1' })).toBe(of({}))
  const other = { upstream: 'http://mirror.example.com/debian' }
  expect(new Set([of({}), of(other), of({ ...other, components: ['main', 'contrib'] }), of({ ...other, keys: 'a2V5cw==' })]).size).toBe(4)
  const locked = { artifacts: { 'rootfs-d': { ...PLAN.artifacts['rootfs-d'], locked: 'sha256:1' } }, values: { doc: { parts: { wanted: 'w', packages: 'p', releases: 'w' } }, w: [], p: {} }, steps: [{ id: 'stage/rootfs-d', attributes: 'doc' }] }
  expect(of(other, locked)).toBe(of({}, locked))
})

test('a build that needs what another gives has that in its order, with all that decides it', () => {
  const git = (build: object, ref = 'main'): object => ({ type: 'git', upstream: 'https://git.example.com/a.git', ref, build: { with: 'make', ...build } })
  const of = (lib: object): StageOrder => stageOrder('packages-d', { ...PLAN, artifacts: { 'packages-d': { kind: 'packages', os: 'd', packages: ['app'], builds: ['app', 'lib'] } }, sources: { ...PLAN.sources, app: git({ packages: ['app'], needs: ['libapp-dev', 'zlib1g-dev'] }), lib } } as unknown as Plan)
  const order = of(git({ packages: ['libapp-dev'] }))
  expect(order).toMatchObject({ builds: [{ source: { name: 'app' }, uses: [{ kind: 'build', source: { name: 'lib' } }] }, { source: { name: 'lib' } }] })
  const appIn = (one: StageOrder): string => orderReference((one.kind === 'packages' ? one.builds?.[0] : undefined) as StageOrder)
  expect(appIn(of(git({ packages: ['libapp-dev'] }, 'next')))).not.toBe(appIn(order))
  expect(appIn(of(git({ packages: ['libapp-dev'], timeout: '2h', limits: { memory: '8GiB' } })))).toBe(appIn(order))
})

test('the discovery image comes from where the Debian 12 of the site comes from, and without one from the own mirror', () => {
  const mirror = { type: 'apt', upstream: ['http://mirror.example.com/debian'], suites: ['prod-12'], components: ['main'], keys: 'a2V5cw==' }
  const system = PLAN.systems['d']
  const plan = (systems: object): Plan => ({ ...PLAN, systems, sources: { ...PLAN.sources, mirror } }) as unknown as Plan
  const own = { kind: 'discovery', os: { family: 'debian', version: '12', suite: 'bookworm', architecture: 'amd64' }, sources: [{ name: 'debian-bookworm', upstream: 'system' }] }
  expect(discoveryOrder(plan({ r: PLAN.systems['r'], d11: { ...system, version: '11', source: 'mirror' }, arm: { ...system, architecture: 'arm64', source: 'mirror' } }))).toMatchObject(own)
  expect(discoveryOrder(plan({ d: system, c: { ...system, source: 'mirror' } }))).toEqual({
    kind: 'discovery', os: { family: 'debian', version: '12', suite: 'prod-12', architecture: 'amd64' },
    sources: [{ name: 'mirror', upstream: ['http://mirror.example.com/debian'], suites: ['prod-12'], components: ['main'], architectures: [], keys: 'a2V5cw==', at: null }],
  })
  expect(orderReference(discoveryOrder(plan({ d: system })))).toBe(orderReference(discoveryOrder(plan({}))))
  expect(orderReference(discoveryOrder(plan({ d: { ...system, source: 'mirror' } })))).not.toBe(orderReference(discoveryOrder(plan({}))))
})

test('what cannot be had is refused with a code', () => {
  expect(() => stageOrder('rootfs-r', PLAN)).toThrow(expect.objectContaining({ code: 'SET_UNSUPPORTED' }))
  expect(() => stageOrder('rootfs-x', PLAN)).toThrow(expect.objectContaining({ code: 'SET_UNKNOWN' }))
})

test('a set is had once, and found again without anybody', async () => {
  const store = await openStore(join(folder, 'store'))
  const orders: StageOrder[] = []
  const stager = openStager({
    store, base: () => 'http://192.168.1.1:8080', key: archiveKey(),
    async carryOut(order) {
      orders.push(order)
      const [archive, status] = [await store.put(Buffer.from('archive')), await store.put(Buffer.from('status'))]
      const result = { kind: 'rootfs' as const, archive: archive.hash, bytes: 7, status: status.hash }
      await store.refer(orderReference(order), (await store.put(Buffer.from(JSON.stringify(result)))).hash)
      return result
    },
  })
  expect(await stager.locate('rootfs-d', PLAN)).toBeUndefined()
  const first = await stager.ensure('rootfs-d', PLAN, options)
  expect(first).toMatchObject({ kind: 'file', bytes: 7, fresh: true })
  expect(first.url).toMatch(/^http:\/\/192\.168\.1\.1:8080\/artifacts\/sha256\/[0-9a-f]{64}$/)
  expect(await stager.ensure('rootfs-d', PLAN, options)).toMatchObject({ fresh: false })
  expect(await stager.locate('rootfs-d', PLAN)).toMatchObject({ kind: 'file' })
  expect(orders).toHaveLength(1)
})

test('another process carries orders out over a socket, tells its progress and its errors', async () => {
  const socket = join(folder, 's')
  const told: string[] = []
  await using _server = await serveCarryOut(socket, (order, { onProgress }) => {
    onProgress('at work')
    if (order.kind === 'discovery') return Promise.reject(new StagerError('SET_UNSUPPORTED', 'not here', { retryable: false }))
    return Promise.resolve({ kind: 'packages', manifest: 'sha256:aa' })
  }, { onProgress: () => {} })
  expect(statSync(socket).mode & 0o777).toBe(0o600)
  const there = carryOutThere(socket)
  expect(await there(stageOrder('packages-d', PLAN), { ...options, onProgress: message => told.push(message) })).toEqual({ kind: 'packages', manifest: 'sha256:aa' })
  expect(told).toEqual(['at work'])
  await expect(there(discoveryOrder(PLAN), options)).rejects.toMatchObject({ message: 'not here', retryable: false })
  await expect(carryOutThere(join(folder, 'nobody'))(stageOrder('rootfs-d', PLAN), options)).rejects.toMatchObject({ code: 'STAGER_FAILED', retryable: true })
})
