import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { CompiledWork } from '../../../agent/engine/engine.ts'
import { change } from '../../../compiler/change/change.ts'
import type { Ledger } from '../../../schemas/ledger.ts'
import type { Plan } from '../../../schemas/plan.ts'
import type { RoleTask, TaskResult } from '../../../schemas/protocol.ts'
import { openLife } from './agent-life.ts'
import type { AgentLife } from './agent-life.ts'
import { FakeRack } from './fake-rack.ts'
import { edited, planOfSite, randomOf, rolloutsOf, startingSite } from './random-site.ts'
import type { Random, RandomSite } from './random-site.ts'

/** What came of a sequence: everything in `problems` is a promise that was broken. */
export interface SequenceReport {
  readonly problems: readonly string[]
  readonly runs: number
  readonly kills: number
  readonly cuts: number
  readonly approvals: number
  readonly effects: number
}

const NODES = Array.from({ length: 12 }, (_, index) => `n${String(index + 1).padStart(2, '0')}`)
const COMMITS = 4
/** Simulated kills have nothing to reach a disk for. */
const MEMORY = '/dev/shm'

/**
 * What the nodes are, whoever believes what: role step → version, and whether it was left half done. A role that is run
 * although it is there, whole and in the same version, was done twice.
 */
class World {
  readonly roles = new Map<string, { readonly version: number; readonly whole: boolean }>()
  readonly restarts = new Map<string, number>()
  readonly problems: string[] = []
  calm = false
  readonly #random: Random

  constructor(random: Random) {
    this.#random = random
  }

  play(task: RoleTask): Partial<TaskResult> | undefined {
    if (task.attempt.endsWith('/check')) {
      const there = this.roles.get(task.step)
      return there?.whole === true && there.version === versionOf(task) ? {} : { outcome: 'failed', code: 'JIG_EXIT', message: 'it is not there' }
    }
    if (task.step.startsWith('gate/')) return this.calm || this.#random(4) > 0 ? {} : { outcome: 'failed', code: 'JIG_EXIT', message: 'not yet' }
    const id = task.step.replace('#remove', '')
    const before = this.roles.get(id)
    const removes = task.step.endsWith('#remove')
    if (removes && before === undefined) this.problems.push(`${task.attempt}: it was removed before`)
    if (!removes && before?.whole === true && before.version === versionOf(task)) this.problems.push(`${task.attempt}: version ${before.version} was there`)
    const ends = this.calm ? 0 : this.#random(12)
    this.roles.set(id, { version: removes ? (before?.version ?? 0) : versionOf(task), whole: false })
    if (ends === 1) return undefined
    if (ends === 2) return { outcome: 'failed', code: 'JIG_EXIT', message: 'it failed' }
    if (removes) this.roles.delete(id)
    else this.roles.set(id, { version: versionOf(task), whole: true })
    return {}
  }
}

function versionOf(task: RoleTask): number {
  return (task.document['d'] as { readonly version: number }).version
}

/** A random site, some commits to it, and what goes wrong meanwhile: kills of the agent, power cuts, failures, approvals late or never. */
export async function runSequence(seed: number): Promise<SequenceReport> {
  const random = randomOf(seed)
  const folder = await mkdtemp(join(existsSync(MEMORY) ? MEMORY : tmpdir(), 'crowbar-random-'))
  const rack = new FakeRack(NODES.map((node) => `m-${node}`), { joined: true })
  const world = new World(random)
  rack.play = (task) => world.play(task)
  const sums = { runs: 0, kills: 0, cuts: 0, approvals: 0 }
  let site = startingSite(NODES, random)
  try {
    for (let commit = 1; commit <= COMMITS; commit++) {
      site = edited(site, random, commit)
      world.calm = commit === COMMITS
      for (let tries = 0; tries < (world.calm ? 6 : 1 + random(2)); tries++) if (!(await applied(site, { commit, folder, rack, world, random, sums }))) break
    }
    await using life = await openLife(folder, rack)
    await compare(life, site, world, rack)
    return { problems: world.problems, ...sums, effects: rack.effects.length }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

interface Scene {
  readonly commit: number
  readonly folder: string
  readonly rack: FakeRack
  readonly world: World
  readonly random: Random
  readonly sums: { runs: number; kills: number; cuts: number; approvals: number }
}

/** Applies the site until the run has ended, through any number of lives. @returns whether there was anything to do. */
async function applied(site: RandomSite, { commit, folder, rack, world, random, sums }: Scene): Promise<boolean> {
  let begun = false
  for (let lives = 0; lives < 8; lives++) {
    const dies = !world.calm && lives < 5 && random(2) === 0
    await using life = await openLife(folder, rack, dies ? { killAfter: (await lastOf(folder, rack)) + 2 + random(60) } : {})
    life.sessions.connectAll()
    const going = (async () => {
      await life.engine.resume()
      if (life.engine.state.run !== null && life.engine.state.run.ended === null) begun = true
      if (begun) return true
      await life.ledger.upToDate()
      const work = compiled(site, commit, life.ledger.current)
      const started = await life.engine.start(work, { reason: 'apply' })
      begun = true
      if (started !== undefined) sums.runs++
      return started !== undefined
    })()
    const something = await Promise.race([going, life.killed.then(() => true)])
    going.catch(() => undefined)
    if (!something) return false
    for (let turn = 0; turn < 400 && !life.isKilled; turn++) {
      await turns()
      if (life.isKilled) break
      if (life.engine.state.run?.ended !== null) {
        if (!(await decided(life, { world, random, sums }))) return true
        continue
      }
      life.timers.advance(1000)
      for (const machine of rack.machines.values()) {
        const hangs = [...machine.journal.values()].some((entry) => entry.state === 'running')
        if (random(hangs ? 4 : world.calm ? 100_000 : 300) !== 0) continue
        sums.cuts++
        rack.powerCycle(machine.id)
      }
      if (!world.calm && random(80) === 0) {
        await life.ledger.upToDate()
        // The agent's own commit, which adds nothing: what is left is planned anew.
        await Promise.race([life.engine.extend(compiled(site, commit, life.ledger.current), { reason: 'inventory' }), life.killed])
      }
    }
    if (!life.isKilled) throw new Error(`run ${life.engine.state.run?.run} does not end: ${JSON.stringify([...(life.engine.schedule?.blocked ?? [])].slice(0, 5))}`)
    sums.kills++
  }
  return true
}

/** A person looks at what waits, and approves it, or does not. @returns whether something was approved. */
async function decided(life: AgentLife, { world, random, sums }: Pick<Scene, 'world' | 'random' | 'sums'>): Promise<boolean> {
  const willing = (): boolean => world.calm || random(2) === 0
  const { run } = life.engine.state
  if (run === null || run.ended?.state === 'complete') return false
  let approved = false
  for (const [id, { approval, status }] of run.steps) {
    if (approval === null || (status !== 'waiting' && status !== 'unknown') || !willing()) continue
    await Promise.race([life.engine.approve(approval, { by: `a person, ${id}` }), life.killed])
    sums.approvals++
    approved = true
  }
  for (const { id, state, pauseAfter } of life.engine.schedule?.rollouts ?? []) {
    if (state !== 'paused' || pauseAfter === null || !willing()) continue
    await Promise.race([life.engine.resumeRollout(id, { by: 'a person' }), life.killed])
    approved = true
  }
  return approved
}

/** What the compiler makes of the site. */
function compiled(site: RandomSite, commit: number, ledger: Ledger): CompiledWork {
  const plan = planOfSite(site)
  const changes = change(ledger, plan)
  const steps = changes.changes.map((one) => one.step)
  return { commit: `c${commit}`, plan, changes: { ...changes, rollouts: [...changes.rollouts, ...rolloutsOf(site, steps)] } }
}

/** The ledger says what the nodes are, and there is nothing left to do. */
async function compare(life: AgentLife, site: RandomSite, world: World, rack: FakeRack): Promise<void> {
  await life.ledger.upToDate()
  const ledger = life.ledger.current
  const { changes: left, missing } = compiled(site, 0, ledger).changes
  // Begun, never whole, and no longer asked for: the changes say that nobody knows how to undo it.
  const leftovers = new Set(missing.filter(({ what }) => what === 'how to undo it').map((one) => one.for))
  if (left.length > 0) world.problems.push(`something is left to do: ${left.map((one) => `${one.step.id} (${one.causes.map((cause) => cause.kind).join(' ')})`).join(', ')}`)
  const believed = new Map<string, number>()
  const plan: Plan = planOfSite(site)
  for (const { steps, attempted, node } of Object.values(ledger.nodes)) {
    const unfinished = Object.keys(attempted).filter((id) => !leftovers.has(id))
    if (unfinished.length > 0) world.problems.push(`${node} has unfinished ${unfinished.join(', ')}`)
    for (const [id, entry] of Object.entries(steps)) if (entry.step.kind === 'role') believed.set(id, versionIn(ledger, entry.step.attributes))
  }
  for (const [id, { version, whole }] of world.roles) {
    if (leftovers.has(id)) continue
    if (!whole) world.problems.push(`${id} is half done`)
    if (believed.get(id) !== version) world.problems.push(`${id} is at version ${version}, and the ledger has ${believed.get(id)}`)
    believed.delete(id)
  }
  for (const id of believed.keys()) world.problems.push(`the ledger has ${id}, and its node does not`)
  const asked = plan.steps.filter((one) => one.kind === 'role').map((one) => one.id)
  if (asked.toSorted().join() !== [...world.roles.keys()].filter((id) => !leftovers.has(id)).toSorted().join()) world.problems.push('the nodes do not have the roles that the site says')
  for (const { steps } of plan.operations) {
    for (const one of steps) if (ledger.nodes[one.node ?? '']?.steps[one.id] === undefined) world.problems.push(`${one.id} is not in the ledger`)
  }
  const restarted = new Set<string>()
  for (const task of rack.tasks) {
    if (task.kind !== 'reboot') continue
    if (restarted.has(task.attempt)) world.problems.push(`${task.attempt} was sent twice`)
    restarted.add(task.attempt)
  }
}

function versionIn(ledger: Ledger, attributes: string | null): number {
  const { parts } = ledger.values[attributes ?? ''] as unknown as { readonly parts: { readonly d: string } }
  return (ledger.values[parts.d] as unknown as { readonly version: number }).version
}

async function lastOf(folder: string, rack: FakeRack): Promise<number> {
  await using life = await openLife(folder, rack)
  return life.store.last
}

async function turns(): Promise<void> {
  for (let i = 0; i < 6; i++) await new Promise((resolve) => setImmediate(resolve))
}
