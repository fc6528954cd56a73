import { outlivesInstallation } from '../../schemas/incarnation.ts'
import { LEDGER_ADMIN } from '../../schemas/ledger.ts'
import type { Ledger, LedgerEntry } from '../../schemas/ledger.ts'
import type { Plan, Step } from '../../schemas/plan.ts'
import { installDocument, isSameInstallation } from './install-change.ts'
import type { DeferredLeaf } from './shown-value.ts'
import { nodeOf, toldIn } from './told.ts'
import type { Told, ToldLeaf } from './told.ts'

/** Why a step of the plan does not stand as it is. */
export interface Verdict {
  /** What the ledger says of the step, if anything, whether it still counts or not. */
  readonly entry: LedgerEntry | null
  /** What was sent and has not succeeded: a once-key or a digest. */
  readonly attempted: string | null
  /** The node is installed anew, which voids what it ran before. */
  readonly reinstalled: boolean
  /** Values that a changed step will tell, or that were told anew since the step ran. */
  readonly untold: readonly DeferredLeaf[]
  /** Nothing differs but those values: if they come out as they were, the step stands. */
  readonly onlyIfToldOtherwise: boolean
}

/**
 * The steps of a plan that have to run, given what the ledger says has; a step that is not in the result stands.
 *
 * A step with a once-key runs only when that key differs (of an install by more than the size of a disk); one that runs in the discovery image only when its node is
 * installed anew, and then also when its digest differs. Any other runs when its digest differs, when its node is
 * installed anew, when it was sent and did not succeed, and perhaps when a step that it takes a run-time value from
 * runs, or has reported something else since. A barrier runs when something that it waits for does.
 *
 * @param options.supposed the base is a plan, not what has run: where neither side knows the machine, equal steps stand.
 * @param options.held nodes whose disks were erased or are to be: nothing runs there, but that they are looked for.
 */
export function standing(base: Ledger, plan: Plan, options: StandingOptions): ReadonlyMap<string, Verdict> {
  const anew = nodesInstalledAnew(base, plan, options)
  const told = toldIn(plan, base)
  const verdicts = new Map<string, Verdict>()
  for (const step of plan.steps) {
    if (step.node !== null && step.kind !== 'discover' && options.held.has(step.node)) continue
    const node = base.nodes[step.node ?? LEDGER_ADMIN]
    const entry = own(node?.steps, step.id)
    const attempted = own(node?.attempted, step.id)
    const reinstalled = step.node !== null && anew.has(step.node) && step.kind !== 'install' && !outlivesInstallation(step)
    if (step.runsOn === 'discovery' && !(step.node !== null && anew.has(step.node))) continue
    const untold = step.kind === 'role' && step.once === null ? toldOtherwise(step, { entry, told, verdicts, held: options.held }) : []
    const differs = step.kind === 'install' && step.node !== null ? anew.has(step.node) : stepDiffers(step, entry, { verdicts, ...options })
    const must = differs || reinstalled || attempted !== null
    if (must || untold.length > 0) verdicts.set(step.id, { entry, attempted, reinstalled, untold, onlyIfToldOtherwise: !must })
  }
  return verdicts
}

export interface StandingOptions {
  readonly supposed: boolean
  readonly held: ReadonlySet<string>
}

function stepDiffers(step: Step, entry: LedgerEntry | null, { verdicts, supposed }: Pick<StandingOptions, 'supposed'> & { readonly verdicts: ReadonlyMap<string, Verdict> }): boolean {
  if (entry === null) return true
  if (step.once !== null) return entry.once !== step.once || entry.step.runsOn !== step.runsOn || (step.runsOn === 'discovery' && !step.destructive && entry.digest !== step.digest)
  // A destructive step whose key is not known yet may come to differ from what ran: it counts as one that does.
  if (step.destructive && !(supposed && entry.once === null)) return true
  if (entry.digest !== step.digest) return true
  return (step.kind === 'barrier' || step.kind === 'gate') && step.needs.some((need) => verdicts.has(need.step))
}

function nodesInstalledAnew(base: Ledger, plan: Plan, { supposed, held }: StandingOptions): ReadonlySet<string> {
  const anew = new Set<string>()
  const alone = { verdicts: new Map<string, Verdict>(), supposed }
  for (const step of plan.steps) {
    if (step.node === null || held.has(step.node)) continue
    const node = base.nodes[step.node]
    if (step.kind === 'hardware' && step.destructive) {
      // Arranging the disks of an installed node anew takes its installation with it.
      if (own(node?.attempted, step.id) !== null || stepDiffers(step, own(node?.steps, step.id), alone)) anew.add(step.node)
      continue
    }
    if (step.kind !== 'install') continue
    const planned = plan.nodes[step.node]
    const machine = planned?.machine ?? null
    const entry = own(node?.steps, step.id)
    const stands =
      node !== undefined &&
      planned !== undefined &&
      own(node.attempted, step.id) === null &&
      (!stepDiffers(step, entry, alone) || (entry !== null && isSameInstallation(installDocument(entry.step, base.values), installDocument(step, plan.values)))) &&
      (machine === null ? supposed && node.machine === null : node.incarnation !== null && node.machine === machine)
    if (!stands) anew.add(step.node)
  }
  return anew
}

/** Values that may not be what the step was given when it ran: those who tell them run, or have run since. */
function toldOtherwise(step: Step, { entry, told, verdicts, held }: { readonly entry: LedgerEntry | null; readonly told: Told; readonly verdicts: ReadonlyMap<string, Verdict>; readonly held: ReadonlySet<string> }): readonly ToldLeaf[] {
  const leaves = told.leaves(step)
  if (leaves.length === 0) return []
  // Whoever told it is gone for now, and nobody will tell another value: what was told stands.
  if (held.size > 0 && leaves.some(({ by }) => by.some((one) => held.has(nodeOf(one))))) return []
  // A run that stopped half-way may have left them apart: whoever told is done, and whoever was to hear of it is not.
  if (entry?.told !== undefined && entry.digest === step.digest && entry.told !== told.digest(step)) return leaves
  return leaves.filter(({ by }) => by.some((one) => verdicts.has(one)))
}

function own<T>(from: { readonly [key: string]: T } | undefined, key: string): T | null {
  return from !== undefined && Object.hasOwn(from, key) ? (from[key] ?? null) : null
}
