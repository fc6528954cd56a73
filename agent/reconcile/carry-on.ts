import { isNothing } from '../../schemas/changes.ts'
import type { Changes } from '../../schemas/changes.ts'
import { CONSEQUENCES } from '../../schemas/documents/words.ts'
import type { Consequence } from '../../schemas/documents/words.ts'
import type { Plan } from '../../schemas/plan.ts'
import type { Engine } from '../engine/engine.ts'
import { deniedBy, mayGoOn } from '../engine/work-questions.ts'
import type { RunState } from '../state/state.ts'
import type { Compiled } from './reconcile.ts'

/** Why changes wait for a person although the site has them applied by themselves. */
export interface Hold {
  /** The worst that any of them does; null when it is not that which holds them. */
  readonly consequence: Consequence | null
  /** How many steps do that. */
  readonly steps: number
  readonly because: string
}

/** What `automation.apply: safe` does not do by itself: a reboot, and all that is worse. */
const UNSAFE: ReadonlySet<Consequence> = new Set(CONSEQUENCES.slice(0, CONSEQUENCES.indexOf('reboot') + 1))

/**
 * Why the agent does not begin these changes by itself; null where it does. `manual` never asks: nothing is held there,
 * since nobody expects it. What is not certain counts at its worst. Pure.
 */
export function holdOf({ plan, changes }: { readonly plan: Plan; readonly changes: Changes }): Hold | null {
  const level = plan.site.automation.apply
  if (level === 'manual' || isNothing(changes)) return null
  const denied = deniedBy(changes)
  if (denied !== undefined) return { consequence: null, steps: changes.changes.length, because: denied.message }
  if (level !== 'safe') return null
  const worst = CONSEQUENCES.find((one) => changes.changes.some(({ consequence }) => consequence === one))
  if (worst === undefined || !UNSAFE.has(worst)) return null
  const those = changes.changes.filter(({ consequence }) => consequence === worst)
  const [first] = those
  const others = those.length === 1 ? '' : ` and ${those.length - 1} more`
  return { consequence: worst, steps: those.length, because: `the worst that it may do is ${worst}: ${first?.step.id}${others}; automation.apply: safe begins nothing that restarts a machine or does worse` }
}

/** What of the newest commit waits for a person, as long as no run is of that commit; null when nothing does. Pure. */
export function heldBack(newest: Compiled | null, run: Pick<RunState, 'work'> | null): Hold | null {
  return newest === null || run?.work.commit === newest.commit ? null : holdOf(newest)
}

/**
 * What a new plan means for the run: commits of the agent's own, which only add what was seen, extend the run of the
 * commit before them, also when that did not come about at the first look; any other starts one where the site says that
 * commits are applied by themselves, after the run that goes on. Under `safe` no extension brings what would not have been begun, unless the run has its like already.
 */
export async function carryOn(engine: Pick<Engine, 'state' | 'work' | 'extend' | 'start' | 'hurry'>, { compiled, isOwnSince }: { readonly compiled: Compiled; readonly isOwnSince: (commit: string) => Promise<boolean> }): Promise<void> {
  const { run } = engine.state
  const level = compiled.plan.site.automation.apply
  const hold = holdOf(compiled)
  if (run !== null && run.work.commit !== compiled.commit && run.ended?.state !== 'complete' && run.cancelled === null && await isOwnSince(run.work.commit)) {
    const isNews = hold?.consequence !== undefined && hold.consequence !== null && (engine.work === undefined || holdOf({ plan: compiled.plan, changes: engine.work.changes }) === null)
    if (!isNews) await engine.extend(compiled, { reason: 'machines were seen' })
    return
  }
  if (level === 'manual' || hold !== null || (isNothing(compiled.changes) && !mayGoOn(run)) || run?.work.commit === compiled.commit) return
  // It begins when that run has ended, and waits for no machine of it.
  if (run !== null && run.ended === null) engine.hurry()
  else await engine.start(compiled, { reason: `automation.apply: ${level}`, ...(compiled.asOf === undefined ? {} : { asOf: compiled.asOf }) })
}
