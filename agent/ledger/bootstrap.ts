import type { LedgerNode } from '../../schemas/ledger.ts'
import type { Step } from '../../schemas/plan.ts'
import type { LedgerDraft } from './ledger-draft.ts'

/** `deployment/role` of a step that runs a role; null for all others. */
export function boundRole(step: Step): string | null {
  if (step.kind !== 'role' || step.action !== 'run' || step.deployment === null || step.role === null) return null
  return `${step.deployment}/${step.role}`
}

/**
 * Takes back `bootstrapped` from roles whose last member went with what a node just lost. As long as one member has
 * the role, it stays bootstrapped: a founder that is replaced then joins the others and never starts a second cluster.
 *
 * @param before the node as it was before the loss; `draft` has it as it is now.
 */
export function forgetLostRoles(draft: LedgerDraft, before: LedgerNode): void {
  const now = draft.nodes[before.node]?.steps ?? {}
  for (const [id, entry] of Object.entries(before.steps)) {
    if (Object.hasOwn(now, id)) continue
    const role = boundRole(entry.step)
    if (role === null || draft.roles[role] === undefined) continue
    const survives = Object.values(draft.nodes).some((node) => Object.hasOwn(node.steps, `${role}@${node.node}`))
    if (!survives) delete draft.roles[role]
  }
}
