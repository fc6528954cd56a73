import { CONSEQUENCES } from '../../schemas/documents/words.ts'
import type { Consequence } from '../../schemas/documents/words.ts'
import type { Step } from '../../schemas/plan.ts'
import type { Difference } from './document-diff.ts'

/** How bad a change is. `certain: false`: it may turn out to be less, never more. */
export interface Classed {
  readonly consequence: Consequence
  readonly certain: boolean
}

/** What is known of a role step that is to run again. */
export interface RoleChange {
  readonly step: Step
  /** Digest of the step as it last succeeded; null when it has not, here. */
  readonly succeeded: string | null
  /** Digest of the step as it was sent and did not succeed; null when it was not. */
  readonly attempted: string | null
  /** null: cannot be compared. */
  readonly differences: readonly Difference[] | null
  /** It has other files, or its packages come from elsewhere. */
  readonly contentDiffers: boolean
  /** Paths of values that a step of these changes will tell. */
  readonly untold: readonly string[]
  /** It runs only if one of those values turns out to be another one. */
  readonly onlyIfToldOtherwise: boolean
}

/** The worse of two consequences. */
export function worse(a: Consequence, b: Consequence): Consequence {
  return CONSEQUENCES.indexOf(a) <= CONSEQUENCES.indexOf(b) ? a : b
}

/** What running a role step does: the worst that any difference may do, and what is not known at its worst. */
export function roleConsequence(change: RoleChange): Classed {
  const { step } = change
  if (step.destructive) return { consequence: 'wipe', certain: true }
  // Nothing that it could restart or reach is there yet.
  if (step.runsOn === 'discovery') return { consequence: 'run', certain: step.attributes !== null }
  const elsewhere = change.attempted !== null && change.attempted !== step.digest && change.attempted !== change.succeeded
  if (change.succeeded === null && !elsewhere) return { consequence: 'run', certain: step.attributes !== null }
  let known: Consequence = 'run'
  if (change.contentDiffers) known = worse(known, byDefault(step))
  for (const difference of change.differences ?? []) known = worse(known, onChangeOf(step, difference.path))
  let worst = known
  for (const path of change.untold) worst = worse(worst, onChangeOf(step, path))
  // What a failed attempt at something else has left behind may differ from the plan in any attribute.
  if (change.differences === null || elsewhere) worst = Object.values(step.onChange).reduce(worse, worse(worst, byDefault(step)))
  return { consequence: worst, certain: worst === known && change.differences !== null && !change.onlyIfToldOtherwise }
}

/**
 * What a role declares for a change at `path` (part first): the longest declared path that holds it, its own barclamp's
 * attributes also without the barclamp's name; and the worst of what is declared below it, since all of that changed too.
 */
export function onChangeOf(step: Step, path: string): Consequence {
  const names = step.barclamp !== null && path.startsWith(`${step.barclamp}.`) ? [path, path.slice(step.barclamp.length + 1)] : [path]
  let holder: string | null = null
  let below: Consequence = 'none'
  for (const [declared, consequence] of Object.entries(step.onChange)) {
    if (declared === 'default') continue
    if (names.some((name) => name === declared || name.startsWith(`${declared}.`))) {
      if (holder === null || declared.length > holder.length) holder = declared
    } else if (path === step.barclamp || names.some((name) => declared.startsWith(`${name}.`))) {
      below = worse(below, consequence)
    }
  }
  const own = holder === null ? byDefault(step) : (step.onChange[holder] ?? byDefault(step))
  return worse(worse(own, below), 'run')
}

function byDefault(step: Step): Consequence {
  return worse(step.onChange['default'] ?? 'run', 'run')
}
