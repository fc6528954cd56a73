import type { RunRollout } from '../log/event-types.ts'
import type { StepState } from '../state/state.ts'
import type { BlockReason } from './block-reason.ts'
import type { PreparedWave } from './rollouts.ts'
import type { Work, WorkItem } from './work.ts'

/** How far a rollout has come. */
export interface WavePosition {
  readonly id: string
  /** Index of the batch that goes on, is checked, or after which it stands; of the last one when it is done. */
  readonly batch: number
  readonly batches: number
  readonly nodes: number
  /** Nodes on which its work has failed. */
  readonly failed: readonly string[]
  readonly maxFailures: number
  /** `rolling`: the batch has not ended. `gate`: it has, and is checked. */
  readonly state: 'rolling' | 'gate' | 'paused' | 'stopped' | 'done'
  /** Why nothing after this batch starts; null when it is done. */
  readonly reason: string | null
  /** Index of the batch at whose pause a person may say to go on, now or before it comes to that; null: there is none. */
  readonly pauseAfter: number | null
}

export interface WaveInput {
  readonly work: Work
  readonly steps: ReadonlyMap<string, StepState>
  /** What is known of each step of the run. */
  readonly standing: ReadonlyMap<string, 'done' | 'failed' | 'running' | 'open'>
  /** Nodes on which something failed, and those on which a step runs that the run has no more. */
  readonly fenced: ReadonlyMap<string, string>
  readonly strays: ReadonlySet<string>
  readonly resumed: Readonly<Record<string, readonly number[]>>
}

export interface Waves {
  readonly positions: readonly WavePosition[]
  /** Why its rollouts do not let a step start now. */
  against(item: WorkItem): readonly BlockReason[]
  /** A step is started: from now on its node is at work for every rollout that has it. */
  began(item: WorkItem): void
}

/**
 * Where each rollout of a run stands, and which steps it holds back. Pure.
 *
 * A batch has ended when every step that the rollout governs on its nodes has, whatever the end. The next one starts when
 * no more nodes have failed than the budget allows, every gate of the batch has passed and its pause is over; and never
 * while a step of another batch runs. A gate that failed stops the rollout whatever the budget.
 *
 * Rollouts that share nodes hold together: what any of them does on a node counts, once, for each that has the node. So
 * never are more nodes of a rollout at work than its batch is large, and a node that failed for one has failed for all.
 */
export function waves(input: WaveInput): Waves {
  const { work } = input
  const views = new Map(work.waves.map(wave => [wave.rollout.id, viewOf(wave, input)]))
  const busy = new Map<string, string>()
  for (const step of work.governed.keys()) {
    const node = work.items.get(step)?.step.node ?? null
    if (node !== null && input.standing.get(step) === 'running') busy.set(node, step)
  }
  const sharing = sharingOf([...views.values()])
  return {
    began({ id, step: { node } }) {
      if (node !== null && work.governed.has(id)) busy.set(node, id)
    },
    positions: [...views.values()].map(({ position }) => position),
    against(item) {
      const gate = work.gates.get(item.id)
      if (gate !== undefined) return gateAgainst(gate, (views.get(gate.rollout) as View).position)
      const mine = work.governed.get(item.id) ?? []
      const crowded = mine.length === 0 ? undefined : crowdedBy(item, sharing.get(item.step.node ?? '') ?? [], busy)
      if (crowded !== undefined) return [crowded]
      return mine.flatMap((id) => {
        const { wave, position, running } = views.get(id) as View
        const batch = wave.batchOf.get(item.id)
        const why = batchAgainst(item, batch, position)
        if (why !== undefined) return [why]
        const other = [...running].find(([one]) => one !== batch)?.[1]
        return other === undefined ? [] : [{ code: 'BATCH', message: `${other} of another batch of ${id} runs`, step: other } as const]
      })
    },
  }
}

/** Rollouts that have a node with another one: by node. Those that are over hold nobody. */
function sharingOf(views: readonly View[]): ReadonlyMap<string, readonly View[]> {
  const found = new Map<string, View[]>()
  for (const view of views) {
    if (view.position.state === 'done') continue
    for (const node of view.nodes) found.set(node, [...(found.get(node) ?? []), view])
  }
  const together = new Set([...found.values()].filter(list => list.length > 1).flat())
  return new Map([...found].map(([node, list]) => [node, list.filter(view => together.has(view))]))
}

function crowdedBy({ step: { node } }: WorkItem, views: readonly View[], busy: ReadonlyMap<string, string>): BlockReason | undefined {
  for (const { wave: { rollout }, position, nodes } of views) {
    const most = rollout.batches[position.batch]?.length ?? 1
    const others = [...busy].filter(([other]) => other !== node && nodes.has(other))
    if (others.length < most) continue
    const step = others[0]?.[1] ?? ''
    return { code: 'BATCH', message: `${step} runs, and ${rollout.id}, which has ${node} too, is for ${most === 1 ? 'one node' : `${most} nodes`} at a time`, step }
  }
  return undefined
}

interface View {
  readonly wave: PreparedWave
  readonly position: WavePosition
  /** Of all batches. */
  readonly nodes: ReadonlySet<string>
  /** Batch → a step of it that runs. */
  readonly running: ReadonlyMap<number, string>
}

function viewOf(wave: PreparedWave, input: WaveInput): View {
  const running = new Map<number, string>()
  for (const [step, batch] of wave.batchOf) if (input.standing.get(step) === 'running') running.set(batch, step)
  return { wave, running, nodes: new Set(wave.rollout.batches.flat()), position: positionOf(wave, input) }
}

function positionOf({ rollout, byNode, gates: all }: PreparedWave, input: WaveInput): WavePosition {
  const { id, batches, maxFailures } = rollout
  const { work, standing, steps, fenced, strays, resumed } = input
  const nodes = batches.reduce((sum, names) => sum + names.length, 0)
  // By the work of another rollout, in whatever batch they are here.
  const elsewhere = new Set(batches.flat().filter(node => (work.governed.get(fenced.get(node) ?? '') ?? []).some(other => other !== id)))
  const failed: string[] = [...elsewhere]
  const lifted = resumed[id] ?? []
  const at = (batch: number, state: WavePosition['state'], reason: string | null): WavePosition => {
    const ahead = state === 'stopped' || state === 'done' ? null : nextPause(rollout, batch)
    return { id, batch, batches: batches.length, nodes, failed: [...failed], maxFailures, state, reason, pauseAfter: ahead === null || lifted.includes(ahead) ? null : ahead }
  }
  const number = (batch: number): string => `batch ${batch + 1} of ${id}`

  for (const [batch, names] of batches.entries()) {
    const open = names.find(node => strays.has(node) || (byNode.get(node) ?? []).some(step => standing.get(step) === 'open' || standing.get(step) === 'running'))
    failed.push(...names.filter(node => !elsewhere.has(node) && (byNode.get(node) ?? []).some(step => standing.get(step) === 'failed' && (fenced.has(node) || steps.get(step)?.status !== 'skipped'))))
    if (open !== undefined) return at(batch, 'rolling', `it waits for ${number(batch)}`)
    if (failed.length > maxFailures) return at(batch, 'stopped', `${id} stopped: ${failed.length} of ${nodes} nodes failed (budget ${maxFailures})`)
    const gates = all.get(batch) ?? []
    const refused = gates.find(gate => steps.get(gate)?.status === 'failed')
    if (refused !== undefined) return at(batch, 'stopped', `${id} stopped: ${roleOf(rollout)} did not pass its check on ${steps.get(refused)?.node} after batch ${batch + 1}`)
    if (gates.some(gate => standing.get(gate) === 'open' || standing.get(gate) === 'running')) return at(batch, 'gate', `it waits until ${roleOf(rollout)} passes its check after ${number(batch)}`)
    if (nextPause(rollout, batch) === batch && !lifted.includes(batch)) return at(batch, 'paused', `${id} pauses after batch ${batch + 1} of ${batches.length}: crowbar approve ${id}`)
  }
  return at(Math.max(0, batches.length - 1), 'done', null)
}

/** Index of the batch after which the rollout pauses next, from a batch on. There is nothing to pause for after the last. */
function nextPause({ pause, batches }: RunRollout, batch: number): number | null {
  if (pause === 'never' || batch >= batches.length - 1) return null
  return pause === 'after-each' || batch === 0 ? batch : null
}

function roleOf({ gate }: RunRollout): string {
  return gate?.role ?? ''
}

const CODES = { rolling: 'BATCH', gate: 'GATE', paused: 'PAUSED', stopped: 'ROLLOUT_STOPPED', done: 'BATCH' } as const

function batchAgainst(item: WorkItem, batch: number | undefined, position: WavePosition): BlockReason | undefined {
  const { id, state, reason } = position
  if (batch === undefined) return { code: 'BATCH', message: `${item.step.node ?? item.id} is in no batch of ${id} yet: it comes last, when it has a machine` }
  if (batch < position.batch || state === 'done' || (batch === position.batch && state === 'rolling')) return undefined
  return { code: CODES[state], message: reason ?? `it waits for batch ${position.batch + 1} of ${id}` }
}

function gateAgainst({ batch }: { readonly batch: number }, position: WavePosition): readonly BlockReason[] {
  if (batch < position.batch || (batch === position.batch && position.state === 'gate')) return []
  return [{ code: CODES[position.state], message: position.reason ?? 'it is over' }]
}
