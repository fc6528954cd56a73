import type { Changes } from '../../schemas/changes.ts'
import { isAdminMachine } from '../../schemas/incarnation.ts'
import type { Ledger } from '../../schemas/ledger.ts'
import { own } from '../../schemas/own.ts'
import type { Plan } from '../../schemas/plan.ts'

/**
 * Nodes that the base has on a machine and that are admin nodes now. What ran on that machine would count as done on the
 * admin node, and nobody would let go of the machine: each is refused.
 */
export function becameAdmin(base: Ledger, plan: Plan): Changes['violations'] {
  return Object.entries(plan.nodes).flatMap(([name, { admin, at }]) => {
    const machine = own(base.nodes, name)?.machine ?? null
    if (!admin || machine === null || isAdminMachine(machine)) return []
    return [{ policy: 'admin', level: 'deny' as const, message: `${name} is an admin node now, and the cluster has it on machine ${machine}: take it out of the site and apply first, or give the admin node another name.`, at }]
  })
}
