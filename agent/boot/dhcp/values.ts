import { ipv4Number, parseCidr, formatIpv4, type Ipv4 } from '../ipv4.ts'
import { option } from './option.ts'

/** Writes one byte. */
export function encodeByte(value: number): Buffer {
  return Buffer.from([value])
}

/** Writes an unsigned 16-bit number, such as the MTU (26). */
export function encodeUint16(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeUInt16BE(value)
  return bytes
}

/** Writes an unsigned 32-bit number, such as a lease in seconds (51). */
export function encodeUint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

/** Writes a list of addresses, such as routers (3), DNS (6) or NTP servers (42). */
export function encodeAddresses(...addresses: readonly Ipv4[]): Buffer {
  return Buffer.concat(addresses.map((address) => encodeUint32(ipv4Number(address))))
}

/** Reads an option that is one address (50, 54); undefined if it is missing or has another length. */
export function decodeAddress(value: Buffer | undefined): Ipv4 | undefined {
  return value?.length === 4 ? formatIpv4(value.readUInt32BE(0)) : undefined
}

/** Reads an option that is one unsigned 32-bit number (51). */
export function decodeUint32(value: Buffer | undefined): number | undefined {
  return value?.length === 4 ? value.readUInt32BE(0) : undefined
}

/** Reads a list of unsigned 16-bit numbers (93); an odd last byte is dropped. */
export function decodeUint16List(value: Buffer | undefined): readonly number[] {
  if (!value) return []
  return Array.from({ length: value.length >> 1 }, (_, at) => value.readUInt16BE(at * 2))
}

/** Reads text; clients differ on whether it ends with a NUL. Not printable ASCII: `?`. */
export function decodeText(value: Buffer | undefined): string | undefined {
  return value?.toString('latin1').replace(/\0+$/, '').replace(/[^\x20-\x7e]/g, '?')
}

/**
 * Reads the user class (77): iPXE sends bare text, RFC 3004 has each class follow its length. The first class counts.
 */
export function decodeUserClass(value: Buffer | undefined): string | undefined {
  if (!value || value.length === 0) return undefined
  const length = value[0]!
  const isList = length > 0 && length < value.length && isClassList(value)
  return decodeText(isList ? value.subarray(1, 1 + length) : value)
}

function isClassList(value: Buffer): boolean {
  let at = 0
  while (at < value.length) at += 1 + value[at]!
  return at === value.length
}

/**
 * Reads sub-options: vendor information (43), relay agent (82) and iPXE (175) share the form. Stops at the first one
 * that does not fit.
 */
export function decodeSubOptions(value: Buffer | undefined): ReadonlyMap<number, Buffer> {
  const found = new Map<number, Buffer>()
  let at = 0
  while (value && at < value.length) {
    const code = value[at]!
    if (code === option.end) break
    const length = value[at + 1]
    if (code === option.pad) {
      at += 1
    } else if (length === undefined || at + 2 + length > value.length) {
      break
    } else {
      found.set(code, value.subarray(at + 2, at + 2 + length))
      at += 2 + length
    }
  }
  return found
}

/**
 * Writes sub-options.
 *
 * @param values each up to 255 bytes.
 */
export function encodeSubOptions(values: Iterable<readonly [code: number, value: Buffer]>): Buffer {
  return Buffer.concat(Array.from(values, ([code, value]) => Buffer.concat([Buffer.from([code, value.length]), value])))
}

/**
 * Writes the domain search list (119, RFC 3397), with the compression of RFC 1035 §4.1.4.
 *
 * @param domains names of labels of up to 63 bytes each, with or without a final dot.
 */
export function encodeDomainSearch(domains: readonly string[]): Buffer {
  const bytes: number[] = []
  const seen = new Map<string, number>()
  for (const domain of domains) {
    let labels = domain.toLowerCase().split('.').filter((label) => label !== '')
    for (;;) {
      const suffix = labels.join('.')
      const [label, ...rest] = labels
      if (label === undefined) {
        bytes.push(0)
        break
      }
      const pointer = seen.get(suffix)
      if (pointer !== undefined) {
        bytes.push(0xc0 | (pointer >> 8), pointer & 0xff)
        break
      }
      if (bytes.length < 0x4000) seen.set(suffix, bytes.length)
      bytes.push(Math.min(63, label.length), ...Buffer.from(label.slice(0, 63), 'latin1'))
      labels = rest
    }
  }
  return Buffer.from(bytes)
}

/** Reads the domain search list (119); undefined if it is cut off or its pointers do not lead backwards. */
export function decodeDomainSearch(value: Buffer): readonly string[] | undefined {
  const domains: string[] = []
  let at = 0
  while (at < value.length) {
    const read = readDomain(value, at)
    if (!read) return undefined
    domains.push(read.domain)
    at = read.next
  }
  return domains
}

function readDomain(value: Buffer, start: number): { domain: string; next: number } | undefined {
  const labels: string[] = []
  let at = start
  // Every pointer must lead before the last one's target: this is what ends the loop.
  let limit = start
  let next: number | undefined
  for (;;) {
    const length = value[at]
    if (length === undefined) return undefined
    if (length === 0) return { domain: labels.join('.'), next: next ?? at + 1 }
    if (length >= 0xc0) {
      const low = value[at + 1]
      if (low === undefined) return undefined
      const target = ((length & 0x3f) << 8) | low
      if (target >= limit) return undefined
      limit = target
      next ??= at + 2
      at = target
    } else {
      if (length > 63 || at + 1 + length > value.length) return undefined
      labels.push(value.toString('latin1', at + 1, at + 1 + length))
      at += 1 + length
    }
  }
}

/** A route for option 121. */
export interface ClasslessRoute {
  /** `0.0.0.0/0` is the default route. */
  readonly destination: string
  readonly router: Ipv4
}

/** Writes classless static routes (121, RFC 3442): only the bytes of the destination that its prefix covers. */
export function encodeClasslessRoutes(routes: readonly ClasslessRoute[]): Buffer {
  return Buffer.concat(
    routes.map(({ destination, router }) => {
      const { network, prefix } = parseCidr(destination)
      return Buffer.concat([
        encodeByte(prefix),
        encodeUint32(network).subarray(0, Math.ceil(prefix / 8)),
        encodeUint32(ipv4Number(router)),
      ])
    }),
  )
}

/** Reads classless static routes (121); undefined if the value is cut off or a prefix is longer than 32. */
export function decodeClasslessRoutes(value: Buffer): readonly ClasslessRoute[] | undefined {
  const routes: ClasslessRoute[] = []
  let at = 0
  while (at < value.length) {
    const prefix = value[at]!
    const significant = Math.ceil(prefix / 8)
    if (prefix > 32 || at + 1 + significant + 4 > value.length) return undefined
    const network = Buffer.alloc(4)
    value.copy(network, 0, at + 1, at + 1 + significant)
    const router = formatIpv4(value.readUInt32BE(at + 1 + significant))
    routes.push({ destination: `${formatIpv4(network.readUInt32BE(0))}/${prefix}`, router })
    at += 1 + significant + 4
  }
  return routes
}
