import { nodeErasedBy } from '../../schemas/operation.ts'
import type { Ledger } from '../../schemas/ledger.ts'
import type { State } from './state.ts'

/** The step that began to erase a node's disks and has not succeeded; undefined: none. */
export function unfinishedErasure(node: string, { unfinished }: Pick<State, 'unfinished'>): string | undefined {
  return [...unfinished.keys()].find((step) => nodeErasedBy(step) === node)
}

/** The installation that a node runs by all that is known: the log's word, or the ledger's where the log begins later. Null: none, or disks that somebody began to erase. */
export function standingInstallation(node: string, { state, ledger }: { readonly state: State; readonly ledger: Ledger }): { readonly machine: string | null; readonly incarnation: string } | null {
  if (unfinishedErasure(node, state) !== undefined) return null
  const installed = state.nodes.get(node)?.installed ?? null
  if (installed !== null) return installed
  const { machine, incarnation } = ledger.nodes[node] ?? { machine: null, incarnation: null }
  return incarnation === null ? null : { machine, incarnation }
}

/** Whether a machine last came up with another installation than its node's: from an old disk, or a copy of one. */
export function runsAnother(machine: string | null, node: string, known: { readonly state: State; readonly ledger: Ledger }): boolean {
  const ran = machine === null ? null : (known.state.machines.get(machine)?.ran ?? null)
  const standing = standingInstallation(node, known)
  return ran !== null && standing !== null && standing.machine === machine && standing.incarnation !== ran
}
