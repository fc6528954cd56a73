import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { CompiledWork } from '../../../agent/engine/engine.ts'
import { fold } from '../../../agent/state/fold.ts'
import { change } from '../../../compiler/change/change.ts'
import { writeLedger } from '../../../schemas/ledger-tree.ts'
import type { Ledger } from '../../../schemas/ledger.ts'
import type { Plan } from '../../../schemas/plan.ts'
import { stepDigest } from '../../../schemas/step-digest.ts'
import { openLife } from './agent-life.ts'
import type { AgentLife } from './agent-life.ts'
import { FakeRack } from './fake-rack.ts'
import { firstLightPlan, playFirstLight, renamedPlan } from './first-light.ts'

const MEMORY = '/dev/shm'
const soon = (): AbortSignal => AbortSignal.timeout(20_000)
const digested = (plan: Plan): Plan => ({ ...plan, steps: plan.steps.map((step) => ({ ...step, digest: stepDigest(step) })) })
const workFor = (plan: Plan, ledger: Ledger): CompiledWork => ({ commit: plan.id, plan, changes: change(ledger, plan) })

async function inFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(existsSync(MEMORY) ? MEMORY : tmpdir(), 'crowbar-renamed-'))
  try {
    await use(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Two nodes with all that the first plan asks for. */
async function installed(folder: string, rack: FakeRack): Promise<number> {
  playFirstLight(rack)
  await using life = await openLife(folder, rack)
  life.sessions.connectAll()
  await run(life, digested(firstLightPlan()))
  return life.store.last
}

async function run(life: AgentLife, plan: Plan): Promise<void> {
  await life.ledger.upToDate()
  if (life.engine.state.run?.work.planId === plan.id) await life.engine.resume()
  else await life.engine.start(workFor(plan, life.ledger.current), { reason: 'apply' })
  await life.engine.idle({ signal: soon() })
}

test('a node gets another name in one event before its run, and only what differs runs; killed after any event, it ends the same', { timeout: 120_000 }, async () => {
  const plan = digested(renamedPlan('n9'))
  for (let killAfter = 1, isOver = false; !isOver; killAfter++) {
    await inFolder(async (folder) => {
      const rack = new FakeRack(['m-n1', 'm-n2'])
      const before = await installed(folder, rack)
      const done = rack.effects.length
      {
        await using life = await openLife(folder, rack, { killAfter: before + killAfter })
        life.sessions.connectAll()
        const going = run(life, plan)
        going.catch(() => undefined)
        await Promise.race([going, life.killed])
        isOver = !life.isKilled
      }
      await using life = await openLife(folder, rack)
      life.sessions.connectAll()
      if (!isOver) await run(life, plan)
      await life.ledger.upToDate()
      const events = (await life.events()).slice(before)
      expect({ killAfter, effects: rack.effects.slice(done) }).toEqual({ killAfter, effects: ['role web/check@n9'] })
      expect(events.filter(({ type }) => type === 'node.renamed').map(({ data }) => data)).toEqual([{ commit: plan.id, nodes: [{ from: 'n2', to: 'n9', machine: 'm-n2' }] }])
      const types = events.map(({ type }) => type)
      expect(types.indexOf('node.renamed')).toBe(types.indexOf('run.started') - 1)
      const { ledger } = life
      expect([...writeLedger(ledger.current).keys()].filter((path) => path.startsWith('nodes/'))).toEqual(['nodes/_admin.json', 'nodes/n1.json', 'nodes/n9.json'])
      expect(ledger.current.nodes['n9']).toMatchObject({ node: 'n9', index: 1, machine: 'm-n2', attempted: {} })
      expect(change(ledger.current, plan)).toMatchObject({ changes: [], renamed: [] })
      // What proves who the node is stays what it was installed as.
      expect(fold(await life.events()).nodes.get('n9')?.installed?.incarnation).toBe(rack.machine('m-n2').system?.incarnation)
    })
  }
})

test('a rename by which nothing runs is a run of its own, that ends at once', async () => {
  await inFolder(async (folder) => {
    const rack = new FakeRack(['m-n1', 'm-n2'])
    await installed(folder, rack)
    const done = rack.effects.length
    await using life = await openLife(folder, rack)
    life.sessions.connectAll()
    const plan = digested(firstLightPlan({ second: 'n9', nodes: { n9: { machine: 'm-n2', index: 1, was: 'n2' } } }))
    await run(life, plan)
    expect(life.engine.state.run).toMatchObject({ run: 2, ended: { state: 'complete' } })
    expect(rack.effects.length).toBe(done)
    await life.ledger.upToDate()
    expect(await life.engine.start(workFor(plan, life.ledger.current), { reason: 'apply' })).toBeUndefined()
    // And back, without a word: the index says which node it is.
    await run(life, digested({ ...firstLightPlan(), id: 'back' }))
    expect([...life.engine.state.nodes.keys()].toSorted()).toEqual(['n1', 'n2'])
    expect(rack.effects.length).toBe(done)
  })
})

test('changes that were made before a rename are stale, and a run that goes on takes no renames', async () => {
  await inFolder(async (folder) => {
    const rack = new FakeRack(['m-n1', 'm-n2'])
    const before = await installed(folder, rack)
    await using life = await openLife(folder, rack)
    life.sessions.connectAll()
    await life.ledger.upToDate()
    const plan = digested(renamedPlan('n9'))
    const stale = workFor(plan, structuredClone(life.ledger.current))
    await life.engine.resume()
    await expect(life.engine.extend(stale, { reason: 'r' })).rejects.toMatchObject({ code: 'RENAMES' })
    await run(life, plan)
    await expect(life.engine.start(stale, { reason: 'apply', asOf: before })).rejects.toMatchObject({ code: 'WORK_STALE' })
  })
})
