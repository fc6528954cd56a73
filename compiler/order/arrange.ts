import type { Need } from '../../schemas/plan.ts'

/** Anything that needs others by id. */
export interface Needing {
  readonly id: string
  readonly needs: readonly Need[]
}

export type Arranged<T> =
  | { readonly steps: readonly (T & { readonly cohort: number })[]; readonly cycle: null }
  /** `cycle`: steps that need each other in a circle; each needs the next, the last one the first. */
  | { readonly steps: null; readonly cycle: readonly T[] }

/**
 * Puts steps into their one order: cohort, then id. A step's cohort is one more than the highest of what it needs, so
 * that this is an order in which everything comes after what it needs. Linear in steps and needs but for the sort.
 */
export function arrange<T extends Needing>(steps: ReadonlyMap<string, T>): Arranged<T> {
  const places = new Map<string, Place<T>>()
  for (const [id, step] of steps) places.set(id, { step, open: 0, cohort: 0, dependants: [] })
  const ready: Place<T>[] = []
  for (const place of places.values()) {
    for (const need of place.step.needs) {
      const needed = places.get(need.step)
      if (needed === undefined) continue
      place.open++
      needed.dependants.push(place)
    }
    if (place.open === 0) ready.push(place)
  }
  for (let at = 0; at < ready.length; at++) {
    const { cohort, dependants } = ready[at] as Place<T>
    for (const dependant of dependants) {
      dependant.cohort = Math.max(dependant.cohort, cohort + 1)
      dependant.open--
      if (dependant.open === 0) ready.push(dependant)
    }
  }
  if (ready.length < steps.size) return { steps: null, cycle: findCycle(steps, new Set(ready.map(({ step }) => step.id))) }
  const placed = ready.map(({ step, cohort }) => ({ ...step, cohort }))
  return { steps: placed.toSorted((a, b) => a.cohort - b.cohort || compareIds(a.id, b.id)), cycle: null }
}

interface Place<T> {
  readonly step: T
  /** Needs that have no place yet. */
  open: number
  cohort: number
  readonly dependants: Place<T>[]
}

/** Ids are made of names, which are ASCII: code units and code points are in the same order, and this one is native. */
function compareIds(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/** Follows needs that were never met until a step comes round again; starts at the lowest id, so it is always the same one. */
function findCycle<T extends Needing>(steps: ReadonlyMap<string, T>, done: ReadonlySet<string>): readonly T[] {
  const stuck = [...steps.keys()].filter((id) => !done.has(id)).toSorted(compareIds)
  const path: T[] = []
  const places = new Map<string, number>()
  let id = stuck[0]
  while (id !== undefined && !places.has(id)) {
    const step = steps.get(id) as T
    places.set(id, path.length)
    path.push(step)
    id = step.needs.map((need) => need.step).find((other) => steps.has(other) && !done.has(other))
  }
  return path.slice(id === undefined ? 0 : places.get(id))
}
