import type { Changes, Rollout } from '../../schemas/changes.ts'
import type { Step } from '../../schemas/plan.ts'
import type { RunRollout } from '../log/event-types.ts'
import type { Gate } from './gate.ts'

/** A rollout with its work, by batch and by node: what does not change while the run's plan stays. */
export interface PreparedWave {
  readonly rollout: RunRollout
  /** Governed step → index of its batch; steps of nodes that are in none are not there. */
  readonly batchOf: ReadonlyMap<string, number>
  readonly byNode: ReadonlyMap<string, readonly string[]>
  /** Batch → its gates. */
  readonly gates: ReadonlyMap<number, readonly string[]>
}

/**
 * The rollouts of a run, given those that it had before it was extended and those of its newest changes. Pure.
 *
 * What a run has begun with stands: batches, budget, gate, pauses. Nodes that have got their machine since form one more
 * batch, the last, but for one whose step a node of an earlier batch needs: it joins that batch, which could not end
 * without it. Nodes that the newest changes have no work for stay in their batches, which are over.
 *
 * @param works whether a step is part of the run.
 */
export function keepRollouts(before: readonly RunRollout[], changes: Changes, works: (step: string) => boolean): readonly RunRollout[] {
  const found = new Map(before.map(one => [one.id, one]))
  const stepOf = new Map(changes.rollouts.length === 0 ? [] : changes.changes.map(({ step }) => [step.id, step]))
  for (const rollout of changes.rollouts) {
    const steps = rollout.steps.filter(works).flatMap(id => stepOf.get(id) ?? [])
    const kept = found.get(rollout.id)
    found.set(rollout.id, kept === undefined ? begun(rollout, new Set(steps.map(({ node }) => node))) : joined(kept, rollout, steps))
  }
  return [...found.values()]
}

function begun({ id, batches, maxFailures, gate, pause }: Rollout, working: ReadonlySet<string | null | undefined>): RunRollout {
  return { id, batches: batches.map(batch => batch.filter(node => working.has(node))).filter(batch => batch.length > 0), maxFailures, gate, pause }
}

function joined(kept: RunRollout, { batches }: Rollout, steps: readonly Step[]): RunRollout {
  const working = new Set(steps.map(({ node }) => node))
  const placed = new Map(kept.batches.flatMap((nodes, batch) => nodes.map(node => [node, batch] as const)))
  let late = batches.flat().filter(node => working.has(node) && !placed.has(node))
  if (late.length === 0) return kept
  const nodeOf = new Map(steps.map(({ id, node }) => [id, node]))
  const grown = kept.batches.map(nodes => [...nodes])
  for (let going = true; going;) {
    going = false
    for (const { node, needs } of steps) {
      const batch = placed.get(node ?? '')
      const needed = batch === undefined ? undefined : late.find(one => needs.some(need => nodeOf.get(need.step) === one))
      if (batch === undefined || needed === undefined) continue
      placed.set(needed, batch)
      grown[batch]?.push(needed)
      late = late.filter(one => one !== needed)
      going = true
    }
  }
  return { ...kept, batches: late.length === 0 ? grown : [...grown, late] }
}

/** Which steps of a run its rollouts govern: by step, and by rollout. */
export function prepareWaves(rollouts: readonly RunRollout[], { changes, items, gates }: { readonly changes: Changes; readonly items: ReadonlyMap<string, { readonly step: Step }>; readonly gates: Iterable<Gate> }): {
  readonly governed: ReadonlyMap<string, readonly string[]>
  readonly waves: readonly PreparedWave[]
} {
  const governed = new Map<string, string[]>()
  const found = new Map(rollouts.map(rollout => [rollout.id, {
    rollout,
    placed: new Map(rollout.batches.flatMap((nodes, batch) => nodes.map(node => [node, batch] as const))),
    batchOf: new Map<string, number>(),
    byNode: new Map<string, string[]>(),
    gates: new Map<number, string[]>(),
  }]))
  for (const { id, steps } of changes.rollouts) {
    const wave = found.get(id)
    for (const step of steps) {
      const item = items.get(step)
      if (wave === undefined || item === undefined) continue
      governed.set(step, [...(governed.get(step) ?? []), id])
      const { node } = item.step
      const batch = node === null ? undefined : wave.placed.get(node)
      if (node === null || batch === undefined) continue
      wave.batchOf.set(step, batch)
      wave.byNode.set(node, [...(wave.byNode.get(node) ?? []), step])
    }
  }
  for (const { rollout, batch, step } of gates) {
    const wave = found.get(rollout)
    wave?.gates.set(batch, [...(wave.gates.get(batch) ?? []), step.id])
  }
  return { governed, waves: [...found.values()] }
}
