import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { CompiledWork } from '../../../agent/engine/engine.ts'
import type { Stager } from '../../../agent/drivers/stage.ts'
import { openLife } from './agent-life.ts'
import type { AgentLife } from './agent-life.ts'
import { changesOf, operationOf, planOf, rolloutOf, step } from './build-work.ts'
import { FakeRack } from './fake-rack.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'crowbar-operation-'))
})
afterEach(async () => rm(folder, { recursive: true, force: true }))

const NODES = ['n1', 'n2']
const ROLES = NODES.flatMap((node) => ['d/a', 'd/b'].map((role) => step({ id: `${role}@${node}`, document: { d: {} } })))
const soon = (): AbortSignal => AbortSignal.timeout(5000)
const ended = (life: AgentLife): string | undefined => life.engine.state.run?.ended?.state
const settle = async (): Promise<void> => {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve))
}
const aRack = (): FakeRack => new FakeRack(['m-n1', 'm-n2'], { joined: true })

/** Only the operation is due. */
function work(actions: Parameters<typeof operationOf>[2], more: Parameters<typeof operationOf>[3] = {}): CompiledWork {
  const operation = operationOf('kernel', NODES, actions, more)
  const plan = planOf(ROLES, { operations: [operation] })
  const rollout = rolloutOf(operation.steps, NODES.map((node) => [node]), { id: 'operation/kernel' })
  return { commit: 'c', plan, changes: changesOf(plan, { ids: operation.steps.map((one) => one.id), rollouts: [rollout] }) }
}

const ROLLING = [{ do: 'drain', roles: ['d/b', 'd/a'] }, { do: 'reboot' }, { do: 'resume', roles: ['d/a', 'd/b'] }] as const
const rolled = (node: string): string[] => [`drain.sh d/b@${node}`, `drain.sh d/a@${node}`, `reboot m-${node}`, `resume.sh d/a@${node}`, `resume.sh d/b@${node}`]

test('a rolling restart: one node after the other, the roles in their order, each once', async () => {
  const rack = aRack()
  await using life = await openLife(folder, rack)
  life.sessions.connectAll()
  await life.engine.start(work(ROLLING), { reason: 'apply' })
  await life.engine.idle({ signal: soon() })
  expect([ended(life), rack.effects]).toEqual(['complete', [...rolled('n1'), ...rolled('n2')]])
  const drain = rack.tasks.find((task) => task.step === 'operation/kernel/drain@n1')
  expect(drain).toMatchObject({ kind: 'entries', entries: [{ step: 'd/b@n1', entry: 'drain.sh', document: { d: {}, crowbar: { action: 'drain', step: 'operation/kernel/drain@n1' } } }, { step: 'd/a@n1' }] })
  await life.ledger.upToDate()
  expect(Object.keys(life.ledger.current.nodes['n2']?.steps ?? {})).toEqual(['operation/kernel/drain@n2', 'operation/kernel/reboot@n2', 'operation/kernel/resume@n2'])
  expect(life.ledger.current.nodes['n2']?.attempted).toEqual({})
})

test('the agent dies while a machine restarts: it is not restarted again', async () => {
  for (const when of ['before the machine went down', 'after it came back']) {
    const rack = aRack()
    const of = join(folder, when)
    {
      await using life = await openLife(of, rack)
      life.sessions.connectAll()
      rack.duringReboot = () => {
        if (when.startsWith('before')) void life.engine[Symbol.asyncDispose]()
      }
      await life.engine.start(work([{ do: 'reboot' }]), { reason: 'apply' })
      if (when.startsWith('after')) while (life.engine.state.run?.steps.get('operation/kernel/reboot@n1')?.status !== 'running') await new Promise((resolve) => setImmediate(resolve))
      else await settle()
    }
    rack.duringReboot = () => undefined
    await settle()
    await using life = await openLife(of, rack)
    life.sessions.connectAll()
    await life.engine.resume()
    await life.engine.idle({ signal: soon() })
    expect([when, ended(life), rack.effects]).toEqual([when, 'complete', ['reboot m-n1', 'reboot m-n2']])
  }
})

test('the power goes instead: that is a restart too', async () => {
  const rack = aRack()
  rack.duringReboot = (machine) => rack.powerCycle(machine)
  await using life = await openLife(folder, rack)
  life.sessions.connectAll()
  await life.engine.start(work([{ do: 'reboot' }]), { reason: 'apply' })
  await life.engine.idle({ signal: soon() })
  expect([ended(life), rack.effects]).toEqual(['complete', ['reboot m-n1', 'reboot m-n2']])
  expect([rack.machine('m-n1').boot, rack.machine('m-n2').boot]).toEqual([2, 2])
})

test('an action that fails on a node ends the operation there, and the next node is left alone', async () => {
  const rack = aRack()
  rack.playOperation = () => ({ outcome: 'failed', code: 'JIG_EXIT', message: 'd/b@n1: drain.sh ended with exit code 1' })
  await using life = await openLife(folder, rack)
  life.sessions.connectAll()
  await life.engine.start(work(ROLLING), { reason: 'apply' })
  await life.engine.idle({ signal: soon() })
  expect(ended(life)).toBe('failed')
  expect(rack.tasks.map((task) => task.step)).toEqual(['operation/kernel/drain@n1'])
  expect(life.engine.schedule?.blocked.get('operation/kernel/drain@n2')).toEqual([{ code: 'ROLLOUT_STOPPED', message: 'operation/kernel stopped: 1 of 2 nodes failed (budget 0)' }])
})

test('packages are upgraded from what is staged; what is not staged fails', async () => {
  const more = { artifacts: ['packages-debian-12'] }
  for (const staged of [true, false]) {
    const rack = aRack()
    const stager: Partial<Stager> = { locate: () => Promise.resolve(staged ? { kind: 'repository', url: 'http://192.0.2.1/apt', hash: 'h', index: 'a'.repeat(64), key: 'aa' } : undefined) }
    await using life = await openLife(join(folder, String(staged)), rack, { stager })
    life.sessions.connectAll()
    const { plan, ...rest } = work([{ do: 'packages' }], more)
    await life.engine.start({ ...rest, plan: { ...plan, artifacts: { 'packages-debian-12': { kind: 'packages', os: 'debian-12', packages: [] } } } }, { reason: 'apply' })
    await life.engine.idle({ signal: soon() })
    expect(ended(life)).toBe(staged ? 'complete' : 'failed')
    expect(rack.tasks).toMatchObject(staged ? [{ kind: 'upgrade', repository: { url: 'http://192.0.2.1/apt' } }, { kind: 'upgrade' }] : [])
  }
})

test('reinstall does nothing itself, nor packages where none are staged', async () => {
  const rack = aRack()
  await using life = await openLife(folder, rack)
  life.sessions.connectAll()
  await life.engine.start(work([{ do: 'reinstall' }, { do: 'packages' }]), { reason: 'apply' })
  await life.engine.idle({ signal: soon() })
  expect([ended(life), rack.effects]).toEqual(['complete', []])
})
