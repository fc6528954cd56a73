import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Plan } from '../../../schemas/plan.ts'
import { approvable } from '../../../agent/control/approvals.ts'
import { openLife } from '../engine/agent-life.ts'
import type { AgentLife } from '../engine/agent-life.ts'
import { changesOf, planOf, step } from '../engine/build-work.ts'
import { FakeRack } from '../engine/fake-rack.ts'
import { installDocument } from '../engine/first-light.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'crowbar-discovery-role-'))
})
afterEach(async () => rm(folder, { recursive: true, force: true }))

const FULL = { blank: false, signature: 'gpt of somebody', summary: 'gpt: ext4 /' }
/** Before the install a role of the discovery image, whose report the role after it wants. */
const planFor = (once: string, { destructive = false } = {}): Plan => planOf([
  step({ id: 'discover@n1', runsOn: 'admin', document: { machine: {} } }),
  step({ id: 'd/burn-in@n1', runsOn: 'discovery', once: `burn ${once}`, destructive, needs: ['discover@n1'], document: { d: {} }, provides: { score: { type: 'integer', sensitive: false } } }),
  step({ id: 'install@n1', destructive: true, once, needs: ['d/burn-in@n1'], document: { install: installDocument('n1') } }),
  step({ id: 'd/web@n1', needs: ['install@n1', { step: 'd/burn-in@n1', kind: 'data', at: 'x:1:1' }], document: { d: {}, wants: { score: { deferred: { type: 'integer', expression: '${wants.score}', scope: {}, inputs: { 'wants.score': { step: 'd/burn-in@n1', provide: 'score' } }, sensitive: false } } } } }),
])
const soon = (): AbortSignal => AbortSignal.timeout(5000)
const start = async (life: AgentLife, plan: Plan, approve: readonly string[] = []): Promise<void> => {
  await life.engine.start({ commit: 'c', plan, changes: changesOf(plan, { approve: [...approve] }) }, { reason: 'apply' })
  life.engine.hurry()
  await life.engine.idle({ signal: soon() })
}
/** As the node server tells it when a machine connects. */
const look = (life: AgentLife, rack: FakeRack): Promise<unknown> => life.store.append([{ type: 'machine.disks', data: { machine: 'm-n1', disks: rack.machine('m-n1').disks } }], { epoch: life.engine.state.epoch })
const SCORES = (rack: FakeRack): void => {
  rack.play = (task) => (task.step === 'd/burn-in@n1' ? { provides: { score: 7 } } : {})
}

test('it runs in the discovery image, before the disks are written, and what it reports goes to the roles after it', async () => {
  const rack = new FakeRack(['m-n1'])
  SCORES(rack)
  await using life = await openLife(folder, rack)
  life.sessions.connectAll()
  await start(life, planFor('k'))
  expect(life.engine.state.run?.ended?.state).toBe('complete')
  expect(rack.effects).toEqual(['role d/burn-in@n1', 'install m-n1', 'role d/web@n1'])
  expect(rack.tasks[0]).toMatchObject({ kind: 'role', sensitive: [], mask: [], packages: [], repository: null })
  expect(rack.tasks.at(-1)).toMatchObject({ document: { wants: { score: 7 } } })
  // It outlives the installation that it was for.
  expect(Object.keys(life.ledger.current.nodes['n1']?.steps ?? {})).toContain('d/burn-in@n1')
})

test('a node that is in service is not taken out of it before its installation is approved, by its own code', async () => {
  const rack = new FakeRack(['m-n1'])
  SCORES(rack)
  await using life = await openLife(folder, rack)
  life.sessions.connectAll()
  await start(life, planFor('k'))
  rack.effects.length = rack.asked.length = 0
  const machine = rack.machine('m-n1')
  machine.disks = machine.disks.map((disk) => ({ ...disk, ...FULL }))
  life.sessions.connectAll()
  await look(life, rack)
  const next = planFor('k2')
  await start(life, next, ['install@n1'])
  expect(rack.effects).toEqual([])
  expect(rack.asked.filter((one) => one.startsWith('reboot'))).toEqual([])
  expect(life.engine.state.run).toMatchObject({ ended: { state: 'partial' } })
  const waits = life.engine.state.run?.steps.get('d/burn-in@n1')
  expect(waits).toMatchObject({ status: 'waiting', on: 'person', reason: 'it takes n1 out of service, and installing n1 anew is not approved', approval: { step: 'install@n1', machine: 'm-n1' } })

  const given = approvable(next, changesOf(next, { approve: ['install@n1'] }), life.engine.state)
  expect([...given.keys()]).toEqual(['install@n1'])
  // The boot services send it to the network from here on.
  rack.machine('m-n1').system = null
  await life.engine.approve(given.get('install@n1') ?? (waits?.approval as never), { by: 'root' })
  await life.engine.idle({ signal: soon() })
  expect(rack.asked.filter((one) => one.startsWith('reboot'))[0]).toBe('reboot m-n1: to run what comes before its installation')
  expect(rack.effects).toEqual(['role d/burn-in@n1', 'install m-n1', 'role d/web@n1'])
})

test('a machine that restarts in its midst runs it again; the agent that is killed does not', async () => {
  const rack = new FakeRack(['m-n1'])
  rack.play = (task, run) => (task.step !== 'd/burn-in@n1' ? {} : run === 1 ? undefined : { provides: { score: 1 } })
  {
    await using life = await openLife(folder, rack)
    life.sessions.connectAll()
    const plan = planFor('k')
    await life.engine.start({ commit: 'c', plan, changes: changesOf(plan) }, { reason: 'apply' })
    while (rack.effects.length === 0) await new Promise((resolve) => setImmediate(resolve))
  }
  {
    await using life = await openLife(folder, rack)
    await life.engine.resume()
    life.sessions.connectAll()
    rack.powerCycle('m-n1')
    await life.engine.idle({ signal: soon() })
    expect(life.engine.state.run?.ended?.state).toBe('complete')
  }
  expect(rack.effects).toEqual(['role d/burn-in@n1', 'role d/burn-in@n1', 'install m-n1', 'role d/web@n1'])
})

test('one that fails fences its node: nothing is written', async () => {
  const rack = new FakeRack(['m-n1'])
  rack.play = () => ({ outcome: 'failed', code: 'JIG_EXIT', message: 'bad memory' })
  await using life = await openLife(folder, rack)
  life.sessions.connectAll()
  await start(life, planFor('k'))
  expect(rack.effects).toEqual(['role d/burn-in@n1'])
  expect(life.engine.state.run?.steps.get('install@n1')?.status).toBe('skipped')
})

test.each([true, false])('one that destroys is approved for the disks that are there, and asked for anew when they are others, `destructive` or by what changed: %s', async (destructive) => {
  const rack = new FakeRack(['m-n1'])
  SCORES(rack)
  await using life = await openLife(folder, rack)
  life.sessions.connectAll()
  await start(life, planFor('k', { destructive }), ['d/burn-in@n1'])
  expect(rack.effects).toEqual([])
  expect(life.engine.state.run?.steps.get('d/burn-in@n1')).toMatchObject({ on: 'machine', reason: 'the disks of n1 have not been looked at', approval: null })
  await look(life, rack)
  const asked = () => life.engine.state.run?.steps.get('d/burn-in@n1')?.approval
  while (asked() === null) await new Promise((resolve) => setImmediate(resolve))
  await life.engine.idle({ signal: soon() })
  const approval = asked()
  expect(approval).toMatchObject({ step: 'd/burn-in@n1', once: 'burn k', machine: 'm-n1', disks: [{ id: 'serial:m-n1-disk', bytes: 1000 }] })
  await life.engine.approve({ ...(approval as NonNullable<typeof approval>), disks: [] }, { by: 'root' })
  await life.engine.idle({ signal: soon() })
  expect(rack.effects).toEqual([])
  await life.engine.approve(approval as NonNullable<typeof approval>, { by: 'root' })
  await life.engine.idle({ signal: soon() })
  expect(rack.effects).toEqual(['role d/burn-in@n1', 'install m-n1', 'role d/web@n1'])
})
