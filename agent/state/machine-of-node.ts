import { adminMachine } from '../../schemas/incarnation.ts'
import type { Ledger } from '../../schemas/ledger.ts'
import type { Plan } from '../../schemas/plan.ts'

/** Under which name a node's machine is connected: an admin node's own, else the one that it claims, or was on before it left the plan. */
export function machineOfNode(node: string, { plan, ledger }: { readonly plan: Plan; readonly ledger?: Ledger }): string | null {
  const planned = plan.nodes[node]
  if (planned?.admin === true) return adminMachine(node)
  return planned?.machine ?? ledger?.nodes[node]?.machine ?? null
}
