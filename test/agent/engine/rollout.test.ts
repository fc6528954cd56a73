import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { CompiledWork } from '../../../agent/engine/engine.ts'
import type { Rollout } from '../../../schemas/changes.ts'
import { openLife } from './agent-life.ts'
import type { AgentLife } from './agent-life.ts'
import { changesOf, planOf, rolloutOf, step } from './build-work.ts'
import { FakeRack } from './fake-rack.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'crowbar-rollout-'))
})
afterEach(async () => rm(folder, { recursive: true, force: true }))

const NODES = ['n1', 'n2', 'n3', 'n4']
const soon = (): AbortSignal => AbortSignal.timeout(5000)
const ended = (life: AgentLife): string | undefined => life.engine.state.run?.ended?.state
const settle = async (): Promise<void> => {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve))
}
const aRack = (): FakeRack => new FakeRack(NODES.map((node) => `m-${node}`), { joined: true })

function work(rollout: Partial<Rollout>, { nodes = NODES, batches = [['n1'], ['n2', 'n3'], ['n4']], ids }: { readonly nodes?: readonly string[]; readonly batches?: readonly (readonly string[])[]; readonly ids?: readonly string[] } = {}): CompiledWork {
  const steps = nodes.map((node) => step({ id: `d/r@${node}`, document: { d: {} }, entries: { check: 'check.sh' } }))
  const plan = planOf(steps)
  return { commit: `c${nodes.length}`, plan, changes: changesOf(plan, { rollouts: [rolloutOf(steps, batches, rollout)], ...(ids === undefined ? {} : { ids }) }) }
}

test('batch after batch, each checked; what has not passed yet is checked again', async () => {
  const rack = aRack()
  rack.play = (task, run) => (task.step.startsWith('gate/') && run === 1 ? { outcome: 'failed', code: 'JIG_EXIT', message: 'not yet' } : {})
  await using life = await openLife(folder, rack)
  life.sessions.connectAll()
  await life.engine.start(work({ gate: { role: 'd/r', timeout: 60 } }), { reason: 'apply' })
  for (let turn = 0; turn < 5 && ended(life) === undefined; turn++) {
    await settle()
    life.timers.advance(5000)
  }
  await life.engine.idle({ signal: soon() })
  expect(ended(life)).toBe('complete')
  const twice = (batch: number, ...nodes: string[]): string[] => [...nodes, ...nodes].map((node) => `role gate/rollout/d/r/${batch}@${node}`)
  expect(rack.effects).toEqual(['role d/r@n1', ...twice(1, 'n1'), 'role d/r@n2', 'role d/r@n3', ...twice(2, 'n2', 'n3'), 'role d/r@n4', ...twice(3, 'n4')])
  const check = rack.tasks.find((task) => task.step === 'gate/rollout/d/r/1@n1')
  expect(check).toMatchObject({ kind: 'role', entry: 'check.sh', timeout: 60, document: { d: {}, crowbar: { action: 'check' } } })
  await life.ledger.upToDate()
  expect(Object.keys(life.ledger.current.nodes['n1']?.steps ?? {})).toEqual(['d/r@n1'])
})

test('a gate that does not pass within its time stops the rollout', async () => {
  const rack = aRack()
  rack.play = (task) => (task.step.startsWith('gate/') ? { outcome: 'failed', code: 'JIG_EXIT', message: 'exit 1' } : {})
  await using life = await openLife(folder, rack)
  life.sessions.connectAll()
  await life.engine.start(work({ gate: { role: 'd/r', timeout: 12 }, maxFailures: 4 }), { reason: 'apply' })
  for (let turn = 0; turn < 5 && ended(life) === undefined; turn++) {
    await settle()
    life.timers.advance(5000)
  }
  await life.engine.idle({ signal: soon() })
  expect(ended(life)).toBe('failed')
  expect(rack.effects).toEqual(['role d/r@n1', ...Array.from({ length: 3 }, () => 'role gate/rollout/d/r/1@n1')])
  expect(life.engine.state.run?.steps.get('gate/rollout/d/r/1@n1')).toMatchObject({ code: 'GATE_TIMEOUT', reason: 'not within 12 seconds: exit 1' })
  expect(life.engine.state.run?.ended?.reason).toBe('1 failed; rollout/d/r stopped: d/r did not pass its check on n1 after batch 1')
})

test('a gate whose role has no check refuses the run', async () => {
  await using life = await openLife(folder, aRack())
  const plan = planOf([step({ id: 'd/r@n1', document: { d: {} } })])
  const changes = changesOf(plan, { rollouts: [rolloutOf(plan.steps, [['n1']], { gate: { role: 'd/r', timeout: 60 } })] })
  await expect(life.engine.start({ commit: 'c', plan, changes }, { reason: 'apply' })).rejects.toMatchObject({ code: 'KIND_UNSUPPORTED', message: 'gate/rollout/d/r/1@n1: it is to check d/r, which has no check' })
})

test('at a pause the run is partial, in the next life too, until a person lets it go on', async () => {
  const rack = aRack()
  {
    await using life = await openLife(folder, rack)
    life.sessions.connectAll()
    await life.engine.start(work({ pause: 'after-first' }), { reason: 'apply' })
    await life.engine.idle({ signal: soon() })
    expect([ended(life), rack.effects]).toEqual(['partial', ['role d/r@n1']])
    await expect(life.engine.resumeRollout('rollout/other', { by: 'root' })).rejects.toMatchObject({ code: 'NO_PAUSE' })
  }
  await using life = await openLife(folder, rack)
  life.sessions.connectAll()
  await life.engine.resume()
  await settle()
  expect([ended(life), rack.effects.length]).toEqual(['partial', 1])
  await life.engine.resumeRollout('rollout/d/r', { by: 'root' })
  await life.engine.idle({ signal: soon() })
  expect([ended(life), rack.effects]).toEqual(['complete', NODES.map((node) => `role d/r@${node}`)])
})

test('a failure beyond the budget stops what comes later, and nothing else', async () => {
  const rack = aRack()
  rack.play = (task) => (task.step === 'd/r@n2' ? { outcome: 'failed', code: 'JIG_EXIT', message: 'exit 1' } : {})
  await using life = await openLife(folder, rack)
  life.sessions.connectAll()
  await life.engine.start(work({}), { reason: 'apply' })
  await life.engine.idle({ signal: soon() })
  expect(rack.effects).toEqual(['role d/r@n1', 'role d/r@n2', 'role d/r@n3'])
  expect(life.engine.state.run?.ended).toMatchObject({ state: 'failed', reason: '1 failed; rollout/d/r stopped: 1 of 4 nodes failed (budget 0)' })
})

test('a node that gets its machine meanwhile comes last, and the position is kept over kill and extension', async () => {
  const rack = new FakeRack([...NODES, 'n5'].map((node) => `m-${node}`), { joined: true })
  let hung = true
  rack.play = (task) => (task.step === 'd/r@n2' && hung ? undefined : {})
  {
    await using life = await openLife(folder, rack)
    life.sessions.connectAll()
    await life.engine.start(work({}), { reason: 'apply' })
    await settle()
    expect(rack.effects).toEqual(['role d/r@n1', 'role d/r@n2', 'role d/r@n3'])
  }
  hung = false
  await using life = await openLife(folder, rack)
  life.sessions.connectAll()
  await life.engine.resume()
  // What the compiler makes of the rest has batches of its own.
  const rest = ['d/r@n2', 'd/r@n3', 'd/r@n4', 'd/r@n5']
  await life.engine.extend(work({}, { nodes: [...NODES, 'n5'], batches: [['n5'], ['n2', 'n3', 'n4']], ids: rest }), { reason: 'inventory' })
  await settle()
  expect(rack.effects).toHaveLength(3)
  rack.finish('m-n2', {})
  await life.engine.idle({ signal: soon() })
  expect(rack.effects).toEqual(['role d/r@n1', 'role d/r@n2', 'role d/r@n3', 'role d/r@n4', 'role d/r@n5'])
  expect(ended(life)).toBe('complete')
})

test('nobody knows how an attempt ended: the role’s check does', async () => {
  for (const [destructive, done] of [[false, true], [false, false], [true, true], [true, false]] as const) {
    const rack = new FakeRack(['m-n1'], { joined: true })
    let cut = true
    rack.play = (task) => {
      if (task.attempt.endsWith('/check')) return done ? {} : { outcome: 'failed', code: 'JIG_EXIT', message: 'no' }
      if (!cut) return {}
      cut = false
      setImmediate(() => rack.powerCycle('m-n1'))
      return undefined
    }
    await using life = await openLife(join(folder, `${destructive}-${done}`), rack)
    life.sessions.connectAll()
    const plan = planOf([step({ id: 'd/a@n1', document: { d: {} }, entries: { check: 'check.sh' }, ...(destructive ? { destructive, once: 'k' } : {}) })])
    await life.engine.start({ commit: 'c', plan, changes: changesOf(plan) }, { reason: 'apply' })
    await life.engine.idle({ signal: soon() })
    const again = done ? [] : destructive ? [] : ['role d/a@n1']
    expect(rack.effects).toEqual(['role d/a@n1', 'check d/a@n1', ...again])
    expect(ended(life)).toBe(destructive && !done ? 'partial' : 'complete')
  }
})
