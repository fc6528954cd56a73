import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openLife } from '../engine/agent-life.ts'
import { changesOf, planOf, step } from '../engine/build-work.ts'
import { FakeRack } from '../engine/fake-rack.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'crowbar-admin-role-'))
})
afterEach(async () => rm(folder, { recursive: true, force: true }))

const soon = (): AbortSignal => AbortSignal.timeout(5000)
const plan = planOf([step({ id: 'd/dns@adm', document: { d: {} } }), step({ id: 'd/web@n1', needs: ['d/dns@adm'], document: { d: {} } })], { nodes: { adm: { admin: true, machine: null }, n1: {} } })
const work = { commit: 'c', plan, changes: changesOf(plan) }

test('a role runs on an admin node by its own node agent, once, also when the admin agent is killed meanwhile', async () => {
  const rack = new FakeRack(['admin/adm', 'm-n1'], { joined: true })
  rack.play = (task) => (task.step === 'd/dns@adm' ? undefined : {})
  {
    await using life = await openLife(folder, rack)
    life.sessions.connectAll()
    await life.engine.start(work, { reason: 'apply' })
    while (rack.effects.length === 0) await new Promise((resolve) => setImmediate(resolve))
  }
  await using life = await openLife(folder, rack)
  await life.engine.resume()
  life.sessions.connectAll()
  rack.finish('admin/adm', {})
  await life.engine.idle({ signal: soon() })
  expect(life.engine.state.run?.ended?.state).toBe('complete')
  expect(rack.effects).toEqual(['role d/dns@adm', 'role d/web@n1'])
  expect(life.ledger.current.nodes['adm']).toMatchObject({ machine: 'admin/adm', incarnation: null, steps: { 'd/dns@adm': { digest: plan.steps[0]?.digest } } })
})

test('one whose node agent is not there is waited for, with what to do about it, and asked when it comes', async () => {
  const rack = new FakeRack(['admin/adm', 'm-n1'], { joined: true })
  rack.machine('admin/adm').on = false
  await using life = await openLife(folder, rack)
  life.sessions.connectAll()
  await life.engine.start(work, { reason: 'apply' })
  life.engine.hurry()
  await life.engine.idle({ signal: soon() })
  expect(life.engine.state.run).toMatchObject({ ended: { state: 'partial' } })
  expect(life.engine.state.run?.steps.get('d/dns@adm')).toMatchObject({ status: 'waiting', on: 'machine', reason: 'the node agent of the admin node adm is not connected; crowbar join adm prints what it needs' })
  rack.machine('admin/adm').on = true
  rack.powerCycle('admin/adm')
  while (life.engine.state.run?.ended?.state !== 'complete') await new Promise((resolve) => setImmediate(resolve))
  expect(rack.effects).toEqual(['role d/dns@adm', 'role d/web@n1'])
})
