import { randomFillSync } from 'node:crypto'
import { anyAddress, type Ipv4 } from '../ipv4.ts'
import { messageType, option } from './option.ts'
import { broadcastFlag, type DhcpPacket } from './packet.ts'
import { decodeAddress, encodeByte } from './values.ts'

/**
 * The DHCP server that a message gives away: a reply's own, or the one whose offer a client takes.
 *
 * @returns its server identifier, or undefined if the message names none.
 */
export function serverNamedIn(packet: DhcpPacket): Ipv4 | undefined {
  const type = packet.options.get(option.messageType)?.[0]
  const tells = packet.op === 2 || type === messageType.request
  return tells ? decodeAddress(packet.options.get(option.serverId)) : undefined
}

/**
 * A DISCOVER that makes every DHCP server of the link say that it is there. It comes from a locally administered
 * hardware address of the day and asks for a broadcast; nobody takes what is offered.
 */
export function probeForServers(): DhcpPacket {
  const chaddr = randomFillSync(Buffer.alloc(6))
  chaddr[0] = 0x02
  return {
    op: 1,
    htype: 1,
    hops: 0,
    xid: randomFillSync(Buffer.alloc(4)).readUInt32BE(0),
    secs: 0,
    flags: broadcastFlag,
    ciaddr: anyAddress,
    yiaddr: anyAddress,
    siaddr: anyAddress,
    giaddr: anyAddress,
    chaddr,
    sname: '',
    file: '',
    options: new Map([[option.messageType, encodeByte(messageType.discover)]]),
  }
}
