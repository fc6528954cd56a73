import { digestLarge } from '../../schemas/canonical.ts'
import { suggest } from '../../schemas/cel/suggest.ts'
import type { Change, Changes, Selection } from '../../schemas/changes.ts'
import type { Plan } from '../../schemas/plan.ts'
import { globMatcher } from '../../schemas/glob.ts'
import { knots, rolloutsOf } from './rollouts.ts'

export interface SelectOptions {
  /** Globs over ids of steps and names of nodes; `*` stands for anything. Undefined: everything. */
  readonly target?: readonly string[] | undefined
  readonly exclude?: readonly string[] | undefined
}

/**
 * Leaves of the changes what is asked for and what that needs, without what is excluded and what needs that. Waves are
 * made anew, of the nodes that are left. What was pulled in and what was deferred is said, step by step, with the reason.
 */
export function selectChanges(changes: Changes, plan: Plan, { target, exclude }: SelectOptions): Changes {
  if (target === undefined && exclude === undefined) return changes
  const wanted = target?.map(globMatcher)
  const unwanted = (exclude ?? []).map(globMatcher)
  const byId = new Map(changes.changes.map((one) => [one.step.id, one]))
  const excluded = new Set(changes.changes.filter((one) => unwanted.some(hit(one))).map(({ step }) => step.id))
  const blocked = dependantsOf(excluded, changes.changes)
  const pulled = new Map<string, string>()
  const kept = new Set(changes.changes.filter((one) => (wanted === undefined || wanted.some(hit(one))) && !excluded.has(one.step.id) && !blocked.has(one.step.id)).map(({ step }) => step.id))
  for (const id of kept) {
    for (const need of byId.get(id)?.step.needs ?? []) {
      if (kept.has(need.step) || !byId.has(need.step)) continue
      pulled.set(need.step, id)
      kept.add(need.step)
    }
  }
  const left = changes.changes.filter(({ step }) => kept.has(step.id))
  const deferred = changes.changes.flatMap((one) => (blocked.has(one.step.id) && (wanted === undefined || wanted.some(hit(one))) ? [{ step: one.step.id, by: blocked.get(one.step.id) ?? '' }] : []))
  const selection: Selection = {
    target: target ?? [],
    exclude: exclude ?? [],
    pulledIn: left.flatMap(({ step }) => (pulled.has(step.id) ? [{ step: step.id, by: pulled.get(step.id) ?? '' }] : [])),
    deferred,
    excluded: changes.changes.length - left.length - deferred.length,
  }
  const rollouts = rolloutsOf(left, plan)
  const { id: _, ...rest } = changes
  const violations = [...rest.violations.filter(({ policy }) => policy !== 'rollout'), ...knots(left, rollouts)]
  const selected: Omit<Changes, 'id'> = { ...rest, changes: left, rollouts, selection, violations }
  return { ...selected, id: digestLarge(selected) }
}

/** A glob that stands for nothing. */
export interface Stranger {
  readonly glob: string
  /** The nearest name that is one. */
  readonly near: string | undefined
}

/** What is said of a glob that stands for nothing. */
export function strangerText({ glob, near }: Stranger): string {
  return `no step or node is called ${JSON.stringify(glob)}${near === undefined ? '' : `; did you mean ${near}?`}`
}

/** The first glob that is no name of a step or node, of the plan or of the changes; undefined: each is. */
export function unmatched(globs: readonly string[], { plan, changes }: { readonly plan: Plan; readonly changes: Changes }): Stranger | undefined {
  const steps = [...plan.steps, ...plan.operations.flatMap((operation) => operation.steps), ...changes.changes.map(({ step }) => step)]
  const names = new Set([...Object.keys(plan.nodes), ...steps.flatMap(({ id, node }) => (node === null ? [id] : [node, id]))])
  const glob = globs.find((each) => !names.values().some(globMatcher(each)))
  return glob === undefined ? undefined : { glob, near: suggest(glob, names) }
}

function hit({ step }: Change): (match: (name: string) => boolean) => boolean {
  return (match) => match(step.id) || (step.node !== null && match(step.node))
}

/** What needs any of these, also through others: step → the step that it needs and that does not run. */
function dependantsOf(ids: ReadonlySet<string>, changes: readonly Change[]): ReadonlyMap<string, string> {
  const dependants = new Map<string, string[]>()
  for (const { step } of changes) {
    for (const need of step.needs) {
      const found = dependants.get(need.step)
      if (found === undefined) dependants.set(need.step, [step.id])
      else found.push(step.id)
    }
  }
  const blocked = new Map<string, string>()
  const open = [...ids]
  for (const id of open) {
    for (const dependant of dependants.get(id) ?? []) {
      if (ids.has(dependant) || blocked.has(dependant)) continue
      blocked.set(dependant, id)
      open.push(dependant)
    }
  }
  return blocked
}
