import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Plan, Step } from '../../../schemas/plan.ts'
import { openStore } from '../../../agent/stage/store.ts'
import { checkStaged, onlyOnline } from '../../../agent/stager/offline.ts'
import { orderReference, stageOrder } from '../../../agent/stager/order.ts'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'crowbar-offline-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const step = (id: string, kind: string, artifacts: readonly string[]): Step => ({ id, kind, artifacts, node: id.split('@')[1] ?? null, attributes: null }) as unknown as Step
const STEPS = [step('stage/rootfs-d', 'stage', ['rootfs-d']), step('stage/packages-d', 'stage', ['packages-d']), step('install@a', 'install', ['rootfs-d']), step('d/web@a', 'role', ['packages-d'])]
const PLAN = {
  artifacts: { 'rootfs-d': { kind: 'rootfs', os: 'd', packages: [] }, 'packages-d': { kind: 'packages', os: 'd', packages: ['curl'] } },
  systems: { d: { family: 'debian', version: '12', architecture: 'amd64', install: 'image', source: 's', packages: [] } },
  sources: { s: { type: 'apt', upstream: 'system', suites: ['bookworm'], components: ['main'] } },
  nodes: { a: { admin: false, os: 'd' } }, steps: STEPS, values: {},
} as unknown as Plan
const options = { signal: AbortSignal.timeout(20_000), onProgress: () => {} }

test('what an offline admin node lacks is named with the step that wants it, all of it, and only what the steps need', async () => {
  const store = await openStore(join(folder, 'store'))
  expect(await checkStaged(STEPS, PLAN, store)).toEqual({
    code: 'NOT_STAGED', step: 'd/web@a',
    message: 'this admin node is offline: packages-d is not in the store; d/web@a wants it. rootfs-d is not in the store; install@a wants it. the discovery image is not in the store; install@a wants it',
  })
  expect(await checkStaged([step('discover@a', 'discover', [])], PLAN, store)).toMatchObject({ message: 'this admin node is offline: the discovery image is not in the store; discover@a wants it' })
  const joined = { ...PLAN, systems: { d: { ...PLAN.systems['d'], install: 'joined' } } } as unknown as Plan
  expect(await checkStaged([step('discover@a', 'discover', [])], joined, store)).toBeUndefined()
  expect(await checkStaged(STEPS.slice(0, 1), PLAN, store)).toMatchObject({ step: 'stage/rootfs-d' })
  expect(await checkStaged([], PLAN, store)).toBeUndefined()
})

test('git and file sources are named like packages: with the step that is built from them, or the first', async () => {
  const store = await openStore(join(folder, 'store'))
  const sources = {
    ...PLAN.sources,
    app: { type: 'git', upstream: 'https://git.example.com/app', ref: 'main', submodules: { lib: 'lib' }, build: { with: 'make', packages: ['app'] } }, lib: { type: 'git', upstream: 'https://git.example.com/lib' },
    image: { type: 'file', upstream: 'https://files.example.com/image', sha256: '1'.repeat(64) }, unvouched: { type: 'file', upstream: 'https://files.example.com/other' },
  }
  const artifacts = { ...PLAN.artifacts, 'packages-d': { ...PLAN.artifacts['packages-d'], builds: ['app'] } }
  const plan = { ...PLAN, sources, artifacts, systems: { d: { ...PLAN.systems['d'], install: 'joined' } } } as unknown as Plan
  expect(await checkStaged(STEPS.slice(3), plan, store)).toMatchObject({
    message: 'this admin node is offline: packages-d is not in the store; d/web@a wants it. source/app is not in the store; d/web@a wants it. source/image is not in the store; d/web@a wants it. source/lib is not in the store; d/web@a wants it',
  })
  await store.put(Buffer.from('m'))
  const { hash } = await store.put(Buffer.from(JSON.stringify({ kind: 'apt-repository', version: 1, packages: [], files: {} })))
  const result = await store.put(Buffer.from(JSON.stringify({ kind: 'packages', manifest: hash })))
  await store.refer(orderReference(stageOrder('packages-d', plan)), result.hash)
  // What is built needs its source no more.
  expect((await checkStaged(STEPS.slice(3), plan, store))?.message).toBe('this admin node is offline: source/image is not in the store; d/web@a wants it')
  expect(await checkStaged([], plan, store)).toBeUndefined()
})

test('while the gate is closed nobody is asked, and what is in the store is found', async () => {
  const store = await openStore(join(folder, 'store'))
  const order = stageOrder('packages-d', PLAN)
  let asked = 0
  let open = false
  const carryOut = onlyOnline(() => Promise.resolve({ kind: 'packages', manifest: String(++asked) }), { store, online: () => open })
  await expect(carryOut(order, options)).rejects.toMatchObject({ code: 'OFFLINE', retryable: false })
  const { hash } = await store.put(Buffer.from(JSON.stringify({ kind: 'packages', manifest: (await store.put(Buffer.from('m'))).hash })))
  await store.refer(orderReference(order), hash)
  expect(await carryOut(order, options)).toMatchObject({ kind: 'packages' })
  expect(asked).toBe(0)
  open = true
  expect(await carryOut(order, options)).toEqual({ kind: 'packages', manifest: '1' })
})
