import { isDestructiveAttempt } from '../../schemas/attempted.ts'
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
  /** The step as it last succeeded here; null when it has not. What it declared counts as what `step` declares does. */
  readonly past: Step | null
  /** What the ledger has of the step as it was sent and did not succeed; null when it was not. */
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

/**
 * What running a role step does: the worst that any difference may do, and what is not known at its worst.
 *
 * The worse of what the role declared when it last ran here and of what it declares now: a commit that takes a warning
 * away does not by that make less of what it does beside that.
 */
export function roleConsequence(change: RoleChange): Classed {
  const { step, past } = change
  if (step.destructive || past?.destructive === true || isDestructiveAttempt(change.attempted)) return { consequence: 'wipe', certain: true }
  const declared = [step, ...(past === null ? [] : [past])]
  const doneBy = (path: string): Consequence => declared.map((one) => onChangeOf(one, path)).reduce(worse)
  const unsaid = declared.map(byDefault).reduce(worse)
  // Nothing that it could restart or reach is there yet; but all disks are.
  if (step.runsOn === 'discovery') {
    const unclear = past !== null && change.differences === null && declared.some((one) => Object.values(one.onChange).includes('wipe'))
    const wipes = past !== null && ((change.contentDiffers && unsaid === 'wipe') || (change.differences ?? []).some(({ path }) => doneBy(path) === 'wipe'))
    return { consequence: wipes || unclear ? 'wipe' : 'run', certain: wipes || (!unclear && step.attributes !== null) }
  }
  const elsewhere = change.attempted !== null && change.attempted !== step.digest && change.attempted !== past?.digest
  if (past === null && !elsewhere) return { consequence: 'run', certain: step.attributes !== null }
  let known: Consequence = 'run'
  if (change.contentDiffers) known = worse(known, unsaid)
  for (const difference of change.differences ?? []) known = worse(known, doneBy(difference.path))
  let worst = known
  for (const path of change.untold) worst = worse(worst, doneBy(path))
  // What a failed attempt at something else has left behind may differ from the plan in any attribute.
  if (change.differences === null || elsewhere) worst = declared.flatMap(({ onChange }) => Object.values(onChange)).reduce(worse, worse(worst, unsaid))
  return { consequence: worst, certain: worst === known && change.differences !== null && !change.onlyIfToldOtherwise }
}

/**
 * What a role declares for a change at `path` (part first): the longest declared path that holds it, its own barclamp's
 * attributes also without the barclamp's name; and the worst of what is declared below it, since all of that changed too.
 */
export function onChangeOf(step: Step, path: string): Consequence {
  const prefix = step.barclamp !== null && path.startsWith(`${step.barclamp}.`) ? step.barclamp.length + 1 : 0
  const names = prefix === 0 ? [path] : [path, path.slice(prefix)]
  let holder: { readonly depth: number; readonly consequence: Consequence } | null = null
  let below: Consequence = 'none'
  for (const [declared, consequence] of Object.entries(step.onChange)) {
    if (declared === 'default') continue
    const held = names.findIndex((name) => name === declared || name.startsWith(`${declared}.`))
    if (held >= 0) {
      // With and without the barclamp's name it is the same attribute: of two that are as near, the worse counts.
      const depth = declared.length + (held === 0 ? 0 : prefix)
      if (holder === null || depth > holder.depth) holder = { depth, consequence }
      else if (depth === holder.depth) holder = { depth, consequence: worse(holder.consequence, consequence) }
    } else if (path === step.barclamp || names.some((name) => declared.startsWith(`${name}.`))) {
      below = worse(below, consequence)
    }
  }
  const own = holder?.consequence ?? byDefault(step)
  return worse(worse(own, below), 'run')
}

function byDefault(step: Step): Consequence {
  return worse(step.onChange['default'] ?? 'run', 'run')
}
