import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { wantsDiscovery } from '../../../agent/drivers/wants-discovery.ts'
import { foldLedger } from '../../../agent/ledger/fold.ts'
import { change } from '../../../compiler/change/change.ts'
import { readLedger, writeLedger } from '../../../schemas/ledger-tree.ts'
import type { DiskState } from '../../../schemas/inventory.ts'
import type { Plan } from '../../../schemas/plan.ts'
import { stepDigest } from '../../../schemas/step-digest.ts'
import { openLife } from './agent-life.ts'
import type { Json } from '../../../schemas/shape.ts'
import type { AgentLife } from './agent-life.ts'
import { operationOf, planOf, step } from './build-work.ts'
import { FakeRack } from './fake-rack.ts'
import { installDocument } from './first-light.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'crowbar-erase-'))
})
afterEach(async () => rm(folder, { recursive: true, force: true }))

const ERASE = 'operation/gone/erase@n1'
const DRAIN = 'operation/gone/drain@n1'
const KEPT = { id: 'serial:kept', serial: 'kept', model: 'fake', bytes: 9000, blank: false, signature: 'precious', summary: 'ext4', stamp: null }
const soon = (): AbortSignal => AbortSignal.timeout(10_000)

/** One node, installed on one of its two disks. */
function site({ erase = false, generation = 0, again = false, protect = false } = {}): Plan {
  const steps = [
    step({ id: 'stage/rootfs-debian-12', node: null }),
    step({ id: 'discover@n1', runsOn: 'admin', document: { machine: { machine: 'm-n1', protect } } }),
    step({ id: 'install@n1', needs: ['discover@n1', 'stage/rootfs-debian-12'], destructive: true, once: `once-${generation}`, artifacts: ['rootfs-debian-12'], document: { install: { ...(installDocument('n1') as object), generation } as Json } }),
    step({ id: 'd/a@n1', needs: ['install@n1'], document: { d: {} } }),
  ]
  const targets = [{ entry: 'system', id: 'serial:m-n1-disk', serial: 'm-n1-disk', bytes: 1000 }]
  const actions = [{ do: 'drain' as const, roles: ['d/a'] }, { do: 'erase' as const, targets, ...(again ? {} : { holds: generation }) }, ...(again ? [{ do: 'reinstall' as const }] : [])]
  const operations = erase ? [operationOf('gone', ['n1'], actions)] : []
  const plan = planOf(steps, { operations, artifacts: { 'rootfs-debian-12': { kind: 'rootfs', os: 'debian-12', packages: [] } }, nodes: { n1: { generation, protect } }, id: JSON.stringify({ erase, generation, again, protect }) })
  return { ...plan, steps: plan.steps.map((one) => ({ ...one, digest: stepDigest(one) })) }
}

function aRack(): FakeRack {
  const rack = new FakeRack(['m-n1'])
  rack.machine('m-n1').disks.push(KEPT)
  return rack
}

async function open(rack: FakeRack, options: Parameters<typeof openLife>[2] = {}): Promise<AgentLife> {
  const life = await openLife(folder, rack, options)
  const { engine, ledger } = life
  rack.toNetwork = () => wantsDiscovery('n1', { state: engine.state, ledger: ledger.current, work: engine.work }).boot === 'discovery'
  // As the node server does: what is on the disks is known from a hello and whenever somebody looked.
  const told = (disks: readonly DiskState[]): void => void life.store.append([{ type: 'machine.disks', data: { machine: 'm-n1', disks } }], { epoch: engine.state.epoch }).catch(() => undefined)
  life.sessions.subscribe((event) => {
    if (event.type === 'connected') told(event.session.disks)
    else if (event.type === 'disks') told(event.disks)
  })
  life.sessions.connectAll()
  return life
}

/** Up to where it waits or ends. */
async function run(life: AgentLife, plan: Plan, commit = plan.id): Promise<string | undefined> {
  await life.ledger.upToDate()
  if (life.engine.state.run?.work.planId === plan.id) await life.engine.resume()
  else await life.engine.start({ commit, plan, changes: change(life.ledger.current, plan) }, { reason: 'apply' })
  await life.engine.idle({ signal: soon() })
  await life.ledger.upToDate()
  return life.engine.state.run?.ended?.state
}

async function approve(life: AgentLife, id = ERASE): Promise<void> {
  const approval = [...(life.engine.state.run?.steps.values() ?? [])].find((one) => one.approval?.step === id)?.approval
  if (approval === null || approval === undefined) throw new Error(`nothing to approve: ${JSON.stringify([...(life.engine.state.run?.steps ?? [])])}`)
  await life.engine.approve(approval, { by: 'a person' })
  await life.engine.idle({ signal: soon() })
  await life.ledger.upToDate()
}

const idsOf = (life: AgentLife, plan: Plan): readonly string[] => change(life.ledger.current, plan).changes.map((one) => one.step.id)
const of = (rack: FakeRack): readonly string[] => rack.effects.filter((one) => !one.startsWith('role'))

test('nothing is written and the node runs on until it is approved; then it is erased, stays so, and is installed when the lock says so', async () => {
  const rack = aRack()
  await using life = await open(rack)
  expect(await run(life, site())).toBe('complete')
  expect(await run(life, site({ erase: true }))).toBe('partial')
  expect(life.engine.state.run?.steps.get(DRAIN)).toMatchObject({ status: 'waiting', on: 'person', reason: `it takes n1 out of service, and ${ERASE} is not approved`, approval: { step: ERASE } })
  expect(life.engine.state.run?.steps.get(DRAIN)?.approval?.disks).toMatchObject([{ id: 'serial:m-n1-disk', serial: 'm-n1-disk', bytes: 1000 }])
  expect([of(rack), rack.machine('m-n1').environment]).toEqual([['install m-n1'], 'installed'])
  expect(life.ledger.current.nodes['n1']?.incarnation).toMatch(/^sha256:/)

  await approve(life)
  expect(life.engine.state.run?.ended?.state).toBe('complete')
  expect(of(rack)).toEqual(['install m-n1', 'drain.sh d/a@n1', 'erase m-n1'])
  expect(rack.machine('m-n1').disks).toMatchObject([{ blank: true, stamp: null }, KEPT])
  expect(life.ledger.current.nodes['n1']).toMatchObject({ incarnation: null, erased: { step: ERASE, machine: 'm-n1', generation: 0 }, attempted: {} })
  expect(Object.keys(life.ledger.current.nodes['n1']?.steps ?? {})).toEqual(['discover@n1', 'operation/gone/drain@n1', ERASE])
  expect(life.ledger.current.roles).toEqual({})
  // Also for whoever reads the published ledger.
  expect(readLedger(writeLedger(life.ledger.current))).toMatchObject({ ok: true, ledger: { nodes: { n1: { erased: { step: ERASE, machine: 'm-n1', generation: 0 } } } } })

  for (const plan of [site({ erase: true }), site()]) {
    expect(change(life.ledger.current, plan)).toMatchObject({ changes: [], erased: [{ node: 'n1', step: ERASE }] })
    rack.powerCycle('m-n1')
    expect([of(rack).length, rack.machine('m-n1').environment]).toEqual([3, 'discovery'])
  }
  expect(await run(life, site({ erase: true, generation: 1 }))).toBe('complete')
  expect(rack.effects.slice(-2)).toEqual(['install m-n1', 'role d/a@n1'])
  expect(life.ledger.current.nodes['n1']?.erased).toBeUndefined()
  expect(change(life.ledger.current, site({ erase: true, generation: 1 }))).not.toHaveProperty('erased')
  rack.powerCycle('m-n1')
  expect(rack.machine('m-n1').environment).toBe('installed')
})

test('with reinstall after it the node is installed on the blank disk in the same run', async () => {
  const rack = aRack()
  await using life = await open(rack)
  await run(life, site())
  await run(life, site({ erase: true, again: true, generation: 1 }))
  // One approval, of the step that finds something on the disk: by then it is blank for the other.
  expect(life.engine.work?.changes.changes.flatMap(({ step: { id }, consequence, needsApproval }) => (consequence === 'wipe' || needsApproval ? [[id, consequence, needsApproval]] : []))).toEqual([[ERASE, 'wipe', true]])
  expect(life.engine.schedule?.blocked.get('install@n1')?.map(({ message }) => message)).toContain(`n1 waits for the approval of ${ERASE}`)
  await approve(life)
  expect([life.engine.state.run?.ended?.state, rack.effects]).toEqual(['complete', ['install m-n1', 'role d/a@n1', 'drain.sh d/a@n1', 'erase m-n1', 'install m-n1', 'role d/a@n1']])
  expect(life.ledger.current.nodes['n1']).toMatchObject({ incarnation: expect.stringMatching(/^sha256:/) })
  expect(life.ledger.current.nodes['n1']).not.toHaveProperty('erased')
  expect(idsOf(life, site({ erase: true, again: true, generation: 1 }))).toEqual([])
})

test('killed after any event it erases once, and the ledger is the same', { timeout: 120_000 }, async () => {
  const whole = async (life: AgentLife): Promise<string | undefined> => {
    const ended = await run(life, site({ erase: true }))
    if (![...(life.engine.state.run?.steps.values() ?? [])].some(({ status }) => status === 'waiting')) return ended
    await approve(life)
    return life.engine.state.run?.ended?.state
  }
  for (let killAfter = 1, isOver = false; !isOver; killAfter++) {
    await rm(folder, { recursive: true, force: true })
    const rack = aRack()
    let before = 0
    {
      await using life = await open(rack)
      await run(life, site())
      before = life.store.last
    }
    {
      await using life = await open(rack, { killAfter: before + killAfter })
      const going = whole(life)
      going.catch(() => undefined)
      await Promise.race([going, life.killed])
      isOver = !life.isKilled
    }
    await using life = await open(rack)
    if (!isOver) await life.engine.resume()
    await life.engine.idle({ signal: soon() })
    const ended = isOver ? 'complete' : await whole(life)
    expect({ killAfter, ended, effects: of(rack).filter((one) => one !== 'drain.sh d/a@n1') }).toEqual({ killAfter, ended: 'complete', effects: ['install m-n1', 'erase m-n1'] })
    expect(life.ledger.current.nodes['n1']).toMatchObject({ incarnation: null, erased: { generation: 0 }, attempted: {} })
    expect(idsOf(life, site({ erase: true }))).toEqual([])
  }
})

test('power that goes in the middle: it goes on under the same approval, and nothing counts as installed meanwhile', async () => {
  const rack = aRack()
  await using life = await open(rack)
  await run(life, site())
  await run(life, site({ erase: true }))
  let seen: unknown
  rack.duringInstall = () => {
    rack.duringInstall = () => undefined
    seen = life.engine.state.unfinished.get(ERASE)
    return 'power'
  }
  await approve(life)
  expect(seen).toMatchObject({ approved: true })
  expect([life.engine.state.run?.ended?.state, of(rack)]).toEqual(['complete', ['install m-n1', 'drain.sh d/a@n1', 'erase m-n1', 'erase m-n1']])
})

test('one that fails half-way is not installed any more, also when the operation is taken back, and never boots its half disk', async () => {
  const rack = aRack()
  await using life = await open(rack)
  await run(life, site())
  await run(life, site({ erase: true }))
  rack.duringInstall = () => 'fail'
  await approve(life)
  expect(life.engine.state.run?.ended?.state).toBe('failed')
  expect(life.ledger.current.nodes['n1']).toMatchObject({ incarnation: null, erased: { step: ERASE }, attempted: { [ERASE]: expect.stringMatching(/./) } })
  expect(Object.keys(life.ledger.current.nodes['n1']?.steps ?? {})).toEqual(['discover@n1', 'operation/gone/drain@n1'])
  const reverted = change(life.ledger.current, site())
  expect(reverted).toMatchObject({ changes: [], erased: [{ node: 'n1' }] })
  expect(reverted.missing.map((one) => one.for)).toEqual([ERASE, 'operation/gone on n1'])
  rack.powerCycle('m-n1')
  expect(rack.machine('m-n1').environment).toBe('discovery')
  // Carried on: the stamp stands for what was approved.
  rack.duringInstall = () => undefined
  expect(await run(life, { ...site({ erase: true }), id: 'again' })).toBe('complete')
  expect(life.ledger.current.nodes['n1']).toMatchObject({ attempted: {}, steps: { [ERASE]: { once: expect.stringMatching(/./) } } })
})

test('half erased, and the lock asks for an installation: it needs an approval of its own', async () => {
  const rack = aRack()
  await using life = await open(rack)
  await run(life, site())
  await run(life, site({ erase: true }))
  rack.duringInstall = () => 'fail'
  await approve(life)
  rack.duringInstall = () => undefined
  const again = site({ generation: 1 })
  expect(change(life.ledger.current, again).changes.find((one) => one.step.id === 'install@n1')).toMatchObject({ consequence: 'wipe', needsApproval: true })
  expect(await run(life, again)).toBe('partial')
  await approve(life, 'install@n1')
  expect(life.engine.state.run?.ended?.state).toBe('complete')
  expect(life.ledger.current.nodes['n1']).not.toHaveProperty('erased')
  rack.powerCycle('m-n1')
  expect(rack.machine('m-n1').environment).toBe('installed')
})

test('a disk that holds something else by the time is refused by the node: nothing is lost, and it is asked for anew', async () => {
  const rack = aRack()
  await using life = await open(rack)
  await run(life, site())
  const whole = structuredClone(life.ledger.current.nodes['n1'])
  await run(life, site({ erase: true }))
  rack.machine('m-n1').disks = [{ ...rack.machine('m-n1').disks[0] as typeof KEPT, signature: 'another', summary: 'xfs' }, KEPT]
  await approve(life)
  expect(life.engine.state.run?.steps.get(ERASE)).toMatchObject({ status: 'waiting', on: 'person', reason: expect.stringContaining('xfs') })
  expect([of(rack), life.engine.state.approvals.size]).toEqual([['install m-n1', 'drain.sh d/a@n1'], 0])
  const { attempted: _attempted, steps, ...now } = life.ledger.current.nodes['n1'] ?? { attempted: {}, steps: {} }
  expect(now).toMatchObject({ incarnation: whole?.incarnation })
  expect(Object.keys(steps)).toEqual(expect.arrayContaining(['install@n1', 'd/a@n1']))
})

test('blank disks are asked for, too, and those of a protected node are not erased at all', async () => {
  const rack = aRack()
  await using life = await open(rack)
  const plan = site({ erase: true })
  expect(change(life.ledger.current, plan).changes.map((one) => [one.step.id, one.consequence])).toContainEqual([ERASE, 'wipe'])
  expect(await run(life, plan)).toBe('partial')
  // Never installed: there is nothing to drain, and it is not installed only to be erased.
  expect(of(rack)).toEqual([])
  await approve(life)
  expect([life.engine.state.run?.ended?.state, of(rack)]).toEqual(['complete', ['erase m-n1']])

  const ledger = foldLedger(life.ledger.current, { type: 'run.ended', state: 'complete', time: '', seq: 0 })
  const held = change(ledger, { ...site({ erase: true, protect: true }), operations: site({ erase: true }).operations.map((one) => ({ ...one, name: 'more', steps: one.steps.map((each) => ({ ...each, id: each.id.replace('gone', 'more') })) })) })
  expect(held.changes.filter((one) => one.step.destructive)).toMatchObject([{ step: { id: 'operation/more/erase@n1' }, protectedBy: 'site.yaml:1:1' }])
})
