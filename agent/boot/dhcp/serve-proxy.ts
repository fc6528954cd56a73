import { askBooter } from '../ask-booter.ts'
import type { BootEvent } from '../boot-event.ts'
import { anyAddress, type Ipv4 } from '../ipv4.ts'
import { chooseBootFile } from './choose-boot-file.ts'
import { bootClient, identifyClient } from './client.ts'
import { messageType, option } from './option.ts'
import type { DhcpPacket } from './packet.ts'
import { buildReply } from './reply.ts'
import type { DhcpArrival, DhcpOutcome, DhcpState } from './serve.ts'

/** The port on which a proxy acknowledges (PXE 2.1 §2.2.5). */
export const proxyPort = 4011

/** How a message reached the proxy. */
export interface ProxyArrival extends DhcpArrival {
  /** 67, or {@link proxyPort}. */
  readonly port: number
  /** Sender of the datagram. */
  readonly from: { readonly address: Ipv4; readonly port: number }
}

const nothing: DhcpOutcome = { changes: [], events: [] }

/**
 * Answers firmware beside a DHCP server that is not ours (PXE 2.1 §2.2): never an address, only what to boot.
 *
 * A DISCOVER on port 67 gets an OFFER without an address; a REQUEST on port 4011 an ACK, to whoever sent it. Both name
 * the boot file, because firmware differs on which of the two it reads. Everything else is for the other server.
 */
export function serveProxy(
  state: Pick<DhcpState, 'booter' | 'boot'>,
  packet: DhcpPacket,
  arrival: ProxyArrival,
): DhcpOutcome {
  const client = identifyClient(packet)
  const type = packet.options.get(option.messageType)?.[0]
  const asking = bootClient(client, packet.ciaddr === anyAddress ? '' : packet.ciaddr)
  const isOffer = arrival.port !== proxyPort
  const isAsked = isOffer ? type === messageType.discover : type === messageType.request || type === messageType.inform
  if (packet.op !== 1 || !isAsked || !asking || !client.netboot) return nothing

  const file = chooseBootFile(client, { ...state.boot, address: arrival.localAddress })
  if (file === undefined) return nothing
  const events: BootEvent[] = []
  const answer = askBooter(state.booter, asking, (event) => events.push(event))
  events.push({
    type: isOffer ? 'boot.dhcp.offer' : 'boot.dhcp.ack',
    mac: client.mac,
    interface: arrival.interface,
    address: '',
    subnet: '',
    seconds: 0,
    boot: { architecture: client.netboot.architecture, file, answer: answer.kind },
  })
  const reply = buildReply(packet, client, {
    type: isOffer ? 'offer' : 'ack',
    serverId: arrival.localAddress,
    address: anyAddress,
    boot: { file, server: arrival.localAddress },
  })
  return { reply: isOffer ? reply : { ...reply, to: arrival.from }, changes: [], events }
}
