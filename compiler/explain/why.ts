import type { Need, NeedKind, Step } from '../../schemas/plan.ts'

/** A link of a chain: `step` is needed by the link before it, for a reason of this kind that this place asked for. */
export interface Link {
  readonly step: string
  /** null of the first, which nothing before it needs. */
  readonly kind: NeedKind | null
  /** file:line:column. */
  readonly at: string | null
}

/** Why a step stands where it stands in the order. */
export interface Why {
  readonly step: string
  /** 0: it needs nothing. */
  readonly cohort: number
  /** All that it needs itself. */
  readonly needs: readonly Need[]
  /** The longest way back to a step that needs nothing; begins with the step itself. */
  readonly chain: readonly Link[]
}

type Steps = ReadonlyMap<string, Pick<Step, 'id' | 'needs' | 'cohort'>>

/** The needs of a step, and the chain of needs that makes it as late as it is. */
export function why(steps: Steps, id: string): Why {
  const { needs, cohort } = steps.get(id) as Step
  const chain: Link[] = [{ step: id, kind: null, at: null }]
  for (let at = steps.get(id); at !== undefined && at.needs.length > 0; ) {
    // A step's cohort is one more than the highest of what it needs, so this never goes round in a circle.
    const [next] = at.needs.filter((need) => steps.has(need.step)).toSorted((a, b) => (steps.get(b.step)?.cohort ?? 0) - (steps.get(a.step)?.cohort ?? 0))
    if (next === undefined) break
    chain.push({ step: next.step, kind: next.kind, at: next.at })
    at = steps.get(next.step)
  }
  return { step: id, cohort, needs, chain }
}

/** The shortest chain of needs from one step back to another; undefined: the one does not wait for the other. */
export function chainBetween(steps: Steps, from: string, to: string): readonly Link[] | undefined {
  const cameBy = new Map<string, { readonly by: string | null; readonly need: Need | null }>([[from, { by: null, need: null }]])
  const queue = [from]
  for (let at = 0; at < queue.length && !cameBy.has(to); at++) {
    const by = queue[at] as string
    for (const need of steps.get(by)?.needs ?? []) {
      if (cameBy.has(need.step)) continue
      cameBy.set(need.step, { by, need })
      queue.push(need.step)
    }
  }
  if (!cameBy.has(to)) return undefined
  const chain: Link[] = []
  for (let step: string | null = to; step !== null; step = cameBy.get(step)?.by ?? null) {
    const need: Need | null = cameBy.get(step)?.need ?? null
    chain.unshift({ step, kind: need?.kind ?? null, at: need?.at ?? null })
  }
  return chain
}

/** A step and all that it waits for, in no order. */
export function ancestorsOf(steps: Steps, ids: Iterable<string>): ReadonlySet<string> {
  const found = new Set(ids)
  for (const id of found) for (const need of steps.get(id)?.needs ?? []) if (steps.has(need.step)) found.add(need.step)
  return found
}
