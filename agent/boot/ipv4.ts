/** An IPv4 address as text, in the only form this project writes: four decimal numbers without leading zeros. */
export type Ipv4 = string

/** No address; in DHCP, "I have none" (RFC 2131). */
export const anyAddress: Ipv4 = '0.0.0.0'

/** Every host on this link, and no router beyond it. */
export const broadcastAddress: Ipv4 = '255.255.255.255'

/** Reads an address as an unsigned 32-bit number, or undefined if `text` is no address in canonical form. */
export function parseIpv4(text: string): number | undefined {
  const parts = text.split('.')
  if (parts.length !== 4) return undefined
  let value = 0
  for (const part of parts) {
    if (!/^(0|[1-9][0-9]{0,2})$/.test(part) || Number(part) > 255) return undefined
    value = value * 256 + Number(part)
  }
  return value
}

/** Writes an unsigned 32-bit number as an address. */
export function formatIpv4(value: number): Ipv4 {
  return `${value >>> 24}.${(value >>> 16) & 255}.${(value >>> 8) & 255}.${value & 255}`
}

/**
 * Reads an address that the site has already been checked for.
 *
 * @throws {RangeError} if `text` is not an address: a bug in the caller, not in the site.
 */
export function ipv4Number(text: Ipv4): number {
  const value = parseIpv4(text)
  if (value === undefined) throw new RangeError(`not an IPv4 address: ${text}`)
  return value
}

/** A block of addresses. */
export interface Ipv4Block {
  /** First address of the block, as a number. */
  readonly network: number
  /** Length of the prefix, 0 to 32. */
  readonly prefix: number
  /** Netmask, as a number. */
  readonly mask: number
  /** Last address of the block, as a number. */
  readonly broadcast: number
}

/**
 * Reads `192.168.124.0/24`. Bits right of the prefix are dropped.
 *
 * @throws {RangeError} if `cidr` is anything else.
 */
export function parseCidr(cidr: string): Ipv4Block {
  const [address = '', length = '', ...rest] = cidr.split('/')
  const value = parseIpv4(address)
  if (value === undefined || rest.length > 0 || !/^([0-9]|[12][0-9]|3[0-2])$/.test(length)) {
    throw new RangeError(`not an IPv4 block: ${cidr}`)
  }
  const prefix = Number(length)
  const mask = prefix === 0 ? 0 : (0xffffffff << (32 - prefix)) >>> 0
  const network = (value & mask) >>> 0
  return { network, prefix, mask, broadcast: (network | ~mask) >>> 0 }
}

/** Whether `address` lies in `block`; false for text that is no address. */
export function blockHas(block: Ipv4Block, address: Ipv4): boolean {
  const value = parseIpv4(address)
  return value !== undefined && value >= block.network && value <= block.broadcast
}
