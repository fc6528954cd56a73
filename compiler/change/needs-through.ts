import type { Need, Plan, Step } from '../../schemas/plan.ts'

/**
 * What a changed step comes after beyond its own needs: a step of the plan that stands is not in the changes, and what it
 * comes after would be lost with it. Such needs are handed on to whoever needs that step, with the kind and the place of
 * the need that led there.
 *
 * @param runs whether a step is in the changes.
 * @returns for a step of the plan, the needs to add; none that it has already.
 */
export function needsThrough(plan: Plan, runs: (step: string) => boolean): (step: Step) => readonly Need[] {
  const steps = new Map(plan.steps.map((step) => [step.id, step]))
  /** Changed steps that a standing step comes after, nearest first. */
  const behind = new Map<string, readonly string[]>()
  // In plan order, so that what a step needs is there before it.
  for (const step of plan.steps) {
    if (runs(step.id)) continue
    const found = new Set<string>()
    for (const { step: need } of step.needs) for (const id of runs(need) ? [need] : (behind.get(need) ?? [])) found.add(id)
    if (found.size > 0) behind.set(step.id, [...found])
  }
  if (behind.size === 0) return () => []
  return (step) => {
    const own = steps.get(step.id)
    if (own === undefined) return []
    const known = new Set(own.needs.map((need) => need.step))
    const added: Need[] = []
    for (const need of own.needs) {
      for (const id of behind.get(need.step) ?? []) {
        if (known.has(id)) continue
        known.add(id)
        added.push({ ...need, step: id })
      }
    }
    return added
  }
}
