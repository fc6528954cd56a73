import type { Changes } from '../../schemas/changes.ts'
import type { Ledger, LedgerNode } from '../../schemas/ledger.ts'
import { own } from '../../schemas/own.ts'
import type { Plan } from '../../schemas/plan.ts'

/**
 * Installed nodes that have another name in the plan. An installation carries its node's name, on the machine and in
 * what the node proves who it is with, and nothing changes that yet: by the names alone it would be released, and its
 * machine installed again. Whoever wrote `moved` did not mean that, so it is refused; also when the same commit takes
 * the machine away, and when there were names between that were never applied.
 */
export function renamed(base: Ledger, plan: Plan, at: ((step: string, path: string | null) => string | null) | undefined): Changes['violations'] {
  return Object.entries(plan.nodes).flatMap(([name, { was, machine, at: place }]) => {
    const before = was === undefined ? undefined : installedBefore({ name, was, machine }, base, plan)
    if (was === undefined || before === undefined) return []
    const installed = before.node === was ? `which is installed under that name` : `and its machine ${machine} has the installation of ${before.node}`
    const message = `${name} has moved from ${was}, ${installed}, and an installed node cannot be renamed yet: it would be released and installed again. Keep the name ${before.node}; or, if it may be installed again, take \`moved\` away.`
    return [{ policy: 'rename', level: 'deny' as const, message, at: at?.(`discover@${name}`, 'moved') ?? place }]
  })
}

/** The installation, under another name, that a node with `moved` would lose; undefined when it loses none. */
function installedBefore({ name, was, machine }: { readonly name: string; readonly was: string; readonly machine: string | null }, base: Ledger, plan: Plan): LedgerNode | undefined {
  const now = own(base.nodes, name)
  if (machine !== null && now?.machine === machine) return undefined
  const leaves = (node: LedgerNode): boolean => node.incarnation !== null && !Object.hasOwn(plan.nodes, node.node)
  const before = own(base.nodes, was)
  if (before !== undefined && before.incarnation !== null && machine !== null && before.machine === machine) return before
  // With a name that was installed itself the rename is an old one.
  if (now !== undefined && now.incarnation !== null) return undefined
  if (before !== undefined) return leaves(before) ? before : undefined
  // `was` was never applied: what leaves the machine in the same commit is what had the name before that.
  return machine === null ? undefined : Object.values(base.nodes).find((node) => node.machine === machine && leaves(node))
}
