import { approvalKey } from '../../schemas/approval.ts'
import type { NewEvent } from '../log/event-types.ts'
import type { State } from '../state/state.ts'
import type { CompiledWork } from './engine.ts'

/**
 * What is written of approvals that a new run finds: those of what its changes do not ask for, or ask for otherwise, are
 * void, so that none lies about until the same is asked for once more. What `--target` and `--exclude` left out is not
 * asked about.
 */
export function staleApprovals({ approvals }: Pick<State, 'approvals'>, { plan, changes }: Pick<CompiledWork, 'plan' | 'changes'>): readonly NewEvent[] {
  return [...approvals].flatMap(([id, { approval }]): readonly NewEvent[] => {
    const step = changes.changes.find((change) => change.step.id === id)?.step
    const node = step?.node ?? null
    const voided = (reason: string): readonly NewEvent[] => [{ type: 'approval.voided', data: { node, step: id, once: approval.once, reason } }]
    if (step === undefined) return changes.selection === undefined ? voided('the site does not ask for it any more') : []
    if (approvalKey(step) !== approval.once) return voided('what the step would do has changed since')
    const machine = (node === null ? null : plan.nodes[node]?.machine) ?? ''
    return machine === approval.machine ? [] : voided(`it is for machine ${approval.machine}`)
  })
}
