import { blockHas, ipv4Number, parseCidr, type Ipv4, type Ipv4Block } from '../ipv4.ts'
import type { ClasslessRoute } from './values.ts'

/** Addresses from `from` to `to`, both included. */
export interface AddressRange {
  readonly from: Ipv4
  readonly to: Ipv4
}

/** An address kept for one machine, known by any of three identities. */
export interface Reservation {
  readonly address: Ipv4
  /** Lower case, colons. */
  readonly mac?: string
  /** System UUID, lower case with hyphens; matched in both byte orders that firmware sends. */
  readonly uuid?: string
  /** Client identifier (option 61), hexadecimal, lower case. */
  readonly clientId?: string
  /** Told to the machine as option 12. */
  readonly hostname?: string
}

/** One subnet that DHCP serves: on the interface's own link, or behind a relay. */
export interface DhcpSubnet {
  /** Name for events and leases; unique within an agent. */
  readonly name: string
  /** `192.168.124.0/24` */
  readonly cidr: string
  /** Addresses for whoever has no reservation; none: reservations only. 65,536 addresses at most in all. */
  readonly pools: readonly AddressRange[]
  /**
   * Asked for each packet: return the same array until something changes, and a new one then. That is all a change of
   * reservations takes.
   */
  readonly reservations: () => readonly Reservation[]
  readonly gateway?: Ipv4
  readonly dns: readonly Ipv4[]
  readonly ntp?: readonly Ipv4[]
  readonly domain?: string
  readonly search?: readonly string[]
  readonly mtu?: number
  /** Besides the default route through `gateway`. */
  readonly routes?: readonly ClasslessRoute[]
  /** Leases, seconds: for firmware that boots from the network (30 to 120), and for operating systems. */
  readonly leaseSeconds: { readonly boot: number; readonly host: number }
  /** Refuse addresses we know nothing of (RFC 2131 §4.3.2), because no other server owns this subnet. Default true. */
  readonly authoritative?: boolean
}

/** Reservations by each identity; see {@link reservationIndex}. */
export interface ReservationIndex {
  readonly byMac: ReadonlyMap<string, Reservation>
  readonly byUuid: ReadonlyMap<string, Reservation>
  readonly byClientId: ReadonlyMap<string, Reservation>
  readonly byAddress: ReadonlyMap<Ipv4, Reservation>
}

/** A subnet with what is worked out once. */
export interface PreparedSubnet {
  readonly config: DhcpSubnet
  readonly block: Ipv4Block
  /** Inclusive numeric bounds. */
  readonly pools: readonly { readonly from: number; readonly to: number }[]
  readonly poolSize: number
}

/**
 * Checks a subnet and works out what every packet needs.
 *
 * @throws {RangeError} if an address is malformed, or a pool leaves the subnet, runs backwards or is too large.
 */
export function prepareSubnet(config: DhcpSubnet): PreparedSubnet {
  const block = parseCidr(config.cidr)
  const pools = config.pools.map((pool) => {
    const range = { from: ipv4Number(pool.from), to: ipv4Number(pool.to) }
    const inside = blockHas(block, pool.from) && blockHas(block, pool.to)
    if (!inside || range.from > range.to) throw new RangeError(`pool ${pool.from}-${pool.to} does not fit ${config.cidr}`)
    return range
  })
  const poolSize = pools.reduce((sum, { from, to }) => sum + to - from + 1, 0)
  if (poolSize > 65_536) throw new RangeError(`pools of ${config.name} hold ${poolSize} addresses; 65536 at most`)
  return { config, block, pools, poolSize }
}

/** Whether an address may be handed out from a pool of this subnet. */
export function poolHas(subnet: PreparedSubnet, address: Ipv4): boolean {
  if (!blockHas(subnet.block, address)) return false
  const value = ipv4Number(address)
  return subnet.pools.some(({ from, to }) => value >= from && value <= to)
}

const indexes = new WeakMap<readonly Reservation[], ReservationIndex>()

/** The reservations of a subnet by identity, built once per array. Of two with one identity the first counts. */
export function reservationIndex(subnet: PreparedSubnet): ReservationIndex {
  const reservations = subnet.config.reservations()
  const known = indexes.get(reservations)
  if (known) return known
  const index = {
    byMac: firstBy(reservations, ({ mac }) => mac),
    byUuid: firstBy(reservations, ({ uuid }) => uuid),
    byClientId: firstBy(reservations, ({ clientId }) => clientId),
    byAddress: firstBy(reservations, ({ address }) => address),
  }
  indexes.set(reservations, index)
  return index
}

function firstBy(
  reservations: readonly Reservation[],
  key: (reservation: Reservation) => string | undefined,
): ReadonlyMap<string, Reservation> {
  const found = new Map<string, Reservation>()
  for (const reservation of reservations) {
    const name = key(reservation)
    if (name !== undefined && !found.has(name)) found.set(name, reservation)
  }
  return found
}
