import { createSocket } from 'node:dgram'
import { readFile } from 'node:fs/promises'
import { setTimeout as wait } from 'node:timers/promises'

/** How long a neighbour has to answer, milliseconds. */
const answerMs = 300

/**
 * Finds out whether somebody on the link uses an address, by ARP, without privileges: a datagram to it (port 9,
 * discard) makes the kernel ask, and its table shows who answered. Only for addresses on a link of ours; of those
 * behind a relay nothing is learnt.
 *
 * @returns the hardware address of who answered within a third of a second, or undefined; at once if aborted.
 */
export async function isInUse(address: string, options: { device: string; signal: AbortSignal }): Promise<string | undefined> {
  const socket = createSocket('udp4')
  try {
    socket.on('error', () => {})
    socket.send(Buffer.alloc(0), 9, address, () => {})
    await wait(answerMs, undefined, { signal: options.signal })
    return neighbour(await readFile('/proc/net/arp', 'latin1'), address, options.device)
  } catch {
    return undefined
  } finally {
    socket.close()
  }
}

/** Columns: IP address, HW type, flags (2: complete), HW address, mask, device. */
function neighbour(table: string, address: string, device: string): string | undefined {
  for (const line of table.split('\n')) {
    const [ip, , flags, mac, , on] = line.trim().split(/\s+/)
    if (ip === address && on === device && (Number(flags) & 2) !== 0) return mac
  }
  return undefined
}
