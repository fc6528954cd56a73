import type { Changes } from '../../schemas/changes.ts'
import { incarnation } from '../../schemas/incarnation.ts'
import { LEDGER_ADMIN } from '../../schemas/ledger.ts'
import type { Ledger, LedgerEntry, LedgerNode } from '../../schemas/ledger.ts'
import { own } from '../../schemas/own.ts'
import type { Plan, Step } from '../../schemas/plan.ts'
import type { ChangeOptions } from './change.ts'

/**
 * The ledger as it would be if a plan had been carried out, so that two commits or saved plans can be compared. Nodes
 * without a machine count as carried out too: what a commit means to do with them is what a comparison is about. Times are empty and `inputs` are the steps' digests: it is a base to compare
 * with, and never written to a branch.
 *
 * @param machines what is known of the disks, from the applied ledger; without it every install is a wipe.
 * @returns the ledger, and the options for change() that go with it.
 */
export function ledgerOfPlan(plan: Plan, machines: Ledger['machines'] = {}): { readonly ledger: Ledger; readonly options: ChangeOptions } {
  const nodes = new Map<string, { readonly steps: [string, LedgerEntry][] }>()
  for (const step of [...plan.steps, ...plan.operations.flatMap((operation) => operation.steps)]) {
    const name = step.node ?? LEDGER_ADMIN
    let node = nodes.get(name)
    if (node === undefined) nodes.set(name, (node = { steps: [] }))
    node.steps.push([step.id, entryOf(step, plan)])
  }
  const ledgerNodes = [...nodes].map(([name, node]): [string, LedgerNode] => {
    const planned = own(plan.nodes, name)
    const machine = planned?.machine ?? null
    const install = machine === null ? undefined : node.steps.find(([id]) => id === `install@${name}`)
    const started = install === undefined ? null : incarnation({ node: name, once: install[1].once, attempt: null })
    const protect = planned?.protect === true ? { protect: planned.at } : {}
    return [name, { version: 1, node: name, ...(planned === undefined ? {} : { index: planned.index }), machine, incarnation: started, ...protect, attempted: {}, steps: Object.fromEntries(node.steps) }]
  })
  const ledger: Ledger = { nodes: Object.fromEntries(ledgerNodes), machines, values: { ...plan.values, ...plan.contents }, run: null }
  const base: Changes['base'] = { kind: plan.source.commit === null ? 'plan' : 'commit', commit: plan.source.commit, run: null, state: null }
  return { ledger, options: { base } }
}

function entryOf(step: Step, plan: Plan): LedgerEntry {
  return { digest: step.digest, inputs: step.digest, once: step.once, commit: plan.source.commit ?? '', time: '', provides: {}, sealed: {}, step }
}
