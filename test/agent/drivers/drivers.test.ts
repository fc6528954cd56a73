import { expect, test } from 'vitest'
import { collectProvides } from '../../../agent/drivers/collect-provides.ts'
import { crowbarDocument } from '../../../schemas/crowbar-document.ts'
import { discoverDriver } from '../../../agent/drivers/discover.ts'
import type { StepContext } from '../../../agent/drivers/driver.ts'
import { replaceAt } from '../../../agent/drivers/json-pointer.ts'
import { roleDriver } from '../../../agent/drivers/role.ts'
import { stageDriver } from '../../../agent/drivers/stage.ts'
import type { Stager } from '../../../agent/drivers/stage.ts'
import { wantsDiscovery } from '../../../agent/drivers/wants-discovery.ts'
import type { LogEvent, NewEvent } from '../../../agent/log/event-types.ts'
import { fold } from '../../../agent/state/fold.ts'
import type { State } from '../../../agent/state/state.ts'
import { incarnation } from '../../../schemas/incarnation.ts'
import { EMPTY_LEDGER } from '../../../schemas/ledger.ts'
import type { Plan } from '../../../schemas/plan.ts'
import { FIXED_STAGER, NO_SECRETS } from '../engine/agent-life.ts'
import { changesOf, planOf, step } from '../engine/build-work.ts'
import { manualTimers } from '../engine/manual-timers.ts'

const log = (...events: NewEvent[]): State => fold(events.map((event, index) => ({ ...event, seq: index + 1, time: '2026-01-01T00:00:00.000Z', stream: '', epoch: 1, v: 1 }) as LogEvent))

function context(plan: Plan, more: Partial<StepContext> = {}): StepContext {
  return {
    plan,
    changes: changesOf(plan),
    change: undefined,
    run: 1,
    commit: 'c',
    ledger: EMPTY_LEDGER,
    state: log(),
    epoch: 1,
    timers: manualTimers(),
    mayBeUnchanged: false,
    signal: new AbortController().signal,
    intend: () => Promise.resolve({ attempt: '1/x/1', n: 1 }),
    imaged: () => Promise.resolve(),
    progress: () => undefined,
    seal: () => Promise.reject(new Error('nothing is sealed here')),
    unseal: () => Promise.reject(new Error('nothing is sealed here')),
    ...more,
  }
}

const discover = step({ id: 'discover@n1' })

test('discovery says what it waits for, and is done when the machine has enrolled', async () => {
  const look = (plan: Plan, state = log()): Promise<unknown> => discoverDriver().run(discover, context(plan, { state }))
  expect(await look(planOf([discover], { nodes: { n1: { machine: null, selector: 'mac 52:54:00:00:00:01' } } }))).toMatchObject({ kind: 'waiting', on: 'machine', reason: 'no machine with mac 52:54:00:00:00:01 has been seen' })
  const missing = [{ what: 'machine', for: 'node/n1', because: 'no free machine is tagged storage' }]
  expect(await look(planOf([discover], { missing, nodes: { n1: { machine: null } } }))).toMatchObject({ reason: 'no free machine is tagged storage' })
  expect(await look(planOf([discover]))).toMatchObject({ kind: 'waiting', reason: 'machine m-n1 (mac of n1) has not enrolled' })
  const enrolled: NewEvent = { type: 'machine.enrolled', data: { machine: 'm-n1', key: 'k', environment: 'discovery', boot: 'b' } }
  expect(await look(planOf([discover]), log(enrolled))).toEqual({ kind: 'succeeded', provides: {} })
  const other = [{ what: 'machine', for: 'node/n1', because: 'no machine with serial X has been seen, and until one is it keeps m-n1' }]
  expect(await look(planOf([discover], { missing: other }), log(enrolled))).toMatchObject({ kind: 'waiting', on: 'machine', reason: other[0]?.because })
  const held: NewEvent = { type: 'machine.quarantined', data: { machine: 'm-n1', code: 'TIE', reason: 'it looks like two' } }
  expect(await look(planOf([discover]), log(enrolled, held))).toMatchObject({ kind: 'waiting', on: 'person', reason: 'machine m-n1 is quarantined: it looks like two' })
})

const staging = step({ id: 'stage/rootfs-debian-12' })
const staged = planOf([staging], { artifacts: { 'rootfs-debian-12': { kind: 'rootfs', os: 'debian-12', packages: [] } } })
const stage = (stager: Partial<Stager>, more?: Partial<StepContext>): Promise<unknown> => stageDriver({ ...FIXED_STAGER, ...stager }).run(staging, context(staged, more))

test('staging tells what is in the store, and whether it was there before', async () => {
  expect(await stage({})).toEqual({ kind: 'succeeded', provides: { hash: `sha256:${'a'.repeat(64)}` } })
  const there: Partial<Stager> = { ensure: () => Promise.resolve({ kind: 'repository', url: 'http://192.0.2.1/apt/', hash: 'sha256:bb', index: 'cc', key: 'aa', fresh: false }) }
  expect(await stage(there)).toEqual({ kind: 'unchanged', provides: { hash: 'sha256:bb' } })
})

test('staging that fails says so with its own code, and is tried again only when that may help', async () => {
  const failing = (more: object): Partial<Stager> => ({ ensure: () => Promise.reject(Object.assign(new Error('no mirror'), { code: 'APT_DOWNLOAD', ...more })) })
  expect(await stage(failing({}))).toEqual({ kind: 'failed', code: 'APT_DOWNLOAD', message: 'staging rootfs-debian-12: no mirror', retryable: false })
  expect(await stage(failing({ retryable: true }))).toMatchObject({ retryable: true })
  await expect(stage({ ensure: () => Promise.reject(new TypeError('a bug')) })).rejects.toThrow('a bug')
})

test('staging that hangs ends with its signal', async () => {
  const hanging: Partial<Stager> = { ensure: (_name, _plan, { signal }) => new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error))) }
  const early = new AbortController()
  const never = stage(hanging, { signal: early.signal })
  early.abort('CANCELLED')
  expect(await never).toEqual({ kind: 'cancelled' })
  const stop = new AbortController()
  const ends = stage(hanging, { signal: stop.signal })
  await Promise.resolve()
  await Promise.resolve()
  stop.abort('CANCELLED')
  expect(await ends).toEqual({ kind: 'cancelled' })
  const late = new AbortController()
  const timesOut = stage(hanging, { signal: late.signal })
  await Promise.resolve()
  await Promise.resolve()
  late.abort('TIMEOUT')
  expect(await timesOut).toMatchObject({ kind: 'failed', code: 'TIMEOUT' })
})

test('what a step provides is exactly what it declared, and nothing is converted', () => {
  const declared = { id: 'd/a@n1', provides: { port: { type: 'integer', sensitive: false }, token: { type: 'string', sensitive: true } } } as const
  expect(collectProvides(declared, { provides: { port: 80, token: 's', more: 1 } })).toEqual({ kind: 'collected', provides: { port: 80 }, sensitive: { token: 's' } })
  expect(collectProvides(declared, { provides: { port: '80', token: 's' } })).toMatchObject({ kind: 'refused', code: 'PROVIDE_TYPE' })
  expect(collectProvides(declared, { provides: { port: 80 } })).toMatchObject({ kind: 'refused', code: 'PROVIDE_MISSING' })
  const typed = (type: 'integer' | 'number' | 'list' | 'map' | 'any', value: unknown): string => collectProvides({ id: 'x', provides: { v: { type, sensitive: false } } }, { provides: { v: value as null } }).kind
  expect([typed('integer', 1.5), typed('number', 1.5), typed('list', []), typed('map', []), typed('map', {}), typed('any', null), typed('list', null)]).toEqual(['refused', 'collected', 'collected', 'refused', 'collected', 'collected', 'refused'])
})

test('a JSON pointer reaches into lists, maps and odd keys', () => {
  const value = { a: [{ 'b/c': 1, '~': 2 }], d: 3 }
  expect(replaceAt(value, ['/a/0/b~1c', '/a/0/~0', '/nowhere/1'], (found) => `was ${JSON.stringify(found)}`)).toEqual({ a: [{ 'b/c': 'was 1', '~': 'was 2' }], d: 3 })
  expect(replaceAt(value, [''], () => null)).toBeNull()
})

test('a lost founder’s place passes on only once the role stands', () => {
  const db = step({ id: 'd/db@n2' })
  const members = [{ node: 'n2', index: 1 }, { node: 'n3', index: 2 }]
  const plan = planOf([db], { roles: { 'd/db': { barclamp: 'test', members, founder: 'n1', cluster: true, min: 1 } } })
  const role = (bootstrapped: boolean): unknown => crowbarDocument(db, { plan, ledger: { ...EMPTY_LEDGER, roles: { 'd/db': { bootstrapped } } } })['role']
  expect(role(true)).toEqual({ name: 'db', index: 1, founder: 'n2', bootstrapped: true, members: [{ node: 'n2', index: 1, addresses: { admin: '192.0.2.10' } }, { node: 'n3', index: 2, addresses: {} }] })
  expect(role(false)).toMatchObject({ founder: 'n1', bootstrapped: false })
})

test('what is removed knows which role it was, also where that is bound nowhere any more', () => {
  const gone = step({ id: 'd/db@n2', action: 'remove' })
  expect(crowbarDocument(gone, { plan: planOf([]), ledger: EMPTY_LEDGER })['role']).toEqual({ name: 'db', index: null, founder: null, bootstrapped: false, members: [] })
})

test('a machine boots from the network until its system is whole, and from its disk from then on', () => {
  const install = step({ id: 'install@n1', destructive: true, once: 'k' })
  const plan = planOf([install])
  const work = { plan, changes: changesOf(plan) }
  const name = incarnation({ node: 'n1', once: 'k', attempt: '1/install@n1/1' })
  const run: NewEvent = { type: 'run.started', data: { run: 1, commit: 'c', planId: 'p', plan: 'p', changesId: 'c', changes: 'c', only: null, rollouts: [], steps: 1, reason: '' } }
  const version = { run: 1, step: 'install@n1', node: 'n1', digest: install.digest, once: 'k', commit: 'c', plan: 'p', changes: 'c', machine: 'm-n1', n: 1, inputs: null }
  const sent: NewEvent = { type: 'step.sent', data: { ...version, attempt: '1/install@n1/1', destructive: true, disks: [], stamp: 's', approved: false, boot: null } }
  const imaged: NewEvent = { type: 'node.imaged', data: { run: 1, step: 'install@n1', node: 'n1', machine: 'm-n1', incarnation: name, attempt: '1/install@n1/1' } }
  const done: NewEvent = { type: 'step.succeeded', data: { ...version, action: 'run', provides: {}, sealed: {}, incarnation: name, seconds: 1 } }
  const boots = (...events: NewEvent[]): string => wantsDiscovery('n1', { state: log(...events), ledger: EMPTY_LEDGER, work }).boot
  expect(boots()).toBe('discovery')
  expect(boots(run, sent)).toBe('discovery')
  expect(boots(run, sent, imaged)).toBe('local')
  expect(boots(run, sent, imaged, done)).toBe('local')
  // A new run is to install it anew: not before somebody has approved it.
  const anew = { plan, changes: changesOf(plan, { approve: ['install@n1'] }) }
  const state = log(run, sent, imaged, done, { ...run, data: { ...run.data, run: 2 } })
  expect(wantsDiscovery('n1', { state, ledger: EMPTY_LEDGER, work: anew })).toEqual({ boot: 'local', reason: 'installing n1 anew is not approved' })
  const approved = log(run, sent, imaged, done, { ...run, data: { ...run.data, run: 2 } }, { type: 'approval.given', data: { node: 'n1', approval: { step: 'install@n1', once: 'k', machine: 'm-n1', disks: [] }, by: 'root' } })
  expect(wantsDiscovery('n1', { state: approved, ledger: EMPTY_LEDGER, work: anew }).boot).toBe('discovery')
  // Half written and failed: it must not try the disk.
  const failed: NewEvent = { type: 'step.failed', data: { ...version, code: 'X', message: 'x', retryAfterMs: null, seconds: 1 } }
  expect(boots(run, sent, failed)).toBe('discovery')
  const later = log(run, sent, imaged, done, { ...run, data: { ...run.data, run: 2 } })
  expect(wantsDiscovery('n1', { state: later, ledger: EMPTY_LEDGER, work: undefined }).boot).toBe('local')
})

test('a removal says that the ledger lost what its role was given, and does not wait for a machine', async () => {
  const remove = step({ id: 'd/a@n1#remove', jig: 'script', entry: 'remove.sh', attributes: 'sha256:lost' })
  const options = { sessions: { session: () => undefined, subscribe: () => ({ [Symbol.dispose]: () => undefined }) }, stager: FIXED_STAGER, reference: () => '', secrets: NO_SECRETS }
  const role = roleDriver(options)
  expect(await role.run(remove, context(planOf([step({ id: 'install@n1' })])))).toEqual({
    kind: 'failed', code: 'VALUES_LOST', retryable: false,
    message: 'what d/a@n1 was given is not in the ledger any more, so it cannot be undone: put it back with an edit that runs it again, apply that, and take it out then; or install n1 again',
  })
  expect(await role.run(step({ id: 'd/a@n1', attributes: null }), context(planOf([step({ id: 'install@n1' })])))).toMatchObject({ kind: 'waiting', reason: 'what d/a@n1 is given is not known before n1 has a machine' })
})
