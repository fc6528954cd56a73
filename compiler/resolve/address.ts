import ipaddr from 'ipaddr.js'

/** An IP address as a number, so that ranges are plain intervals. */
export interface Address {
  readonly version: 4 | 6
  readonly value: bigint
}

/** A contiguous, inclusive interval of addresses of one version. */
export interface AddressRange {
  readonly first: Address
  readonly last: Address
}

/** A parsed `a.b.c.d/n`: the whole interval, network and broadcast address included. */
export interface Cidr extends AddressRange {
  readonly version: 4 | 6
  readonly prefix: number
}

/** What to write instead of something that is no address. */
export const ADDRESS_FORM = 'Write four numbers from 0 to 255 such as 192.168.124.10, or an IPv6 address.'

/** Reads an address; four decimal parts (RFC 6943 §3.1.1) or IPv6 (RFC 4291 §2.2) without a zone; undefined for all else. */
export function parseAddress(text: string): Address | undefined {
  if (ipaddr.IPv4.isValidFourPartDecimal(text)) return { version: 4, value: fromBytes(ipaddr.IPv4.parse(text).toByteArray()) }
  if (text.includes(':') && !text.includes('%') && ipaddr.IPv6.isValid(text)) return { version: 6, value: fromBytes(ipaddr.IPv6.parse(text).toByteArray()) }
  return undefined
}

/** The canonical text of an address: dotted decimal, or RFC 5952. */
export function formatAddress(address: Address): string {
  const { value } = address
  if (address.version === 4) return [24n, 16n, 8n, 0n].map((shift) => String((value >> shift) & 255n)).join('.')
  const bytes: number[] = []
  for (let shift = 120n; shift >= 0n; shift -= 8n) bytes.push(Number((value >> shift) & 255n))
  return new ipaddr.IPv6(bytes).toRFC5952String()
}

/** Reads `address/prefix`. Host bits are refused: undefined, as for everything that is not a subnet. */
export function parseCidr(text: string): Cidr | undefined {
  const slash = text.indexOf('/')
  const address = parseAddress(text.slice(0, slash))
  const prefix = Number(text.slice(slash + 1))
  if (slash < 0 || address === undefined) return undefined
  const bits = address.version === 4 ? 32 : 128
  if (!Number.isInteger(prefix) || prefix < 0 || prefix > bits) return undefined
  const size = 1n << BigInt(bits - prefix)
  if (address.value % size !== 0n) return undefined
  return { version: address.version, prefix, first: address, last: { version: address.version, value: address.value + size - 1n } }
}

/** Reads `first-last`, inclusive; undefined when it is none, runs backwards or mixes versions. */
export function parseRange(text: string): AddressRange | undefined {
  const dash = text.indexOf('-')
  const first = parseAddress(text.slice(0, dash))
  const last = parseAddress(text.slice(dash + 1))
  if (dash < 0 || first === undefined || last === undefined) return undefined
  return first.version === last.version && first.value <= last.value ? { first, last } : undefined
}

export function contains(range: AddressRange, address: Address): boolean {
  return range.first.version === address.version && range.first.value <= address.value && address.value <= range.last.value
}

export function overlaps(a: AddressRange, b: AddressRange): boolean {
  return a.first.version === b.first.version && a.first.value <= b.last.value && b.first.value <= a.last.value
}

/** `first-last`, as documents write it. */
export function rangeText({ first, last }: AddressRange): string {
  return `${formatAddress(first)}-${formatAddress(last)}`
}

function fromBytes(bytes: readonly number[]): bigint {
  return bytes.reduce((value, byte) => (value << 8n) | BigInt(byte), 0n)
}
