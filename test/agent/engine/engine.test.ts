import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { LogEvent } from '../../../agent/log/event-types.ts'
import type { RoleTask } from '../../../schemas/protocol.ts'
import { openLife } from './agent-life.ts'
import type { AgentLife, LifeOptions } from './agent-life.ts'
import { changesOf, planOf, step } from './build-work.ts'
import { FakeRack, wantsOf } from './fake-rack.ts'
import { firstLight, firstLightPlan, installDocument, playFirstLight } from './first-light.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'crowbar-engine-'))
})
afterEach(async () => rm(folder, { recursive: true, force: true }))

const EVERYTHING = ['install m-n1', 'install m-n2', 'role web/check@n2', 'role web/client@n2', 'role web/server@n1']
const soon = (): AbortSignal => AbortSignal.timeout(5000)
const open = (rack: FakeRack, options?: LifeOptions): Promise<AgentLife> => openLife(folder, rack, options)
const types = (events: readonly LogEvent[], id: string): string[] => events.flatMap((event) => (event.type.startsWith('step.') && 'step' in event.data && event.data.step === id ? [event.type.slice(5)] : []))
const ended = (life: AgentLife): string | undefined => life.engine.state.run?.ended?.state
const reason = (life: AgentLife, id: string): string | null | undefined => life.engine.state.run?.steps.get(id)?.reason

/** Runs what is due: turns of the event loop, without the clock moving. */
async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve))
}

function firstLightRack(): FakeRack {
  const rack = new FakeRack(['m-n1', 'm-n2'])
  playFirstLight(rack)
  return rack
}

test('no machine speaks for another one, nor of attempts that were never sent', async () => {
  const rack = firstLightRack()
  await using life = await open(rack)
  life.sessions.connectAll()
  rack.play = (task) => {
    if (task.step === 'web/server@n1') {
      for (const machine of ['m-n1', 'm-n2']) (life.sessions as unknown as { emit(event: unknown): void }).emit({ type: 'output', machine, attempt: task.attempt, stream: 'stdout', text: `said by ${machine}\n` })
      for (const attempt of ['1/web/server@n1/99', 'nonsense', '1/no/step@n1/1']) (life.sessions as unknown as { emit(event: unknown): void }).emit({ type: 'output', machine: 'm-n1', attempt, stream: 'stdout', text: 'flood' })
    }
    return { provides: { token: 'token-1', greeting: 'hello n1' } }
  }
  await life.engine.start(firstLight(), { reason: 'apply' })
  await life.engine.idle({ signal: soon() })
  const said = async (attempt: string): Promise<string> => (await life.store.outputs({ attempt, limit: 100 })).filter(({ stream }) => stream === 'stdout').map(({ text }) => text).join('')
  expect(await said('1/web/server@n1/1')).toBe('said by m-n1\n')
  for (const attempt of ['1/web/server@n1/99', 'nonsense', '1/no/step@n1/1']) expect(await said(attempt)).toBe('')
})

test('what was compiled before the last steps ended does not begin a run: it would do them again', async () => {
  const rack = firstLightRack()
  await using life = await open(rack)
  life.sessions.connectAll()
  const asOf = life.store.last
  await life.engine.start(firstLight(), { reason: 'apply', asOf })
  await life.engine.idle({ signal: soon() })
  const effects = [...rack.effects]
  await expect(life.engine.start(firstLight(), { reason: 'apply', asOf })).rejects.toMatchObject({ code: 'WORK_STALE' })
  expect(rack.effects).toEqual(effects)
})

test('the whole way: staged, found, installed, roles in order, the token handed on', async () => {
  const rack = firstLightRack()
  await using life = await open(rack)
  life.sessions.connectAll()
  expect(await life.engine.start(firstLight(), { reason: 'apply' })).toBe(1)
  await life.engine.idle({ signal: soon() })

  expect(life.engine.state.run?.ended).toMatchObject({ state: 'complete', reason: 'every step is done' })
  expect(rack.effects.toSorted()).toEqual(EVERYTHING)
  const client = rack.tasks.find((task): task is RoleTask => task.kind === 'role' && task.step === 'web/client@n2')
  expect(client && wantsOf(client)).toEqual({ token: 'token-1', greeting: 'hello n1' })
  expect(client?.sensitive).toEqual(['/wants/token'])
  expect(client?.document['crowbar']).toEqual({
    site: { name: 'test', domain: 'test.example.com' },
    deployment: 'web',
    node: { name: 'n2', addresses: { admin: '192.0.2.11' }, tags: [], labels: {}, os: 'debian-12' },
    step: 'web/client@n2',
    action: 'run',
    role: { name: 'client', index: null, founder: null, bootstrapped: false, members: [] },
  })
  expect(types(await life.events(), 'install@n1')).toEqual(['sent', 'accepted', 'succeeded'])
  expect(rack.machine('m-n1').disks[0]?.stamp).toBeNull()
  expect(rack.asked).toContain('acknowledge 1/web/server@n1/1')
})

test('no secret is in the log', async () => {
  const rack = firstLightRack()
  {
    await using life = await open(rack)
    life.sessions.connectAll()
    await life.engine.start(firstLight(), { reason: 'apply' })
    await life.engine.idle({ signal: soon() })
  }
  expect((await readFile(join(folder, 'log.sqlite'))).includes('token-1')).toBe(false)
})

test('the ledger has every step, the value that was provided, and the installation', async () => {
  const rack = firstLightRack()
  await using life = await open(rack)
  life.sessions.connectAll()
  const work = firstLight()
  await life.engine.start(work, { reason: 'apply' })
  await life.engine.idle({ signal: soon() })
  await life.ledger.upToDate()
  const { nodes, run, values } = life.ledger.current
  expect(Object.keys(nodes['n1']?.steps ?? {}).toSorted()).toEqual(['discover@n1', 'install@n1', 'web/server@n1'])
  expect(nodes['n1']?.steps['web/server@n1']).toMatchObject({ commit: 'c1', provides: { name: 'n1' }, sealed: { token: expect.stringMatching(/^hmac-sha256:/) as string } })
  expect(nodes['n2']).toMatchObject({ machine: 'm-n2', incarnation: expect.stringMatching(/^sha256:/) as string, attempted: {} })
  expect(run).toMatchObject({ run: 1, state: 'complete', commit: 'c1' })
  expect(values[work.plan.steps.find((one) => one.id === 'web/server@n1')?.attributes ?? '']).toBeDefined()
})

test('with nothing to change nothing is begun', async () => {
  await using life = await open(new FakeRack([]))
  const plan = firstLightPlan()
  expect(await life.engine.start({ commit: 'c1', plan, changes: changesOf(plan, { ids: [] }) }, { reason: 'apply' })).toBeUndefined()
  expect((await life.events()).filter((event) => event.type === 'run.started')).toEqual([])
})

test('a kind of step without a driver refuses the run before it starts', async () => {
  const rack = new FakeRack(['m-n1'])
  await using life = await open(rack)
  life.sessions.connectAll()
  const plan = planOf([step({ id: 'd/a@n1' }), step({ id: 'network@n1', kind: 'network' })])
  await expect(life.engine.start({ commit: 'c', plan, changes: changesOf(plan) }, { reason: 'apply' })).rejects.toMatchObject({ code: 'KIND_UNSUPPORTED', data: { step: 'network@n1', kind: 'network' } })
  expect((await life.events()).at(-1)).toMatchObject({ type: 'run.refused', data: { code: 'KIND_UNSUPPORTED', step: 'network@n1' } })
  expect(rack.effects).toEqual([])
  const jig = planOf([step({ id: 'd/a@n1', jig: 'from-tomorrow' })])
  await expect(life.engine.start({ commit: 'c', plan: jig, changes: changesOf(jig) }, { reason: 'apply' })).rejects.toMatchObject({ code: 'KIND_UNSUPPORTED', data: { kind: 'role' } })
})

test('changes that are denied begin no run, and say why', async () => {
  const rack = new FakeRack(['m-n1'])
  await using life = await open(rack)
  const plan = planOf([step({ id: 'd/a@n1' })])
  const warned = { policy: 'network', level: 'warn' as const, message: 'w', at: null }
  const changes = { ...changesOf(plan), violations: [warned, { policy: 'addresses', level: 'deny' as const, message: 'no', at: 'n.yaml:1:1' }] }
  await expect(life.engine.start({ commit: 'c', plan, changes }, { reason: 'apply' })).rejects.toMatchObject({ code: 'CHANGES_DENIED', message: 'addresses: no (n.yaml:1:1)' })
  expect((await life.events()).at(-1)).toMatchObject({ type: 'run.refused', data: { code: 'CHANGES_DENIED', step: null } })
  expect(await life.engine.start({ commit: 'c', plan, changes: { ...changes, violations: [warned] } }, { reason: 'apply' })).toBe(1)
})

const joined = (needs: readonly string[] = []): ReturnType<typeof step> => step({ id: 'd/a@n1', document: { d: {} }, needs, retries: { max: 2, backoff: 5 } })

function joinedRack(): FakeRack {
  return new FakeRack(['m-n1'], { joined: true })
}

async function startJoined(life: AgentLife, steps = [joined()]): Promise<void> {
  const plan = planOf(steps)
  await life.engine.start({ commit: 'c', plan, changes: changesOf(plan) }, { reason: 'apply' })
}

test('a failure is tried again after its backoff, and ends the step when its retries are spent', async () => {
  const rack = joinedRack()
  rack.play = (_task, run) => ({ outcome: 'failed', code: 'JIG_EXIT', message: `exit ${run}` })
  await using life = await open(rack)
  life.sessions.connectAll()
  await startJoined(life)
  for (const _ of [1, 2]) {
    await settle()
    expect(life.engine.state.run?.steps.get('d/a@n1')?.status).toBe('retrying')
    life.timers.advance(5000)
  }
  await life.engine.idle({ signal: soon() })
  expect(types(await life.events(), 'd/a@n1')).toEqual(['sent', 'accepted', 'failed', 'sent', 'accepted', 'failed', 'sent', 'accepted', 'failed'])
  expect(ended(life)).toBe('failed')
  expect(reason(life, 'd/a@n1')).toBe('exit 3')
})

test('a node that hangs is asked to stop when the time is over, and the step has failed', async () => {
  const rack = joinedRack()
  rack.play = () => undefined
  await using life = await open(rack)
  life.sessions.connectAll()
  await startJoined(life, [{ ...joined(), retries: { max: 0, backoff: 0 } }])
  await settle()
  life.timers.advance(120_001)
  await life.engine.idle({ signal: soon() })
  expect(rack.asked).toContain('cancel 1/d/a@n1/1')
  expect(ended(life)).toBe('failed')
})

test('a node that loses power during a role comes back, and the role runs again as a new attempt', async () => {
  const rack = joinedRack()
  rack.play = (_task, run) => (run === 1 ? undefined : {})
  await using life = await open(rack)
  life.sessions.connectAll()
  await startJoined(life)
  await settle()
  rack.powerCycle('m-n1')
  await life.engine.idle({ signal: soon() })
  expect(types(await life.events(), 'd/a@n1')).toEqual(['sent', 'accepted', 'unknown', 'sent', 'accepted', 'succeeded'])
  expect(rack.tasks.map((task) => task.attempt)).toEqual(['1/d/a@n1/1', '1/d/a@n1/2'])
  expect(ended(life)).toBe('complete')
})

test('a destructive role whose end nobody knows waits for a person, and runs again when one approves', async () => {
  const rack = joinedRack()
  rack.play = (_task, run) => (run === 1 ? undefined : {})
  await using life = await open(rack)
  life.sessions.connectAll()
  await startJoined(life, [step({ id: 'd/a@n1', document: { d: {} }, destructive: true, once: 'k', retries: { max: 3, backoff: 0 } })])
  await settle()
  rack.powerCycle('m-n1')
  await life.engine.idle({ signal: soon() })
  expect(ended(life)).toBe('partial')
  const state = life.engine.state.run?.steps.get('d/a@n1')
  expect(state).toMatchObject({ status: 'unknown', approval: { step: 'd/a@n1', once: 'k', machine: 'm-n1', disks: [] } })
  await life.engine.approve(state?.approval as NonNullable<NonNullable<typeof state>['approval']>, { by: 'root' })
  await life.engine.idle({ signal: soon() })
  expect(ended(life)).toBe('complete')
  expect(rack.effects).toEqual(['role d/a@n1', 'role d/a@n1'])
})

test('an approval that was given and not used is void once a commit that does not ask for it was applied', async () => {
  const rack = new FakeRack(['m-n1', 'm-n2'], { joined: true })
  await using life = await open(rack)
  life.sessions.connectAll()
  const wipes = planOf([step({ id: 'd/a@n1', document: { d: { datadir: '/srv' } } }), step({ id: 'd/b@n2', document: { d: {} }, destructive: true, once: 'k' })])
  const asked = { commit: 'c', plan: wipes, changes: changesOf(wipes, { approve: ['d/a@n1', 'd/b@n2'] }) }
  await life.engine.start(asked, { reason: 'apply' })
  await life.engine.idle({ signal: soon() })
  await life.engine.freeze({ by: 'root', reason: 'a test' })
  for (const { approval } of life.engine.state.run?.steps.values() ?? []) if (approval !== null) await life.engine.approve(approval, { by: 'root' })
  expect([...life.engine.state.approvals.keys()]).toEqual(['d/a@n1', 'd/b@n2'])
  await life.engine.cancel({ by: 'root' })
  await life.engine.idle({ signal: soon() })
  await life.engine.thaw({ by: 'root' })
  // Only what is chosen is asked about; then the whole commit before, under which nothing of it runs.
  const chosen = changesOf(wipes, { ids: [] })
  expect(await life.engine.start({ ...asked, changes: { ...chosen, selection: { target: ['x'], exclude: [], pulledIn: [], deferred: [], excluded: 2 } } }, { reason: 'apply' })).toBeUndefined()
  expect([...life.engine.state.approvals.keys()]).toEqual(['d/a@n1', 'd/b@n2'])
  expect(await life.engine.start({ ...asked, changes: changesOf(wipes, { ids: ['d/b@n2'], approve: ['d/b@n2'] }) }, { reason: 'apply' })).toBe(2)
  await life.engine.idle({ signal: soon() })
  expect([rack.effects, ended(life)]).toEqual([['role d/b@n2'], 'complete'])
  // The commit is there again, and nobody has approved it since.
  await life.engine.start({ ...asked, changes: changesOf(wipes, { ids: ['d/a@n1'], approve: ['d/a@n1'] }) }, { reason: 'apply' })
  await life.engine.idle({ signal: soon() })
  expect([rack.effects, ended(life)]).toEqual([['role d/b@n2'], 'partial'])
})

test('what a run waits for does not happen once a commit that asks for nothing was applied, whoever comes or approves', async () => {
  const rack = new FakeRack(['m-n1', 'm-n2'], { joined: true })
  await using life = await open(rack)
  const plan = planOf([step({ id: 'd/a@n1', document: { d: {} } }), step({ id: 'd/b@n2', document: { d: {} } })])
  await life.engine.start({ commit: 'c', plan, changes: changesOf(plan, { approve: ['d/b@n2'] }) }, { reason: 'apply' })
  life.engine.hurry()
  await life.engine.idle({ signal: soon() })
  const approval = life.engine.state.run?.steps.get('d/b@n2')?.approval
  expect([ended(life), approval?.step]).toEqual(['partial', 'd/b@n2'])
  const none = { commit: 'before', plan, changes: changesOf(plan, { ids: [] }) }
  expect(await life.engine.start(none, { reason: 'apply' })).toBe(2)
  await life.engine.idle({ signal: soon() })
  life.sessions.connectAll()
  await life.engine.approve(approval as NonNullable<typeof approval>, { by: 'root' })
  await life.engine.idle({ signal: soon() })
  expect([rack.effects, ended(life), life.engine.state.run?.run]).toEqual([[], 'complete', 2])
  expect(await life.engine.start(none, { reason: 'apply' })).toBeUndefined()
})

test('what a person must approve is asked for once, and what is not approved is not run', async () => {
  const rack = new FakeRack(['m-n1', 'm-n2'], { joined: true })
  await using life = await open(rack)
  life.sessions.connectAll()
  const plan = planOf([step({ id: 'd/a@n1', document: { d: {} } }), step({ id: 'd/x@n1', document: { d: {} } }), step({ id: 'd/b@n2', document: { d: {} } })])
  await life.engine.start({ commit: 'c', plan, changes: changesOf(plan, { approve: ['d/a@n1'] }) }, { reason: 'apply' })
  await life.engine.idle({ signal: soon() })
  expect(ended(life)).toBe('partial')
  expect(rack.effects).toEqual(['role d/b@n2'])
  const approval = life.engine.state.run?.steps.get('d/a@n1')?.approval
  expect(approval).toMatchObject({ step: 'd/a@n1', machine: 'm-n1' })
  await life.engine.approve({ ...(approval as NonNullable<typeof approval>), machine: 'm-n9' }, { by: 'root' })
  await life.engine.idle({ signal: soon() })
  expect(rack.effects).toEqual(['role d/b@n2'])
  expect((await life.events()).filter((event) => event.type === 'approval.voided')).toHaveLength(1)
  await life.engine.approve(approval as NonNullable<typeof approval>, { by: 'root' })
  await life.engine.idle({ signal: soon() })
  expect(ended(life)).toBe('complete')
  expect(rack.effects).toEqual(['role d/b@n2', 'role d/a@n1', 'role d/x@n1'])
})

test('a machine that is not there is waited for with patience, and continues the run when it comes later', async () => {
  const rack = joinedRack()
  await using life = await open(rack, { patienceMs: 60_000 })
  await startJoined(life)
  await settle()
  expect(reason(life, 'd/a@n1')).toBe('n1 is not connected')
  expect(ended(life)).toBeUndefined()
  life.timers.advance(60_001)
  await life.engine.idle({ signal: soon() })
  expect(ended(life)).toBe('partial')
  life.sessions.connectAll()
  await settle()
  await life.engine.idle({ signal: soon() })
  expect(ended(life)).toBe('complete')
  expect(types(await life.events(), 'd/a@n1')).toEqual(['waiting', 'sent', 'accepted', 'succeeded'])
})

test('a newer plan replaces what was not started, and a late machine goes on in the same run', async () => {
  const rack = firstLightRack()
  rack.machine('m-n2').on = false
  await using life = await open(rack)
  life.sessions.connectAll()
  const whole = firstLightPlan()
  const early = planOf(
    whole.steps.map((one) => (one.id === 'discover@n2' || one.id === 'install@n2' ? { ...one, attributes: null, digest: `early ${one.id}` } : one)),
    { artifacts: whole.artifacts, nodes: { n2: { machine: null } } },
  )
  await life.engine.start({ commit: 'c1', plan: early, changes: changesOf(early) }, { reason: 'apply' })
  await settle()
  expect(reason(life, 'discover@n2')).toBe('no machine with mac of n2 has been seen')
  expect(rack.effects).toEqual(['install m-n1', 'role web/server@n1'])
  rack.machine('m-n2').on = true
  life.sessions.connectAll()
  await life.engine.extend({ commit: 'c2', plan: whole, changes: changesOf(whole) }, { reason: 'inventory' })
  await life.engine.idle({ signal: soon() })
  expect(life.engine.state.run).toMatchObject({ run: 1, ended: { state: 'complete' }, work: { commit: 'c2' } })
  expect(rack.effects.toSorted()).toEqual(EVERYTHING)
})

test('frozen, nothing starts until the thaw, also in the next life', async () => {
  const rack = joinedRack()
  {
    await using life = await open(rack)
    life.sessions.connectAll()
    await life.engine.freeze({ by: 'root', reason: 'night' })
    await startJoined(life)
    await settle()
    expect(rack.effects).toEqual([])
  }
  await using life = await open(rack)
  life.sessions.connectAll()
  await life.engine.resume()
  await settle()
  expect(life.engine.schedule?.blocked.get('d/a@n1')).toEqual([{ code: 'FROZEN', message: 'everything is frozen' }])
  await life.engine.thaw({ by: 'root' })
  await life.engine.idle({ signal: soon() })
  expect(ended(life)).toBe('complete')
})

test('cancelling lets what runs end and starts nothing any more; a second time what runs is asked to stop', async () => {
  for (const twice of [false, true]) {
    const rack = joinedRack()
    rack.play = () => undefined
    await using life = await openLife(join(folder, String(twice)), rack)
    life.sessions.connectAll()
    await startJoined(life, [joined(), step({ id: 'd/b@n1', needs: ['d/a@n1'], document: { d: {} } })])
    await settle()
    await life.engine.cancel({ by: 'root' })
    await settle()
    expect([ended(life), rack.asked]).toEqual([undefined, []])
    if (twice) await life.engine.cancel({ by: 'root' })
    else rack.finish('m-n1', {})
    await life.engine.idle({ signal: soon() })
    expect(life.engine.state.run?.ended).toMatchObject({ state: 'failed', reason: 'cancelled by root' })
    expect(types(await life.events(), 'd/a@n1')).toEqual(['sent', 'accepted', twice ? 'cancelled' : 'succeeded'])
    expect(types(await life.events(), 'd/b@n1')).toEqual(['cancelled'])
    await expect(life.engine.cancel({ by: 'root' })).rejects.toMatchObject({ code: 'NO_RUN' })
  }
})

test('a driver that throws fails its step and nothing else', async () => {
  const rack = joinedRack()
  await using life = await open(rack, {
    drivers: (drivers) => drivers.map((driver) => (driver.kind === 'barrier' ? { ...driver, run: () => Promise.reject(new TypeError('a bug')) } : driver)),
  })
  life.sessions.connectAll()
  await startJoined(life, [step({ id: 'barrier/d' }), joined()])
  await life.engine.idle({ signal: soon() })
  expect(life.engine.state.run?.steps.get('barrier/d')).toMatchObject({ status: 'failed', code: 'INTERNAL', reason: expect.stringContaining('a bug') as string })
  expect(life.engine.state.run?.steps.get('d/a@n1')?.status).toBe('succeeded')
})

test('an agent whose log another one took over stops at once', async () => {
  const rack = joinedRack()
  await using life = await open(rack)
  await using other = await open(rack)
  expect(other.engine.state.epoch).toBeLessThan(3)
  await expect(startJoined(life)).rejects.toMatchObject({ code: 'STALE_EPOCH' })
  expect(await life.engine.broken).toMatchObject({ code: 'STALE_EPOCH' })
})

test('a role that reads a value is run again when that value has changed, and only then', async () => {
  const rack = firstLightRack()
  await using life = await open(rack)
  life.sessions.connectAll()
  const { plan } = firstLight()
  await life.engine.start(firstLight(), { reason: 'apply' })
  await life.engine.idle({ signal: soon() })
  const again = { commit: 'c2', plan, changes: changesOf(plan, { ids: ['web/server@n1'] }) }
  await life.engine.start(again, { reason: 'apply' })
  await life.engine.idle({ signal: soon() })
  expect(rack.effects.filter((effect) => effect === 'role web/client@n2')).toHaveLength(2)
  playFirstLight(rack)
  rack.play = ((play) => (task: RoleTask) => play(task, 2))(rack.play)
  await life.engine.start(again, { reason: 'apply' })
  await life.engine.idle({ signal: soon() })
  expect(life.engine.state.run?.steps.get('web/client@n2')?.status).toBe('unchanged')
  expect(rack.effects.filter((effect) => effect === 'role web/client@n2')).toHaveLength(2)
})

test('a joined machine is taken over when it is there, and nothing is written', async () => {
  const rack = joinedRack()
  await using life = await open(rack)
  life.sessions.connectAll()
  await startJoined(life, [step({ id: 'install@n1', document: { install: installDocument('n1', 'joined') } }), joined(['install@n1'])])
  await life.engine.idle({ signal: soon() })
  expect(ended(life)).toBe('complete')
  expect(rack.effects).toEqual(['role d/a@n1'])
})

test('a machine that enrols is taken up at once, without waiting for the next look', async () => {
  const rack = new FakeRack([])
  await using life = await open(rack)
  const plan = planOf([step({ id: 'discover@n1' })])
  await life.engine.start({ commit: 'c', plan, changes: changesOf(plan) }, { reason: 'apply' })
  await settle()
  expect(reason(life, 'discover@n1')).toBe('machine m-n1 (mac of n1) has not enrolled')
  await life.store.append([{ type: 'machine.enrolled', data: { machine: 'm-n1', key: 'k', environment: 'discovery', boot: 'b' } }], { epoch: 1 })
  await life.engine.idle({ signal: soon() })
  expect(ended(life)).toBe('complete')
})

test('attempts that get lost again and again are not made for ever', async () => {
  const rack = joinedRack()
  rack.play = () => {
    setImmediate(() => rack.powerCycle('m-n1'))
    return undefined
  }
  await using life = await open(rack)
  life.sessions.connectAll()
  await startJoined(life)
  await life.engine.idle({ signal: soon() })
  expect(life.engine.state.run?.steps.get('d/a@n1')).toMatchObject({ status: 'failed', code: 'ATTEMPT_LOST' })
  expect(rack.effects).toHaveLength(6)
})

test('hurried, a run waits for no machine any longer', async () => {
  await using life = await open(joinedRack())
  await startJoined(life)
  await settle()
  expect(ended(life)).toBeUndefined()
  life.engine.hurry()
  await life.engine.idle({ signal: soon() })
  expect(ended(life)).toBe('partial')
})

test('a machine that comes back while a driver finds that it is away is asked about at once, and not a minute later', async () => {
  const rack = joinedRack()
  let looks = 0
  await using life = await open(rack, {
    drivers: (drivers) => drivers.map((driver) => (driver.kind === 'role' ? {
      ...driver,
      run: async (step, context) => {
        if (++looks > 1) return driver.run(step, context)
        life.sessions.connectAll()
        await Promise.resolve()
        return { kind: 'waiting', reason: 'n1 is not connected', afterMs: 60_000, on: 'machine' }
      },
    } : driver)),
  })
  await startJoined(life)
  await life.engine.idle({ signal: soon() })
  expect(looks).toBe(2)
  expect((await life.events()).at(-1)?.type).toBe('run.ended')
})
