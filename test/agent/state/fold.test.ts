import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { LogEvent, NewEvent } from '../../../agent/log/event-types.ts'
import { openSqliteStore } from '../../../agent/log/sqlite-store.ts'
import { fold } from '../../../agent/state/fold.ts'
import { openState } from '../../../agent/state/open-state.ts'
import { STATE_VERSION, stateFromJson, stateToJson } from '../../../agent/state/snapshot.ts'
import type { Json } from '../../../schemas/shape.ts'
import fc from '../../property.ts'

const run = fc.integer({ min: 1, max: 2 })
const stepId = fc.constantFrom('install@n1', 'd/a@n1', 'd/b@n2', 'stage/x')
const machine = fc.constantFrom('m1', 'm2')
const work = { commit: 'c', planId: 'p', plan: 'p', changesId: 'x', changes: 'x', only: null, rollouts: [], steps: 4, reason: 'r' }
const version = fc.record({ run, step: stepId, digest: fc.constantFrom('v1', 'v2'), n: fc.integer({ min: 0, max: 3 }) }).map((of) => ({ ...of, node: /@(.*)/.exec(of.step)?.[1] ?? null, once: 'k', commit: 'c', plan: 'p', changes: 'x', machine: 'm1', inputs: null }))

/** Any order of events, also ones that no agent would write: a fold must get through whatever the log holds. */
const event: fc.Arbitrary<NewEvent> = fc.oneof(
  fc.constantFrom<NewEvent>({ type: 'agent.started', data: { version: '1', node: 'adm' } }, { type: 'freeze.on', data: { by: 'root', reason: 'r' } }, { type: 'freeze.off', data: { by: 'root' } }),
  fc.constant<NewEvent>({ type: 'site.refused', data: { commit: 'c', code: 'SITE_INVALID', message: 'm', diagnostics: [] } }),
  fc.constant<NewEvent>({ type: 'site.compiled', data: { commit: 'c', planId: 'p', changesId: 'x', complete: true, changed: 1, missing: [] } }),
  machine.map((id): NewEvent => ({ type: 'machine.enrolled', data: { machine: id, key: 'k', environment: 'discovery', boot: 'b' } })),
  machine.map((id): NewEvent => ({ type: 'machine.quarantined', data: { machine: id, code: 'TIE', reason: 'r' } })),
  machine.map((id): NewEvent => ({ type: 'machine.admitted', data: { machine: id, by: 'root' } })),
  machine.map((id): NewEvent => ({ type: 'node.connected', data: { node: null, machine: id, environment: 'installed', incarnation: 'i', boot: 'b', address: null } })),
  machine.map((id): NewEvent => ({ type: 'node.disconnected', data: { node: null, machine: id, boot: 'b', reason: 'r' } })),
  machine.map((id): NewEvent => ({ type: 'node.renamed', data: { commit: 'c', nodes: [{ from: 'n1', to: 'n2', machine: id }, { from: 'n2', to: 'n1', machine: null }] } })),
  run.map((n): NewEvent => ({ type: 'run.started', data: { ...work, run: n } })),
  run.map((n): NewEvent => ({ type: 'run.extended', data: { ...work, run: n } })),
  run.map((n): NewEvent => ({ type: 'run.continued', data: { run: n, reason: 'r' } })),
  run.map((n): NewEvent => ({ type: 'run.cancelled', data: { run: n, by: 'root' } })),
  run.map((n): NewEvent => ({ type: 'run.ended', data: { run: n, state: 'partial', reason: 'r', succeeded: 0, unchanged: 0, failed: 0, skipped: 0, waiting: 1 } })),
  version.map((of): NewEvent => ({ type: 'step.sent', data: { ...of, attempt: `1/${of.step}/${of.n}`, destructive: of.step.startsWith('install'), disks: null, stamp: null, approved: false, boot: null } })),
  version.map((of): NewEvent => ({ type: 'step.accepted', data: { run: of.run, step: of.step, node: of.node, attempt: `1/${of.step}/${of.n}` } })),
  version.map((of): NewEvent => ({ type: 'step.waiting', data: { run: of.run, step: of.step, node: of.node, digest: of.digest, reason: 'r', on: 'machine', approval: null } })),
  version.map((of): NewEvent => ({ type: 'step.succeeded', data: { ...of, action: 'run', provides: { a: [1] }, sealed: { t: 'ref' }, incarnation: of.step.startsWith('install') ? 'i' : null, seconds: 2 } })),
  version.map((of): NewEvent => ({ type: 'step.failed', data: { ...of, code: 'X', message: 'm', retryAfterMs: of.n === 0 ? null : 1000, seconds: 1 } })),
  version.map((of): NewEvent => ({ type: 'step.unknown', data: { run: of.run, step: of.step, node: of.node, digest: of.digest, attempt: 'a', reason: 'r', again: of.n > 1, approval: null } })),
  version.map((of): NewEvent => ({ type: 'step.skipped', data: { run: of.run, step: of.step, node: of.node, digest: of.digest, cause: 'd/a@n1' } })),
  version.map((of): NewEvent => ({ type: 'approval.given', data: { node: of.node, approval: { step: of.step, once: 'k', machine: 'm1', disks: [] }, by: 'root' } })),
  version.map((of): NewEvent => ({ type: 'approval.voided', data: { node: of.node, step: of.step, once: of.n > 1 ? 'k' : 'other', reason: 'r' } })),
)

const log = fc.array(event, { maxLength: 40 }).map((events) => events.map((one, index) => ({ ...one, seq: index + 1, time: new Date(Date.UTC(2026, 0, 1) + index * 1000).toISOString(), stream: 's', epoch: 1, v: 1 }) as LogEvent))

test('a snapshot taken anywhere, written out and read again, goes on to the same state', () => {
  fc.assert(
    fc.property(log, fc.nat(), (events, cut) => {
      const at = events.length === 0 ? 0 : cut % (events.length + 1)
      const snapshot = JSON.parse(JSON.stringify(stateToJson(fold(events.slice(0, at))))) as Json
      expect(stateToJson(fold(events.slice(at), stateFromJson(snapshot)))).toEqual(stateToJson(fold(events)))
    }),
    { numRuns: 300 },
  )
})

test('folding on leaves the state that it started from as it was', () => {
  fc.assert(
    fc.property(log, fc.nat(), (events, cut) => {
      const at = events.length === 0 ? 0 : cut % (events.length + 1)
      const before = fold(events.slice(0, at))
      const written = JSON.stringify(stateToJson(before))
      fold(events.slice(at), before)
      expect(JSON.stringify(stateToJson(before))).toBe(written)
    }),
    { numRuns: 100 },
  )
})

const of = (...events: NewEvent[]): LogEvent[] => events.map((one, index) => ({ ...one, seq: index + 1, time: new Date(Date.UTC(2026, 0, 1) + index * 1000).toISOString(), stream: 's', epoch: 1, v: 1 }) as LogEvent)
const started: NewEvent = { type: 'run.started', data: { ...work, run: 1 } }
const at = { run: 1, step: 'install@n1', node: 'n1', digest: 'v1', once: 'k', commit: 'c', plan: 'p', changes: 'x', machine: 'm1', n: 1, inputs: null }
const sent: NewEvent = { type: 'step.sent', data: { ...at, attempt: '1/install@n1/1', destructive: true, disks: [], stamp: 's', approved: true, boot: null } }
const approved: NewEvent = { type: 'approval.given', data: { node: 'n1', approval: { step: 'install@n1', once: 'k', machine: 'm1', disks: [] }, by: 'root' } }
const done: NewEvent = { type: 'step.succeeded', data: { ...at, action: 'run', provides: {}, sealed: {}, incarnation: 'i', seconds: 1 } }

test('what was begun to be destroyed stays unfinished over failures and runs, until the step succeeds; then its approval is spent', () => {
  const failed: NewEvent = { type: 'step.failed', data: { ...at, code: 'X', message: 'm', retryAfterMs: null, seconds: 1 } }
  const before = fold(of(started, approved, sent, failed, { ...started, data: { ...started.data, run: 2 } } as NewEvent))
  expect(before.unfinished.get('install@n1')).toMatchObject({ attempt: '1/install@n1/1', approved: true })
  expect(before.approvals.has('install@n1')).toBe(true)
  expect(before.tries.get('install@n1')).toBe(1)
  const after = fold(of(started, approved, sent, done))
  expect(after.unfinished.size + after.approvals.size).toBe(0)
  expect(after.nodes.get('n1')?.installed).toEqual({ machine: 'm1', incarnation: 'i', attempt: '1/install@n1/1' })
})

test('an attempt that wrote nothing is no unfinished one, and leaves the one before as it was', () => {
  const refused: NewEvent = { type: 'step.unknown', data: { run: 1, step: 'install@n1', node: 'n1', digest: at.digest, attempt: '1/install@n1/1', reason: 'r', again: true, approval: null, untouched: true } }
  expect(fold(of(started, approved, sent, refused)).unfinished.size).toBe(0)
  const again = { ...sent, data: { ...sent.data, n: 2, attempt: '1/install@n1/2' } } as NewEvent
  expect(fold(of(started, approved, sent, again, refused)).unfinished.get('install@n1')?.attempt).toBe('1/install@n1/1')
})

test('an extension keeps what was started and forgets what only waited', () => {
  const waiting: NewEvent = { type: 'step.waiting', data: { run: 1, step: 'd/b@n2', node: 'n2', digest: 'v1', reason: 'r', on: 'machine', approval: null } }
  const skipped: NewEvent = { type: 'step.skipped', data: { run: 1, step: 'd/a@n1', node: 'n1', digest: 'v1', cause: 'x' } }
  const state = fold(of(started, sent, waiting, skipped, { type: 'run.extended', data: { ...work, run: 1, plan: 'p2' } }))
  expect([...(state.run?.steps.keys() ?? [])]).toEqual(['install@n1'])
  expect(state.run?.work.plan).toBe('p2')
})

test('a machine is connected until its own session ends, or the agent begins anew', () => {
  const connected: NewEvent = { type: 'node.connected', data: { node: 'n1', machine: 'm1', environment: 'installed', incarnation: 'i', boot: 'b2', address: null } }
  const late: NewEvent = { type: 'node.disconnected', data: { node: 'n1', machine: 'm1', boot: 'b1', reason: 'replaced' } }
  expect(fold(of(connected, late)).machines.get('m1')?.session?.boot).toBe('b2')
  expect(fold(of(connected, { ...late, data: { ...late.data, boot: 'b2' } } as NewEvent)).machines.get('m1')?.session).toBeNull()
  expect(fold(of(connected, { type: 'agent.started', data: { version: '1', node: 'adm' } })).machines.get('m1')?.session).toBeNull()
})

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'crowbar-state-'))
})
afterEach(async () => rm(folder, { recursive: true, force: true }))

test('an opened state is up to date after each append, and opens again from its snapshot', async () => {
  const open = (): ReturnType<typeof openSqliteStore> => openSqliteStore(folder, { now: () => 0, random: (n) => new Uint8Array(n) })
  {
    await using store = await open()
    const epoch = await store.raiseEpoch()
    await store.append([started, approved], { epoch })
    await using state = await openState(store, { snapshotEvery: 2 })
    expect(state.current.run?.run).toBe(1)
    await store.append([sent], { epoch })
    expect(state.current.run?.steps.get('install@n1')?.status).toBe('running')
    await store.append([done], { epoch })
    expect(state.current.seq).toBe(4)
  }
  await using store = await open()
  expect(await store.loadSnapshot('state', STATE_VERSION)).toMatchObject({ seq: 4 })
  await using again = await openState(store)
  expect(stateToJson(again.current)).toEqual(stateToJson(fold(await store.read({ after: 0, limit: 10 }))))
})
