import { renamedId } from '../../schemas/rename-ledger.ts'
import type { Renames } from '../../schemas/renames.ts'
import type { LogEventOf } from '../log/event-types.ts'
import type { GrowingState } from './growing-state.ts'

/**
 * Folds names in that nodes have from here on. What outlives a run goes with the node: what is installed for it, how
 * often its steps were tried. Approvals do not: they were given for steps of the old name. Part of `applyEvent`.
 */
export function foldRenamed(state: GrowingState, { data }: LogEventOf<'node.renamed'>): void {
  const names: Renames = new Map(data.nodes.map(({ from, to }) => [from, to]))
  const records = data.nodes.map(({ from, to }) => [to, state.nodes.get(from)] as const)
  for (const { from } of data.nodes) state.nodes.delete(from)
  for (const [name, record] of records) {
    if (record === undefined) state.nodes.delete(name)
    else state.nodes.set(name, record)
  }
  for (const { from, to, machine } of data.nodes) {
    const record = machine === null ? undefined : state.machines.get(machine)
    if (record === undefined) continue
    state.machines.set(record.id, { ...record, renamed: [...record.renamed, { from, to }], session: record.session === null ? null : { ...record.session, node: record.session.node === from ? to : record.session.node } })
  }
  renameKeys(state.tries, names)
  renameKeys(state.unfinished, names)
  for (const step of state.approvals.keys()) if (renamedId(step, names) !== step) state.approvals.delete(step)
}

/** All at once: of two names that are swapped neither may be lost. */
function renameKeys<T>(steps: Map<string, T>, names: Renames): void {
  const moved = [...steps].flatMap(([id, value]) => (renamedId(id, names) === id ? [] : [[id, renamedId(id, names), value] as const]))
  for (const [id] of moved) steps.delete(id)
  for (const [, id, value] of moved) steps.set(id, value)
}
