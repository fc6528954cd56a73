import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Secrets } from '../../../agent/secrets/secrets.ts'
import type { RoleTask } from '../../../schemas/protocol.ts'
import type { Json } from '../../../schemas/shape.ts'
import { openLife } from '../engine/agent-life.ts'
import { changesOf, operationOf, planOf, step } from '../engine/build-work.ts'
import { FakeRack } from '../engine/fake-rack.ts'

const CANARY = 'canary-5f1d0c-value'
const soon = (): AbortSignal => AbortSignal.timeout(5000)
let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'crowbar-dispatch-'))
})
afterEach(async () => rm(folder, { recursive: true, force: true }))

const asked: unknown[] = []
const fixed: Secrets = {
  value: (wanted, { commits }) => {
    asked.push({ ...wanted, commits })
    return Promise.resolve({ kind: 'found', value: `${CANARY}-${wanted.version}` })
  },
}
const deferred = (expression: string, path: string, input: Json, scope: Json = {}): Json => ({ deferred: { type: 'string', expression, scope, inputs: path === '' ? {} : { [path]: input }, sensitive: true } })
const secret = { secret: 'db/root', version: '4-aa' }
const password = deferred('${wants.password}', 'wants.password', secret)

/** A role that is given a secret and provides another one, and a role that is given what is computed from both. */
const document = { b: { url: deferred('db://${wants.password}@db', '', null, { wants: { password } }) }, wants: { password } }
const roles = [
  step({ id: 'd/db@n1', document, provides: { token: { type: 'string', sensitive: true } } }),
  step({ id: 'd/app@n1', document: { wants: { both: deferred('${wants.t}/${wants.password}', 'wants.t', { step: 'd/db@n1', provide: 'token' }, { wants: { password } }) } }, needs: ['d/db@n1'] }),
]
const plan = planOf(roles)
const work = { commit: 'c1', plan, changes: changesOf(plan) }

function rack(): FakeRack {
  const machines = new FakeRack(['m-n1'], { joined: true })
  machines.play = (task) => ({ provides: task.step === 'd/db@n1' ? { token: `${CANARY}-token` } : {} })
  return machines
}

test('a node is given values and what is computed from them, with all that its output must not hold', async () => {
  const machines = rack()
  await using life = await openLife(folder, machines, { secrets: fixed })
  life.sessions.connectAll()
  await life.engine.start(work, { reason: 'apply' })
  await life.engine.idle({ signal: soon() })
  expect(life.engine.state.run?.ended?.state).toBe('complete')
  const [db, app] = machines.tasks as RoleTask[]
  expect(db?.document).toMatchObject({ b: { url: `db://${CANARY}-4-aa@db` }, wants: { password: `${CANARY}-4-aa` } })
  expect([db?.sensitive, db?.mask]).toEqual([['/b/url', '/wants/password'], [`${CANARY}-4-aa`]])
  expect(app?.document['wants']).toEqual({ both: `${CANARY}-token/${CANARY}-4-aa` })
  expect([app?.sensitive, app?.mask?.toSorted()]).toEqual([['/wants/both'], [`${CANARY}-4-aa`, `${CANARY}-token`]])
  expect(asked[0]).toEqual({ ...secret, commits: ['c1'] })
})

test('no byte of what the agent keeps holds a secret, nor what was computed from one', async () => {
  {
    await using life = await openLife(folder, rack(), { secrets: fixed })
    life.sessions.connectAll()
    await life.engine.start(work, { reason: 'apply' })
    await life.engine.idle({ signal: soon() })
    expect(JSON.stringify([await life.events(), life.ledger.current, life.engine.state.run])).not.toContain('canary')
  }
  const kept = await Promise.all((await readdir(folder)).map(async (name) => readFile(join(folder, name), 'latin1')))
  expect(kept.join('').length).toBeGreaterThan(10_000)
  expect(kept.join('')).not.toContain('canary')
})

test('a run whose secrets cannot be had is refused before anything is sent', async () => {
  const machines = rack()
  await using life = await openLife(folder, machines)
  life.sessions.connectAll()
  await expect(life.engine.start(work, { reason: 'apply' })).rejects.toMatchObject({ code: 'SECRETS_MISSING', message: 'no identity for db/root; d/db@n1 wants it', data: { step: 'd/db@n1' } })
  expect([machines.tasks, (await life.events()).filter(({ type }) => type.startsWith('run.')).map(({ type, data }) => [type, data])]).toMatchObject([[], [['run.refused', { code: 'SECRETS_MISSING', step: 'd/db@n1' }]]])
})

test('a secret that was there when the run was ordered and is not when its step is sent fails that step, with the reason', async () => {
  let times = 0
  const vanishing: Secrets = { value: (wanted, options) => (++times === 1 ? fixed.value(wanted, options) : Promise.resolve({ kind: 'missing', code: 'SECRET_MISSING', message: 'gone' })) }
  const machines = rack()
  await using life = await openLife(folder, machines, { secrets: vanishing })
  life.sessions.connectAll()
  await life.engine.start(work, { reason: 'apply' })
  await life.engine.idle({ signal: soon() })
  expect([machines.tasks, life.engine.state.run?.ended?.state, life.engine.state.run?.steps.get('d/db@n1')]).toMatchObject([[], 'failed', { status: 'failed', reason: expect.stringContaining('gone') as string }])
})

test('an expression that fails says nothing of the value that made it fail', async () => {
  const wrong = planOf([step({ id: 'd/db@n1', document: { wants: { n: deferred('${int(wants.password)}', 'wants.password', secret) } } })])
  await using life = await openLife(folder, rack(), { secrets: fixed })
  life.sessions.connectAll()
  await life.engine.start({ commit: 'c1', plan: wrong, changes: changesOf(wrong) }, { reason: 'apply' })
  await life.engine.idle({ signal: soon() })
  const events = JSON.stringify(await life.events())
  expect(events).toContain('a sensitive value is in it')
  expect(events).not.toContain('canary')
})

test('a run whose operation needs a secret that cannot be had is refused before it starts', async () => {
  const machines = rack()
  const [db] = roles
  const drain = operationOf('kernel', ['n1'], [{ do: 'drain', roles: ['d/db'] }])
  const operation = { ...drain, steps: drain.steps.map((one) => step({ ...one, digest: one.digest, document: { operation: { name: 'kernel', do: 'drain', place: 1, of: 1, targets: [], roles: [{ step: 'd/db@n1', barclamp: 'test', content: 'none', jig: 'script', entry: 'drain.sh', attributes: db?.attributes ?? null, timeout: 60 }] }, members: ['n1'] } })) }
  const kernel = planOf(roles, { operations: [operation] })
  await using life = await openLife(folder, machines)
  life.sessions.connectAll()
  await expect(life.engine.start({ commit: 'c1', plan: kernel, changes: changesOf(kernel, { ids: ['operation/kernel/drain@n1'] }) }, { reason: 'apply' })).rejects.toMatchObject({ code: 'SECRETS_MISSING', message: expect.stringContaining('db/root') as string })
  expect(machines.tasks).toEqual([])
})
