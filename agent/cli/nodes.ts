import type { Status } from '../../schemas/control.ts'
import { controlClient } from '../control/control-client.ts'
import { sayControlError } from './order.ts'
import type { SocketOptions } from './order.ts'
import { table } from './table.ts'

/** `crowbar nodes`: every node with its machine, its installation and what it does. */
export async function nodesCommand(options: SocketOptions): Promise<number> {
  try {
    const { nodes } = await controlClient(options.socket).get<Status>('/status')
    process.stdout.write(options.format === 'json' ? `${JSON.stringify(nodes, null, 2)}\n` : printNodes(nodes))
    return 0
  } catch (error) {
    return sayControlError(error)
  }
}

/** A line a node. Of an incarnation its first twelve digits. */
export function printNodes(nodes: Status['nodes']): string {
  if (nodes.length === 0) return 'no node yet\n'
  const rows = nodes.map(({ name, machine, os, incarnation, address, connected, doing }) => [
    name, machine ?? '-', os ?? '-', incarnation?.replace('sha256:', '').slice(0, 12) ?? '-', address ?? '-', connected ?? 'no', doing,
  ])
  return `${table(['node', 'machine', 'os', 'incarnation', 'address', 'connected', 'state'], rows).join('\n')}\n`
}
