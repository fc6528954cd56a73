import { byCodePoint } from './canonical.ts'
import type { Ledger, LedgerNode } from './ledger.ts'
import { own } from './own.ts'
import type { Plan } from './plan.ts'

/** Old name → new name. Names may be swapped and passed on: all of it happens at once. */
export type Renames = ReadonlyMap<string, string>

/**
 * The nodes of a ledger that a plan has under another name. Which node is which is told by the index that the lock gave
 * it, whatever names there were between, and what the plan calls a node that its document says has `moved`. A node that
 * also has its machine needs no `moved`: so a commit that takes a rename back does that and nothing else. Where the
 * ledger has no index yet, `moved` and the machine tell.
 *
 * An admin node is not renamed: it goes by its name. A name that another node of either side keeps is given to nobody.
 */
export function renamesOf(ledger: Pick<Ledger, 'nodes'>, plan: Pick<Plan, 'nodes'>): Renames {
  const byIndex = new Map<number, LedgerNode>()
  const byMachine = new Map<string, LedgerNode>()
  for (const node of Object.values(ledger.nodes)) {
    if (node.index !== undefined) byIndex.set(node.index, node)
    else if (node.machine !== null) byMachine.set(node.machine, node)
  }
  const renames = new Map<string, string>()
  for (const [name, planned] of Object.entries(plan.nodes).toSorted(([a], [b]) => byCodePoint(a, b))) {
    const { admin, index, machine, was } = planned
    if (admin) continue
    const here = own(ledger.nodes, name)
    if (here !== undefined && (here.index === undefined ? here.machine === machine : here.index === index)) continue
    const before = byIndex.get(index) ?? (was === undefined || machine === null ? undefined : byMachine.get(machine))
    if (before === undefined || before.node === name || (was === undefined && (machine === null || before.machine !== machine))) continue
    renames.set(before.node, name)
  }
  for (let again = true; again; ) {
    again = false
    const taken = new Set(renames.values())
    for (const [from, to] of renames) {
      const isKept = (Object.hasOwn(ledger.nodes, to) && !renames.has(to)) || (Object.hasOwn(plan.nodes, from) && !taken.has(from))
      if (isKept) again = renames.delete(from)
    }
  }
  return renames
}
