import type { Change, Changes } from '../../schemas/changes.ts'
import type { Ledger, LedgerNode } from '../../schemas/ledger.ts'
import { own } from '../../schemas/own.ts'
import type { Plan } from '../../schemas/plan.ts'
import type { Renames } from '../../schemas/renames.ts'

/** What a comparison knows of nodes that have another name now. */
export interface RenamedSides {
  /** With all nodes under their new names. */
  readonly base: Ledger
  readonly plan: Plan
  readonly renames: Renames
  /** file:line:column of what set a value of a step. */
  readonly at: ((step: string, path: string | null) => string | null) | undefined
}

/** The renames as reviewers read them, by the old name. */
export function renamedNodes({ base, plan, renames, at }: RenamedSides): Changes['renamed'] {
  return [...renames].map(([from, to]) => ({ from, to, machine: own(base.nodes, to)?.machine ?? null, at: placeOf(to, { plan, at }) }))
}

/**
 * Renames that cannot be carried out. One of a node on which something was begun and has not ended well: what was sent
 * under the old name has to come to its end under it. And one by which the plan and the base do not agree on which node
 * is meant: by the names alone the installed node would be released, and its machine installed again.
 */
export function renameViolations(changes: readonly Change[], sides: RenamedSides): Changes['violations'] {
  const { base, plan, renames } = sides
  const deny = (name: string, message: string): Changes['violations'][number] => ({ policy: 'rename', level: 'deny', message, at: placeOf(name, sides) })
  const unfinished = [...renames].flatMap(([from, to]) => {
    const steps = changes.filter(({ step, causes }) => step.node === to && causes.some(({ kind }) => kind === 'unfinished')).map(({ step }) => step.id)
    if (steps.length === 0) return []
    return [deny(to, `${from} cannot become ${to} now: ${steps.join(', ')} was begun under the old name and has not succeeded (or still runs). Take the new name back, apply until that has succeeded, and rename then.`)]
  })
  const lost = Object.entries(plan.nodes).flatMap(([name, { was, machine }]) => {
    const before = was === undefined ? undefined : installedBefore({ name, was, machine }, base, plan)
    if (was === undefined || before === undefined) return []
    return [deny(name, `${name} has moved from ${was}, and would not get what is installed as ${before.node}: ${whyLost(name, before.node, sides)}.`)]
  })
  return [...unfinished, ...lost]
}

function whyLost(name: string, before: string, { base, plan }: RenamedSides): string {
  if (plan.nodes[name]?.admin === true) return 'an admin node keeps its name'
  if (Object.hasOwn(plan.nodes, before)) return `${before} is a node of the site still: rename and apply first, and give the name to another node then`
  if (Object.hasOwn(base.nodes, name)) return `the name ${name} is still that of another node: take that one out of the site and apply, then rename; or take \`moved\` away, if ${before} is to be released`
  return `by the lock it is not that node: put the lines of ${before} back into site.lock.json as they were before the rename, and let \`crowbar lock\` move them`
}

/** The installation, under another name, that a node with `moved` would lose; undefined when it loses none. */
function installedBefore({ name, was, machine }: { readonly name: string; readonly was: string; readonly machine: string | null }, base: Ledger, plan: Plan): LedgerNode | undefined {
  const leaves = (node: LedgerNode): boolean => node.incarnation !== null && !Object.hasOwn(plan.nodes, node.node)
  const now = own(base.nodes, name)
  const before = own(base.nodes, was)
  // The node itself, and none of that name is there any more that the plan would release.
  if (now !== undefined && (now.index === plan.nodes[name]?.index || (machine !== null && now.machine === machine)) && (before === undefined || !leaves(before))) return undefined
  if (before !== undefined && before.incarnation !== null && machine !== null && before.machine === machine) return before
  if (before !== undefined) return leaves(before) ? before : undefined
  // `was` was never applied: what leaves the machine in the same commit is what had the name before that.
  return machine === null ? undefined : Object.values(base.nodes).find((node) => node.machine === machine && leaves(node))
}

function placeOf(name: string, { plan, at }: Pick<RenamedSides, 'plan' | 'at'>): string | null {
  return at?.(`discover@${name}`, 'moved') ?? own(plan.nodes, name)?.at ?? null
}
