import { anyAddress, broadcastAddress, formatIpv4, type Ipv4 } from '../ipv4.ts'
import { raspberryPi } from '../architecture.ts'
import type { DhcpClient } from './client.ts'
import { messageType, option } from './option.ts'
import { broadcastFlag, type DhcpPacket } from './packet.ts'
import type { PreparedSubnet } from './subnet.ts'
import * as write from './values.ts'

/** A message to send, and where to. */
export interface DhcpReply {
  readonly packet: DhcpPacket
  readonly to: { readonly address: Ipv4; readonly port: number }
  /** What the client takes, bytes of DHCP message (option 57 less the IP and UDP headers). */
  readonly maximumBytes: number
}

/** What a reply says; see {@link buildReply}. */
export interface ReplyContent {
  readonly type: 'offer' | 'ack' | 'nak'
  readonly serverId: Ipv4
  /** The address given; `0.0.0.0` in proxy mode, for INFORM and in a NAK. */
  readonly address: Ipv4
  /** Subnet whose settings are told; undefined in proxy mode and in a NAK. */
  readonly subnet?: PreparedSubnet
  /** Lease, seconds. Missing: no lease times, as for INFORM. */
  readonly seconds?: number
  readonly hostname?: string
  /** Boot file and the address it comes from. */
  readonly boot?: { readonly file: string; readonly server: Ipv4 }
  /** Why not, for people (option 56); NAK only. */
  readonly message?: string
}

/** Ports of DHCP (RFC 2131 §4.1). */
export const serverPort = 67
const clientPort = 68

const types = { offer: messageType.offer, ack: messageType.ack, nak: messageType.nak }

/**
 * Builds the reply to a message: header, options in the client's order of preference, destination.
 *
 * @param client who sent `request`.
 */
export function buildReply(request: DhcpPacket, client: DhcpClient, content: ReplyContent): DhcpReply {
  const boot = content.boot
  const isRelayedNak = content.type === 'nak' && request.giaddr !== anyAddress
  return {
    packet: {
      op: 2,
      htype: request.htype,
      hops: 0,
      xid: request.xid,
      secs: 0,
      // A relay must broadcast a NAK: the client's address is the very thing that is wrong (RFC 2131 §4.3.2).
      flags: isRelayedNak ? request.flags | broadcastFlag : request.flags,
      ciaddr: content.type === 'ack' ? request.ciaddr : anyAddress,
      yiaddr: content.address,
      siaddr: boot?.server ?? anyAddress,
      giaddr: request.giaddr,
      chaddr: request.chaddr,
      sname: boot?.server ?? '',
      file: boot && boot.file.length < 128 ? boot.file : '',
      options: replyOptions(request, client, content),
    },
    to: replyTo(request, content.type === 'nak'),
    maximumBytes: maximumBytes(request),
  }
}

/** Where a reply goes (RFC 2131 §4.1). We cannot send to a hardware address, so who has no address gets a broadcast. */
function replyTo(request: DhcpPacket, isNak: boolean): DhcpReply['to'] {
  if (request.giaddr !== anyAddress) return { address: request.giaddr, port: serverPort }
  if (isNak || request.ciaddr === anyAddress) return { address: broadcastAddress, port: clientPort }
  return { address: request.ciaddr, port: clientPort }
}

/** Option 57 counts the IP datagram; 576 is what every host takes (RFC 2132 §9.10), 1500 what Ethernet carries. */
function maximumBytes(request: DhcpPacket): number {
  const value = request.options.get(option.maximumSize)
  const asked = value?.length === 2 ? value.readUInt16BE(0) : 576
  return Math.min(1500, Math.max(576, asked)) - 28
}

function replyOptions(request: DhcpPacket, client: DhcpClient, content: ReplyContent): ReadonlyMap<number, Buffer> {
  const options = new Map<number, Buffer>()
  options.set(option.messageType, write.encodeByte(types[content.type]))
  options.set(option.serverId, write.encodeAddresses(content.serverId))
  if (content.type === 'nak') {
    if (content.message !== undefined) options.set(option.message, Buffer.from(content.message))
  } else {
    if (content.seconds !== undefined) {
      options.set(option.leaseSeconds, write.encodeUint32(content.seconds))
      options.set(option.renewSeconds, write.encodeUint32(Math.floor(content.seconds / 2)))
      options.set(option.rebindSeconds, write.encodeUint32(Math.floor((content.seconds * 7) / 8)))
    }
    addBoot(options, request, client, content)
    addSettings(options, request, content)
  }
  // RFC 6842: a client that shares its hardware address with another one knows its replies by this.
  echo(options, request, option.clientId)
  if (request.giaddr !== anyAddress) echo(options, request, option.relayAgent)
  return options
}

function echo(options: Map<number, Buffer>, request: DhcpPacket, code: number): void {
  const value = request.options.get(code)
  if (value) options.set(code, value)
}

/** No boot information ever goes to a client that did not say it boots from the network. */
function addBoot(options: Map<number, Buffer>, request: DhcpPacket, client: DhcpClient, content: ReplyContent): void {
  const netboot = client.netboot
  if (!netboot) return
  // UEFI drops offers that do not repeat its class word for word.
  options.set(option.vendorClass, Buffer.from(netboot.class))
  echo(options, request, option.machineId)
  if (!content.boot) return
  const { file, server } = content.boot
  const wanted = request.options.get(option.parameterList) ?? Buffer.alloc(0)
  const isHttp = netboot.class === 'HTTPClient'
  if (isHttp || wanted.includes(option.bootFile) || file.length >= 128) options.set(option.bootFile, Buffer.from(file))
  if (isHttp) return
  if (wanted.includes(option.tftpServer)) options.set(option.tftpServer, Buffer.from(server))
  if (netboot.userClass === 'iPXE') {
    // 176: do not wait for a proxy DHCP server; only who gives the addresses may say so.
    if (content.address !== anyAddress) options.set(option.ipxe, write.encodeSubOptions([[176, write.encodeByte(1)]]))
    return
  }
  // PXE 2.1 §2.2.4: sub-option 6, bit 3: no discovery of boot servers, boot the file that is named here.
  const pxe: (readonly [number, Buffer])[] = [[6, write.encodeByte(8)]]
  if (netboot.architecture === raspberryPi) {
    pxe.push([9, Buffer.from('\0\0\x11Raspberry Pi Boot', 'latin1')], [10, Buffer.from('\0PXE', 'latin1')])
  }
  options.set(option.vendor, Buffer.concat([write.encodeSubOptions(pxe), write.encodeByte(option.end)]))
}

/** Options that are sent whether asked for or not: firmware forgets to ask. */
const unasked = [option.subnetMask, option.router, option.dns]

function addSettings(options: Map<number, Buffer>, request: DhcpPacket, content: ReplyContent): void {
  if (!content.subnet) return
  const settings = subnetSettings(content.subnet, content.hostname)
  const list = request.options.get(option.parameterList)
  const order = list ? [...list, ...unasked] : [...settings.keys()]
  for (const code of order) {
    const value = settings.get(code)
    if (value && !options.has(code)) options.set(code, value)
  }
}

function subnetSettings({ config, block }: PreparedSubnet, hostname: string | undefined): ReadonlyMap<number, Buffer> {
  const settings = new Map<number, Buffer>()
  const routes = [...(config.routes ?? [])]
  settings.set(option.subnetMask, write.encodeUint32(block.mask))
  if (config.gateway !== undefined) settings.set(option.router, write.encodeAddresses(config.gateway))
  if (config.dns.length > 0) settings.set(option.dns, write.encodeAddresses(...config.dns))
  if (hostname !== undefined) settings.set(option.hostname, Buffer.from(hostname))
  if (config.domain !== undefined) settings.set(option.domain, Buffer.from(config.domain))
  if (config.mtu !== undefined) settings.set(option.mtu, write.encodeUint16(config.mtu))
  settings.set(option.broadcast, write.encodeAddresses(formatIpv4(block.broadcast)))
  if (config.ntp?.length) settings.set(option.ntp, write.encodeAddresses(...config.ntp))
  if (config.search?.length) settings.set(option.domainSearch, write.encodeDomainSearch(config.search))
  if (routes.length > 0) {
    // RFC 3442: who reads this option ignores option 3, so the default route is said here again.
    if (config.gateway !== undefined) routes.push({ destination: '0.0.0.0/0', router: config.gateway })
    settings.set(option.classlessRoutes, write.encodeClasslessRoutes(routes))
  }
  return settings
}
