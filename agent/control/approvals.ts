import { approvalFor, approvalKey, everyDisk, mayWriteAnyDisk } from '../../schemas/approval.ts'
import type { Approval, Changes } from '../../schemas/changes.ts'
import { globMatcher } from '../../schemas/glob.ts'
import type { Plan } from '../../schemas/plan.ts'
import { refusalOf } from '../../schemas/refusal.ts'
import { stepTargets } from '../../schemas/step-targets.ts'
import type { State } from '../state/state.ts'

/**
 * Every step that could be approved now, with exactly what an approval would bind: what waits for one, and what is to
 * run and would overwrite disks that were seen. A step whose machine or disks nobody has seen is not among them.
 */
export function approvable(plan: Plan, changes: Changes, state: State): ReadonlyMap<string, Approval> {
  const found = new Map<string, Approval>()
  for (const change of changes.changes) {
    const { step } = change
    if (!change.needsApproval || refusalOf(change) !== null || step.node === null || approvalKey(step) === null) continue
    const machine = plan.nodes[step.node]?.machine ?? null
    const disks = machine === null ? undefined : state.machines.get(machine)?.disks
    if (machine === null || disks === undefined || disks.length === 0) continue
    try {
      found.set(step.id, approvalFor(step, machine, disks, mayWriteAnyDisk(step) ? everyDisk(disks) : stepTargets(step, plan.values)))
    } catch (error) {
      // A target that the machine does not show cannot be approved; the step itself says why it waits.
      if ((error as { code?: unknown }).code === undefined) throw error
    }
  }
  for (const one of state.run?.steps.values() ?? []) {
    if (one.approval !== null) found.set(one.approval.step, one.approval)
  }
  return found
}

/** Steps that any of the patterns names: `*` stands for any run of characters, `?` for one. Sorted as they came. */
export function matching(patterns: readonly string[], steps: Iterable<string>): string[] {
  const tests = patterns.map(globMatcher)
  return [...steps].filter(step => tests.some(test => test(step)))
}
