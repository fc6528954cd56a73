import { canonical, byCodePoint } from '../../schemas/canonical.ts'
import type { InventoryDocument } from '../../schemas/inventory.ts'
import type { Json } from '../../schemas/shape.ts'
import type { MachineRecord } from '../state/state.ts'

/** The folder of a site in which the agent writes down machines; nobody else edits it. */
export const INVENTORY = 'inventory/'

/**
 * Which inventory files differ from the committed ones, by canonical bytes: path → new text. Machines in quarantine and
 * machines that never said what they are stay out. A file whose machine is not connected any more stays as it is.
 */
export function inventoryFiles(machines: Iterable<MachineRecord>, committed: ReadonlyMap<string, string>): Map<string, string> {
  const files = new Map<string, string>()
  for (const machine of [...machines].toSorted((a, b) => byCodePoint(a.id, b.id))) {
    if (machine.facts === null || machine.quarantined !== null) continue
    const document: InventoryDocument = { kind: 'machine', id: machine.id, facts: machine.facts }
    const path = `${INVENTORY}${machine.id}.json`
    if (!says(committed.get(path), document)) files.set(path, `${JSON.stringify(JSON.parse(canonical(document as unknown as Json)), null, 1)}\n`)
  }
  return files
}

function says(text: string | undefined, document: InventoryDocument): boolean {
  if (text === undefined) return false
  try {
    return canonical(JSON.parse(text) as Json) === canonical(document as unknown as Json)
  } catch {
    return false
  }
}
