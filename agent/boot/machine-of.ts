import type { Facts } from '../../schemas/inventory.ts'

/** Where machines are known from. */
export interface KnownMachines {
  /** Machines that this agent has seen. */
  readonly machines: Iterable<{ readonly id: string; readonly macs: readonly string[] }>
  /** Machines of the committed inventory. */
  readonly committed: ReadonlyMap<string, Facts>
  /** Whether a node has this machine. */
  readonly isClaimed: (machine: string) => boolean
}

/**
 * The machine that has a port with this MAC. Of several (a card that was moved, a machine that says what is not so) the
 * one that a node has: what it boots is worth more care than what a newcomer does.
 */
export function machineOf(mac: string, { machines, committed, isClaimed }: KnownMachines): string | undefined {
  let first: string | undefined
  for (const id of idsWith(mac, machines, committed)) {
    if (isClaimed(id)) return id
    first ??= id
  }
  return first
}

function* idsWith(mac: string, machines: KnownMachines['machines'], committed: KnownMachines['committed']): Generator<string> {
  for (const machine of machines) if (machine.macs.includes(mac)) yield machine.id
  for (const [id, facts] of committed) if (facts.nics.some((nic) => nic.mac === mac)) yield id
}
