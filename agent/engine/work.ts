import type { Change, Changes } from '../../schemas/changes.ts'
import type { Plan, Step } from '../../schemas/plan.ts'
import type { RunRollout } from '../log/event-types.ts'
import { gatesOf } from './gate.ts'
import type { Gate } from './gate.ts'
import { keepRollouts, prepareWaves } from './rollouts.ts'
import type { PreparedWave } from './rollouts.ts'

/** One step that a run is to bring to its end. */
export interface WorkItem {
  readonly id: string
  readonly step: Step
  /** Undefined: the step is only looked at again, because a step whose provides it reads, or that it stands for, is in the run. */
  readonly change: Change | undefined
  /** Steps of the run that it comes after. */
  readonly needs: readonly string[]
  /** Steps that it comes after, that would have to run, and that were left out by choice. */
  readonly excluded: readonly string[]
}

/** What a run is made of: a plan and its changes, prepared for `schedule`. */
export interface Work {
  readonly commit: string
  readonly plan: Plan
  readonly changes: Changes
  readonly items: ReadonlyMap<string, WorkItem>
  /** Removals first, then the order of the plan. */
  readonly order: readonly WorkItem[]
  readonly byNode: ReadonlyMap<string, readonly WorkItem[]>
  /** In waves: by id, as the run has met them first. */
  readonly rollouts: readonly RunRollout[]
  /** Step → the rollouts that govern it. */
  readonly governed: ReadonlyMap<string, readonly string[]>
  readonly waves: readonly PreparedWave[]
  /** Gates by their item's id. They are the last in `order`. */
  readonly gates: ReadonlyMap<string, Gate>
  /** Removals that come before what else runs roles on their node: they need nothing but other removals. */
  readonly leading: ReadonlySet<string>
}

/**
 * Prepares changes for scheduling.
 *
 * Beside the changed steps it takes in every role step that reads what one of them provides (transitively): whether
 * such a step runs is known only when its resolved inputs are, and mostly they turn out to be what they were. And every
 * barrier that stands for one of them, so that what comes after a deployment or a cluster also comes after its newcomers.
 *
 * @param only the steps to run; null for all. What needs a step that was left out cannot start.
 * @param rollouts those that the run has already.
 */
export function prepareWork(work: { readonly commit: string; readonly plan: Plan; readonly changes: Changes }, only: readonly string[] | null, rollouts: readonly RunRollout[] = []): Work {
  const { plan, changes } = work
  const changed = new Map(changes.changes.map((change) => [change.step.id, change]))
  const chosen = only === null ? undefined : new Set(only)
  const isChosen = (id: string): boolean => chosen === undefined || chosen.has(id)

  const taken = new Map<string, { readonly step: Step; readonly change: Change | undefined }>()
  const planned = new Set(plan.steps.map((step) => step.id))
  const take = (change: Change): void => void taken.set(change.step.id, { step: change.step, change })
  const others = changes.changes.filter(({ step }) => !planned.has(step.id) && isChosen(step.id))
  for (const change of others) if (change.step.kind !== 'operation') take(change)
  for (const step of plan.steps) {
    const change = changed.get(step.id)
    if (change !== undefined) {
      // The change carries the step as it was judged; the plan's own is the same one.
      if (isChosen(step.id)) taken.set(step.id, { step: change.step, change })
    } else if (readsFrom(step, taken) || standsFor(step, taken)) {
      taken.set(step.id, { step, change: undefined })
    }
  }

  // What is done once comes after what the desired state asks for.
  for (const change of others) if (change.step.kind === 'operation') take(change)

  const kept = keepRollouts(rollouts, changes, (id) => taken.has(id))
  const gates = new Map(gatesOf(kept, plan).map((gate) => [gate.step.id, gate]))
  for (const [id, { step }] of gates) taken.set(id, { step, change: undefined })

  const items = new Map<string, WorkItem>()
  const byNode = new Map<string, WorkItem[]>()
  for (const [id, { step, change }] of taken) {
    // What is only looked at again has succeeded before: its founder holds it up no more.
    const needs = [...new Set(step.needs.flatMap((need) => (change === undefined && need.kind === 'founder' ? [] : [need.step])))]
    const item: WorkItem = {
      id,
      step,
      change,
      needs: needs.filter((need) => taken.has(need)),
      excluded: needs.filter((need) => changed.has(need) && !taken.has(need)),
    }
    items.set(id, item)
    if (step.node === null) continue
    const ofNode = byNode.get(step.node)
    if (ofNode === undefined) byNode.set(step.node, [item])
    else ofNode.push(item)
  }
  return { ...work, items, order: [...items.values()], byNode, rollouts: kept, ...prepareWaves(kept, { changes, items, gates: gates.values() }), gates, leading: leadingRemovals(items) }
}

/** Ids of everything in the run that a step comes after, itself not included. */
export function ancestors(id: string, items: Work['items']): ReadonlySet<string> {
  const found = new Set<string>()
  const look = [...(items.get(id)?.needs ?? [])]
  for (let next = look.pop(); next !== undefined; next = look.pop()) {
    if (found.has(next)) continue
    found.add(next)
    look.push(...(items.get(next)?.needs ?? []))
  }
  return found
}

function readsFrom(step: Step, taken: ReadonlyMap<string, { readonly step: Step }>): boolean {
  if (step.kind !== 'role' || step.action !== 'run' || step.destructive || step.runsOn === 'discovery') return false
  return step.needs.some((need) => need.kind === 'data' && taken.get(need.step)?.step.kind === 'role')
}

function standsFor(step: Step, taken: ReadonlyMap<string, { readonly step: Step }>): boolean {
  return step.kind === 'barrier' && step.needs.some((need) => taken.has(need.step))
}

function leadingRemovals(items: Work['items']): ReadonlySet<string> {
  const removals = [...items.values()].filter((item) => item.step.action === 'remove')
  const isRemoval = (id: string): boolean => items.get(id)?.step.action === 'remove'
  return new Set(removals.filter((item) => [...ancestors(item.id, items)].every(isRemoval)).map((item) => item.id))
}
