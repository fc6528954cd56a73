import { askBooter } from '../ask-booter.ts'
import type { BootEvent } from '../boot-event.ts'
import type { Booter } from '../booter.ts'
import { anyAddress, blockHas, formatIpv4, type Ipv4 } from '../ipv4.ts'
import { chooseBootFile, type BootServer } from './choose-boot-file.ts'
import { bootClient, identifyClient, type DhcpClient } from './client.ts'
import type { Lease, LeaseTable } from './lease-table.ts'
import { messageType, option } from './option.ts'
import type { DhcpPacket } from './packet.ts'
import { buildReply, type DhcpReply, type ReplyContent } from './reply.ts'
import { poolHas, reservationIndex, type PreparedSubnet, type Reservation } from './subnet.ts'
import { decodeAddress, decodeSubOptions, decodeText, decodeUint32 } from './values.ts'

/** What the conversation goes by. It reads all of it and changes none of it. */
export interface DhcpState {
  /** The first is the interface's own link; the others are reached through relays. */
  readonly subnets: readonly PreparedSubnet[]
  readonly leases: LeaseTable
  readonly booter: Booter
  readonly boot: Omit<BootServer, 'address'>
}

/** How a message came in. */
export interface DhcpArrival {
  readonly interface: string
  /** Our address on that interface: server identifier (54) and next server. */
  readonly localAddress: Ipv4
  /** It was sent to everybody on the link, and not to our address. */
  readonly wasBroadcast: boolean
  /** Milliseconds since 1970. */
  readonly time: number
}

/** What is to be done about a message. */
export interface DhcpOutcome {
  readonly reply?: DhcpReply
  /**
   * Leases as they are now; they apply at once, whatever becomes of the reply. Those that are not just `offered` must
   * be on disk before the reply goes out.
   */
  readonly changes: readonly Lease[]
  readonly events: readonly BootEvent[]
  /** An address of a pool that this client did not have: look whether somebody else uses it before offering it. */
  readonly probe?: Ipv4
}

const offerMs = 60_000
/** How long a declined address stays out of use: of a pool an hour; a reserved one soon shows up again. */
const quarantineMs = { pool: 3_600_000, reserved: 60_000 }
const shortestLease = 60

/** One message in its context; passed along instead of a dozen parameters. */
interface Exchange {
  readonly state: DhcpState
  readonly packet: DhcpPacket
  readonly arrival: DhcpArrival
  readonly client: DhcpClient
  readonly key: string
  readonly subnet: PreparedSubnet
  readonly serverId: Ipv4
  readonly reservation: Reservation | undefined
}

/**
 * Answers one message of a DHCP client (RFC 2131 §4.3).
 *
 * Pure: what happens to the leases is returned, in `changes`, and for the caller to carry out before the next message.
 */
export function serveDhcp(state: DhcpState, packet: DhcpPacket, arrival: DhcpArrival): DhcpOutcome {
  const client = identifyClient(packet)
  const party = { mac: client.mac, interface: arrival.interface }
  const ignore = (reason: string): DhcpOutcome => ({ changes: [], events: [{ type: 'boot.dhcp.ignored', ...party, reason }] })

  const type = packet.options.get(option.messageType)?.[0]
  if (packet.op !== 1) return { changes: [], events: [] }
  if (type === undefined) return ignore('BOOTP without DHCP')
  if (client.key === undefined) return ignore('neither hardware address nor client identifier')
  const relay = packet.giaddr === anyAddress ? new Map<number, Buffer>() : decodeSubOptions(packet.options.get(option.relayAgent))
  const subnet = chooseSubnet(state.subnets, packet, { link: decodeAddress(relay.get(5)), arrival })
  if (!subnet) return ignore(`relay ${packet.giaddr} is on no subnet of this interface`)
  // RFC 5107: the relay wants renewals to come through it.
  const serverId = decodeAddress(relay.get(11)) ?? arrival.localAddress
  const reservation = findReservation(subnet, client)
  const exchange: Exchange = { state, packet, arrival, client, key: client.key, subnet, serverId, reservation }

  switch (type) {
    case messageType.discover:
      return discover(exchange)
    case messageType.request:
      return request(exchange)
    case messageType.decline:
      return decline(exchange)
    case messageType.release:
      return release(exchange)
    case messageType.inform:
      return inform(exchange)
    default:
      return ignore(`message type ${type}`)
  }
}

/**
 * RFC 3527: link selection goes before the relay's own address. Both must lie in a subnet that is configured here.
 * A client behind a relay renews straight with us, past the relay; its address tells where it is.
 */
function chooseSubnet(
  subnets: readonly PreparedSubnet[],
  packet: DhcpPacket,
  { link, arrival }: { link: Ipv4 | undefined; arrival: DhcpArrival },
): PreparedSubnet | undefined {
  const at = (address: Ipv4): PreparedSubnet | undefined => subnets.find(({ block }) => blockHas(block, address))
  if (packet.giaddr !== anyAddress) return at(link ?? packet.giaddr)
  return arrival.wasBroadcast ? subnets[0] : (at(packet.ciaddr) ?? subnets[0])
}

function findReservation(subnet: PreparedSubnet, client: DhcpClient): Reservation | undefined {
  const index = reservationIndex(subnet)
  const found =
    index.byMac.get(client.mac) ??
    client.uuids.map((uuid) => index.byUuid.get(uuid)).find((each) => each !== undefined) ??
    (client.clientId === undefined ? undefined : index.byClientId.get(client.clientId))
  return found && blockHas(subnet.block, found.address) ? found : undefined
}

function discover(exchange: Exchange): DhcpOutcome {
  const { state, subnet, arrival, key, client, reservation } = exchange
  const address = chooseAddress(exchange)
  if (address === undefined) {
    const party = { mac: client.mac, interface: arrival.interface }
    if (reservation) return silence(exchange, `its reserved address ${reservation.address} is used by another machine`)
    if (subnet.poolSize === 0) return silence(exchange, 'no reservation, and the subnet has no pool')
    return { changes: [], events: [{ type: 'boot.dhcp.exhausted', ...party, subnet: subnet.config.name }] }
  }
  const held = state.leases.at(address)
  const isOwn = held?.client === key && held.expires > arrival.time
  const outcome = grant(exchange, 'offer', address)
  return {
    ...outcome,
    // A lease that still runs is not cut down to a mere offer.
    changes: isOwn && held.state === 'bound' ? [] : [lease(exchange, address, 'offered', arrival.time + offerMs)],
    ...(!reservation && !isOwn && { probe: address }),
  }
}

function chooseAddress(exchange: Exchange): Ipv4 | undefined {
  const { state, subnet, key, arrival, packet, reservation } = exchange
  if (reservation) {
    return state.leases.isFree(reservation.address, key, arrival.time) ? reservation.address : undefined
  }
  const last = state.leases.of(key, subnet.config.name)?.address
  if (last !== undefined && mayUse(exchange, last)) return last
  const wish = decodeAddress(packet.options.get(option.requestedAddress))
  if (wish !== undefined && mayUse(exchange, wish)) return wish
  return state.leases.findFree(subnet, key, { now: arrival.time, isKept: (address) => isKept(exchange, address) })
}

/** Whether the client may have this very address: its reservation, or a free one of the pool. */
function mayUse(exchange: Exchange, address: Ipv4): boolean {
  const { state, subnet, key, arrival, reservation } = exchange
  const isAllowed = reservation ? address === reservation.address : poolHas(subnet, address) && !isKept(exchange, address)
  return isAllowed && state.leases.isFree(address, key, arrival.time)
}

/** Addresses within a pool that are not the pool's to give. */
function isKept({ subnet, arrival }: Exchange, address: Ipv4): boolean {
  const { gateway, dns } = subnet.config
  if (address === arrival.localAddress || address === gateway || dns.includes(address)) return true
  if (subnet.block.prefix < 31 && (address === formatIpv4(subnet.block.network) || address === formatIpv4(subnet.block.broadcast))) return true
  return reservationIndex(subnet).byAddress.has(address)
}

/** The four kinds of REQUEST are told apart by what they carry (RFC 2131 §4.3.2, table 4). */
function request(exchange: Exchange): DhcpOutcome {
  const { state, packet, arrival, subnet, key, serverId } = exchange
  const server = decodeAddress(packet.options.get(option.serverId))
  const requested = decodeAddress(packet.options.get(option.requestedAddress))
  if (server !== undefined && server !== serverId && server !== arrival.localAddress) return choseOther(exchange, server)

  const address = packet.ciaddr === anyAddress ? requested : packet.ciaddr
  if (address === undefined) return silence(exchange, 'REQUEST names no address')
  if (mayUse(exchange, address)) {
    const held = state.leases.at(address)
    const isSelecting = server !== undefined
    if (held?.client === key || isSelecting || isAuthoritative(subnet)) return bind(exchange, address)
    return silence(exchange, `no record of ${address}`)
  }
  // Another server may know better, unless we are the only one or the client asked us.
  if (server === undefined && blockHas(subnet.block, address) && !isAuthoritative(subnet)) {
    return silence(exchange, `no record of ${address}`)
  }
  return refuse(exchange, address)
}

function isAuthoritative({ config }: PreparedSubnet): boolean {
  return config.authoritative ?? true
}

function bind(exchange: Exchange, address: Ipv4): DhcpOutcome {
  const { state, subnet, key, arrival } = exchange
  const outcome = grant(exchange, 'ack', address)
  const left = state.leases
    .allOf(key, subnet.config.name)
    .filter((each) => each.address !== address && each.state === 'bound' && each.expires > arrival.time)
    .map((each) => ({ ...each, state: 'released', expires: arrival.time }) as const)
  return { ...outcome, changes: [...left, lease(exchange, address, 'bound', arrival.time + leaseSeconds(exchange) * 1000)] }
}

/** The client took another server's offer: ours is free again, and we know of the other server. */
function choseOther(exchange: Exchange, server: Ipv4): DhcpOutcome {
  const { state, key, subnet, arrival } = exchange
  const offered = state.leases.of(key, subnet.config.name)
  return {
    changes: offered?.state === 'offered' ? [{ ...offered, expires: arrival.time }] : [],
    events: [{ type: 'boot.dhcp.foreign', interface: arrival.interface, server }],
  }
}

function refuse(exchange: Exchange, address: Ipv4): DhcpOutcome {
  const { packet, client, arrival, serverId, subnet, reservation } = exchange
  const reason = !blockHas(subnet.block, address)
    ? `${address} is not in ${subnet.config.cidr}`
    : reservation && reservation.address !== address
      ? `${reservation.address} is reserved for this machine`
      : `${address} is not this machine's to use`
  // In a NAK everything but type, server, message and identities must be missing (RFC 2131 table 3).
  const asked = { ...packet, ciaddr: anyAddress }
  return {
    reply: buildReply(asked, client, { type: 'nak', serverId, address: anyAddress, message: reason }),
    changes: [],
    events: [{ type: 'boot.dhcp.nak', mac: client.mac, interface: arrival.interface, address, reason }],
  }
}

function decline(exchange: Exchange): DhcpOutcome {
  const { state, packet, arrival, client, key, serverId, reservation } = exchange
  const server = decodeAddress(packet.options.get(option.serverId))
  const address = decodeAddress(packet.options.get(option.requestedAddress))
  if (server !== undefined && server !== serverId && server !== arrival.localAddress) return { changes: [], events: [] }
  const held = address === undefined ? undefined : state.leases.at(address)
  // Only who holds it may say so: else anybody could empty the pool.
  if (address === undefined || held?.client !== key) return silence(exchange, `declines ${address ?? 'nothing'}, not its own`)
  const until = arrival.time + (reservation?.address === address ? quarantineMs.reserved : quarantineMs.pool)
  return {
    changes: [lease(exchange, address, 'declined', until)],
    events: [{ type: 'boot.dhcp.declined', mac: client.mac, interface: arrival.interface, address, until }],
  }
}

function release(exchange: Exchange): DhcpOutcome {
  const { state, packet, arrival, client, key } = exchange
  const held = state.leases.at(packet.ciaddr)
  if (held?.client !== key || held.state !== 'bound') return silence(exchange, `releases ${packet.ciaddr}, not its own`)
  return {
    changes: [{ ...held, state: 'released', expires: arrival.time }],
    events: [{ type: 'boot.dhcp.released', mac: client.mac, interface: arrival.interface, address: packet.ciaddr }],
  }
}

/** RFC 2131 §4.3.5: settings only, no address, no times. */
function inform(exchange: Exchange): DhcpOutcome {
  const { packet } = exchange
  if (packet.ciaddr === anyAddress) return silence(exchange, 'INFORM without an address')
  return grant(exchange, 'ack', anyAddress)
}

/** Builds OFFER and ACK. `address` is `0.0.0.0` for INFORM. */
function grant(exchange: Exchange, type: 'offer' | 'ack', address: Ipv4): DhcpOutcome {
  const { state, packet, client, subnet, arrival, serverId, reservation } = exchange
  const isLease = address !== anyAddress
  const seconds = isLease ? leaseSeconds(exchange) : undefined
  const events: BootEvent[] = []
  const asking = bootClient(client, isLease ? address : packet.ciaddr)
  const file = chooseBootFile(client, { ...state.boot, address: arrival.localAddress })
  const answer = asking && askBooter(state.booter, asking, (event) => events.push(event))
  const content: ReplyContent = {
    type,
    serverId,
    address,
    subnet,
    ...(seconds !== undefined && { seconds }),
    ...(reservation?.hostname !== undefined && { hostname: reservation.hostname }),
    ...(file !== undefined && { boot: { file, server: arrival.localAddress } }),
  }
  const name = hostname(exchange)
  events.push({
    type: `boot.dhcp.${type}`,
    mac: client.mac,
    interface: arrival.interface,
    address: isLease ? address : '',
    subnet: subnet.config.name,
    seconds: seconds ?? 0,
    ...(name !== undefined && { hostname: name }),
    ...(client.netboot &&
      answer && { boot: { architecture: client.netboot.architecture, file: file ?? '', answer: answer.kind } }),
  })
  return { reply: buildReply(packet, client, content), changes: [], events }
}

/** Short for firmware, so that a machine that boots something else soon frees it; never longer than was asked for. */
function leaseSeconds({ client, subnet, packet }: Exchange): number {
  const { boot, host } = subnet.config.leaseSeconds
  const asked = decodeUint32(packet.options.get(option.leaseSeconds)) ?? Infinity
  return Math.min(client.netboot ? boot : host, Math.max(asked, shortestLease))
}

function lease(exchange: Exchange, address: Ipv4, state: Lease['state'], expires: number): Lease {
  const name = hostname(exchange)
  return { address, subnet: exchange.subnet.config.name, client: exchange.key, state, expires, ...(name !== undefined && { hostname: name }) }
}

function hostname({ packet, reservation }: Exchange): string | undefined {
  return reservation?.hostname ?? (decodeText(packet.options.get(option.hostname)) || undefined)
}

function silence({ client, arrival }: Exchange, reason: string): DhcpOutcome {
  return { changes: [], events: [{ type: 'boot.dhcp.ignored', mac: client.mac, interface: arrival.interface, reason }] }
}
