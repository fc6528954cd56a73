import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Approval } from '../../../schemas/changes.ts'
import type { InstallTask } from '../../../schemas/protocol.ts'
import { openLife } from '../engine/agent-life.ts'
import type { AgentLife } from '../engine/agent-life.ts'
import { changesOf, planOf, step } from '../engine/build-work.ts'
import { FakeRack } from '../engine/fake-rack.ts'
import { installDocument } from '../engine/first-light.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'crowbar-install-'))
})
afterEach(async () => rm(folder, { recursive: true, force: true }))

const soon = (): AbortSignal => AbortSignal.timeout(5000)
const FULL = { blank: false, signature: 'gpt of somebody', summary: 'gpt: ext4 /' }
const install = step({ id: 'install@n1', destructive: true, once: 'key', document: { install: installDocument('n1') } })
const plan = planOf([install, step({ id: 'd/a@n1', needs: ['install@n1'], document: { d: {} } })])

async function start(life: AgentLife, needsApproval = false): Promise<void> {
  life.sessions.connectAll()
  await life.engine.start({ commit: 'c', plan, changes: changesOf(plan, { approve: needsApproval ? ['install@n1'] : [] }) }, { reason: 'apply' })
  await life.engine.idle({ signal: soon() })
}

const waitsFor = (life: AgentLife): Approval => life.engine.state.run?.steps.get('install@n1')?.approval as Approval

test('a disk that is not blank waits for a person who sees its serial, and is written when approved', async () => {
  const rack = new FakeRack(['m-n1'], { disk: FULL })
  await using life = await openLife(folder, rack)
  await start(life, true)
  expect(life.engine.state.run?.ended?.state).toBe('partial')
  expect(rack.effects).toEqual([])
  expect(waitsFor(life)).toMatchObject({ step: 'install@n1', once: 'key', machine: 'm-n1', disks: [{ id: 'serial:m-n1-disk', serial: 'm-n1-disk', bytes: 1000 }] })

  const approval = waitsFor(life)
  await life.engine.approve(approval, { by: 'root' })
  await life.engine.idle({ signal: soon() })
  expect(life.engine.state.run?.ended?.state).toBe('complete')
  expect(rack.effects).toEqual(['install m-n1', 'role d/a@n1'])
  const task = rack.tasks[0] as InstallTask
  expect(task.expect).toEqual([{ id: 'serial:m-n1-disk', signature: approval.disks[0]?.signature, orStamp: null }])
  expect(life.engine.state.approvals.size).toBe(0)
})

test('what changed since it was approved is not written: the approval is void, and asked for anew', async () => {
  const rack = new FakeRack(['m-n1'], { disk: FULL })
  await using life = await openLife(folder, rack)
  await start(life)
  const approval = waitsFor(life)
  const machine = rack.machine('m-n1')
  machine.disks = machine.disks.map((disk) => ({ ...disk, signature: 'a database by now', summary: 'ext4 /srv' }))
  await life.engine.approve(approval, { by: 'root' })
  await life.engine.idle({ signal: soon() })
  expect(rack.effects).toEqual([])
  expect((await life.events()).find((event) => event.type === 'approval.voided')?.data).toMatchObject({ step: 'install@n1', reason: 'what is on disk serial:m-n1-disk differs from what was approved' })
  expect(waitsFor(life).disks[0]?.signature).not.toBe(approval.disks[0]?.signature)
  expect(life.engine.state.run?.ended?.state).toBe('partial')
})

test('what changed between the look and the first write is caught on the node, and asked for', async () => {
  const rack = new FakeRack(['m-n1'])
  await using life = await openLife(folder, rack)
  const machine = rack.machine('m-n1')
  const blank = machine.disks
  // Somebody writes to the disk when the task is on its way.
  Object.defineProperty(machine, 'disks', { get: () => (rack.tasks.length === 0 ? blank : blank.map((disk) => ({ ...disk, ...FULL }))), set(_disks: unknown) {} })
  await start(life)
  expect(rack.tasks.map((task) => task.kind)).toEqual(['install', 'inspect'])
  expect(rack.asked).toContain('acknowledge 1/install@n1/1/look')
  expect(rack.effects).toEqual([])
  expect(life.engine.state.run?.steps.get('install@n1')).toMatchObject({ status: 'waiting', on: 'person' })
  // Who approves is shown what is there now.
  expect(life.engine.state.machines.get('m-n1')?.disks).toMatchObject([FULL])
})

test('a node that was to be installed anew, and refused because its disk had changed, is what it was: its system, its roles', async () => {
  const rack = new FakeRack(['m-n1'])
  await using life = await openLife(folder, rack)
  await start(life)
  const { nodes } = structuredClone(life.ledger.current)
  const other = step({ id: 'install@n1', destructive: true, once: 'another layout', document: { install: installDocument('n1') } })
  const anew = planOf([other, step({ id: 'd/a@n1', needs: ['install@n1'], document: { d: {} } })])
  await life.engine.start({ commit: 'c2', plan: anew, changes: changesOf(anew, { approve: ['install@n1'] }) }, { reason: 'apply' })
  await life.engine.idle({ signal: soon() })
  const machine = rack.machine('m-n1')
  machine.system = null
  rack.powerCycle('m-n1')
  // What is on the disk is not what was approved any more once the node looks.
  const seen = machine.disks
  const before = rack.tasks.length
  Object.defineProperty(machine, 'disks', { get: () => (rack.tasks.length === before ? seen : seen.map((disk) => ({ ...disk, signature: 'another layout by hand' }))), set(_disks: unknown) {} })
  await life.engine.approve(waitsFor(life), { by: 'root' })
  await life.engine.idle({ signal: soon() })
  const said = (await life.events()).find((event) => event.type === 'step.unknown')
  expect(said?.data).toMatchObject({ untouched: true })
  expect(life.ledger.current.nodes).toEqual(nodes)
  expect(life.engine.state.unfinished.size).toBe(0)
  expect(life.engine.state.run?.steps.get('install@n1')).toMatchObject({ status: 'waiting', on: 'person' })
})

test('under an approval a power cut is survived: by stamp, with the same stamp, and no second question', async () => {
  const rack = new FakeRack(['m-n1'], { disk: FULL })
  let cuts = 0
  rack.duringInstall = () => (cuts++ < 2 ? 'power' : undefined)
  await using life = await openLife(folder, rack)
  await start(life)
  await life.engine.approve(waitsFor(life), { by: 'root' })
  await life.engine.idle({ signal: soon() })
  expect(life.engine.state.run?.ended?.state).toBe('complete')
  const tasks = rack.tasks.filter((task): task is InstallTask => task.kind === 'install')
  expect(tasks).toHaveLength(3)
  expect(new Set(tasks.map((task) => task.stamp)).size).toBe(1)
  expect(tasks.map((task) => task.expect[0]?.orStamp)).toEqual([null, tasks[0]?.stamp, tasks[0]?.stamp])
  expect((await life.events()).filter((event) => event.type === 'approval.given')).toHaveLength(1)
})

test('after a power cut somebody else’s data on the disk stops it, stamp or not', async () => {
  const rack = new FakeRack(['m-n1'])
  rack.duringInstall = (id) => {
    const machine = rack.machine(id)
    machine.disks = machine.disks.map((disk) => ({ ...disk, ...FULL, stamp: null }))
    return 'power'
  }
  await using life = await openLife(folder, rack)
  await start(life)
  expect(rack.effects).toEqual(['install m-n1'])
  expect(life.engine.state.run?.steps.get('install@n1')).toMatchObject({ status: 'waiting', on: 'person' })
})

test('an installation that says hello is a success, whatever became of its result', async () => {
  const rack = new FakeRack(['m-n1'])
  rack.duringInstall = (id) => {
    const machine = rack.machine(id)
    const task = rack.tasks.at(-1) as InstallTask
    machine.system = { node: task.enrolment.node, incarnation: task.enrolment.incarnation }
    return 'power'
  }
  await using life = await openLife(folder, rack)
  await start(life)
  expect(life.engine.state.run?.ended?.state).toBe('complete')
  expect(rack.effects).toEqual(['install m-n1', 'role d/a@n1'])
})

test('an install that fails fences its node, and is remembered as unfinished until one succeeds', async () => {
  const rack = new FakeRack(['m-n1'])
  let cuts = 0
  rack.duringInstall = () => (cuts++ === 0 ? 'fail' : undefined)
  await using life = await openLife(folder, rack)
  await start(life)
  expect(life.engine.state.run?.steps.get('install@n1')).toMatchObject({ status: 'failed', code: 'PROGRAM_FAILED' })
  expect(life.engine.state.run?.steps.get('d/a@n1')).toMatchObject({ status: 'skipped', reason: 'install@n1' })
  expect(life.engine.state.unfinished.get('install@n1')).toMatchObject({ once: 'key', machine: 'm-n1' })
  expect(life.ledger.current.nodes['n1']).toMatchObject({ incarnation: null, attempted: { 'install@n1': 'key' } })
  await start(life)
  expect(rack.effects).toEqual(['install m-n1', 'install m-n1', 'role d/a@n1'])
  expect(life.engine.state.unfinished.size).toBe(0)
})

test('without its root filesystem in the store nothing is sent', async () => {
  const rack = new FakeRack(['m-n1'])
  await using life = await openLife(folder, rack, { stager: { locate: () => Promise.resolve(undefined) } })
  await start(life)
  expect(life.engine.state.run?.steps.get('install@n1')).toMatchObject({ status: 'failed', code: 'NOT_STAGED' })
  expect(life.engine.state.unfinished.size).toBe(0)
  expect(rack.tasks).toEqual([])
})

test('a machine that keeps coming up from the network is not sent to its disk for ever', async () => {
  const rack = new FakeRack(['m-n1'])
  await using life = await openLife(folder, rack)
  const machine = rack.machine('m-n1')
  Object.defineProperty(machine, 'system', { get: () => null, set(_system: unknown) {} })
  await start(life)
  expect(life.engine.state.run?.steps.get('install@n1')).toMatchObject({ status: 'failed', code: 'DISK_NOT_BOOTED' })
  expect(rack.asked.filter((asked) => asked.startsWith('reboot'))).toHaveLength(4)
})

test.each(['left', 'gone'])('a system that comes up after its install counted as failed is taken, and not written again: its stamp %s', async (stamp) => {
  const rack = new FakeRack(['m-n1'])
  await using life = await openLife(folder, rack)
  const machine = rack.machine('m-n1')
  Object.defineProperty(machine, 'system', { get: () => null, set(_system: unknown) {}, configurable: true })
  await start(life)
  expect(life.engine.state.run?.steps.get('install@n1')).toMatchObject({ status: 'failed', code: 'DISK_NOT_BOOTED' })
  // Somebody mends its boot order; meanwhile it does its work.
  const task = rack.tasks[0] as InstallTask
  const { node, incarnation } = task.enrolment
  Object.defineProperty(machine, 'system', { value: { node, incarnation }, writable: true })
  machine.disks = machine.disks.map((disk) => ({ ...disk, signature: 'a system with data', stamp: stamp === 'left' ? task.stamp : null }))
  rack.powerCycle('m-n1')
  await start(life)
  expect(rack.effects).toEqual(['install m-n1', 'role d/a@n1'])
  expect(life.engine.state.run?.ended?.state).toBe('complete')
  expect(life.engine.state.unfinished.size).toBe(0)
})

test('a disk with a whole system on it is not written again unasked, though its stamp is still there', async () => {
  const rack = new FakeRack(['m-n1'])
  await using life = await openLife(folder, rack)
  const machine = rack.machine('m-n1')
  Object.defineProperty(machine, 'system', { get: () => null, set(_system: unknown) {} })
  await start(life)
  machine.disks = machine.disks.map((disk) => ({ ...disk, signature: 'a system with data', stamp: (rack.tasks[0] as InstallTask).stamp }))
  rack.powerCycle('m-n1')
  await start(life)
  expect(rack.effects).toEqual(['install m-n1'])
  expect(life.engine.state.run?.steps.get('install@n1')).toMatchObject({ status: 'waiting', on: 'person' })
})

test('a machine that is sent to its disk again has heard before that its stamp may go', async () => {
  const rack = new FakeRack(['m-n1'])
  await using life = await openLife(folder, rack)
  const session = life.sessions.session.bind(life.sessions)
  let away = true
  // The connection is lost between the result and the acknowledgement.
  life.sessions.session = (id) => (life.engine.state.nodes.size > 0 && away ? undefined : session(id))
  setTimeout(() => {
    away = false
    life.sessions.connectAll()
  }, 300)
  await start(life)
  expect(rack.asked.slice(0, 2)).toEqual(['acknowledge 1/install@n1/1', 'reboot m-n1: the system is on the disk'])
  expect(rack.machine('m-n1').disks[0]?.stamp).toBeNull()
})

test('a method that this agent does not have refuses the run', async () => {
  await using life = await openLife(folder, new FakeRack([]))
  const other = planOf([install], { systems: { 'debian-12': { family: 'debian', version: '12', architecture: 'amd64', install: 'preseed', source: null, packages: [] } } })
  await expect(life.engine.start({ commit: 'c', plan: other, changes: changesOf(other) }, { reason: 'apply' })).rejects.toMatchObject({ code: 'KIND_UNSUPPORTED', message: 'install@n1: this agent cannot install by preseed' })
})
