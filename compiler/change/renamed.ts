import type { Changes } from '../../schemas/changes.ts'
import type { Ledger } from '../../schemas/ledger.ts'
import { own } from '../../schemas/own.ts'
import type { Plan } from '../../schemas/plan.ts'

/**
 * Installed nodes that have another name in the plan, on the same machine. An installation carries its node's name, on
 * the machine and in what the node proves who it is with, and nothing changes that yet: by the names alone it would be
 * released and installed again. Whoever wrote `moved` did not mean that, so it is refused.
 */
export function renamed(base: Ledger, plan: Plan, at: ((step: string, path: string | null) => string | null) | undefined): Changes['violations'] {
  return Object.entries(plan.nodes).flatMap(([name, { was, machine, at: place }]) => {
    const before = was === undefined ? undefined : own(base.nodes, was)
    if (was === undefined || before === undefined || before.incarnation === null || machine === null || before.machine !== machine) return []
    if (own(base.nodes, name)?.machine === machine) return []
    const message = `${name} has moved from ${was}, which is installed under that name, and an installed node cannot be renamed yet: it would be released and installed again. Keep the name ${was}; or, if it may be installed again, take \`moved\` away.`
    return [{ policy: 'rename', level: 'deny' as const, message, at: at?.(`discover@${name}`, 'moved') ?? place }]
  })
}
