import { anyAddress, formatIpv4, ipv4Number, type Ipv4 } from '../ipv4.ts'
import { option } from './option.ts'

/** A DHCP message (RFC 2131 §2), apart from what it means. */
export interface DhcpPacket {
  /** 1: from a client, 2: from a server. */
  readonly op: number
  /** Hardware type: 1 Ethernet, 32 InfiniBand. */
  readonly htype: number
  readonly hops: number
  /** Transaction, chosen by the client, unsigned 32-bit. */
  readonly xid: number
  /** Seconds since the client began. */
  readonly secs: number
  /** Bit 15: the client can receive broadcasts only. */
  readonly flags: number
  /** The client's address, if it has one that works. */
  readonly ciaddr: Ipv4
  /** The address that the server gives. */
  readonly yiaddr: Ipv4
  /** Next server: where the boot file is. */
  readonly siaddr: Ipv4
  /** The relay agent, or `0.0.0.0`. */
  readonly giaddr: Ipv4
  /** Hardware address: `hlen` bytes, none to sixteen. */
  readonly chaddr: Buffer
  /** Server name, Latin-1, up to 64 bytes. Empty if it held options. */
  readonly sname: string
  /** Boot file, Latin-1, up to 128 bytes. Empty if it held options. */
  readonly file: string
  /** Values by code, in the order of the message; parts of one code are joined (RFC 3396). Without 0, 52 and 255. */
  readonly options: ReadonlyMap<number, Buffer>
}

/** The bit in `flags` by which a client asks for broadcasts. */
export const broadcastFlag = 0x8000

/** Bytes before the options: the header and the magic cookie. */
const headerBytes = 240
const magicCookie = 0x63825363
/** A BOOTP message has 300 bytes at least (RFC 951); some firmware drops shorter ones. */
const smallestMessage = 300

/** A message, or why the bytes are not one. */
export type ParsedDhcp =
  | { readonly kind: 'packet'; readonly packet: DhcpPacket }
  | { readonly kind: 'malformed'; readonly reason: string }

/**
 * Reads a DHCP message. Never throws, whatever the bytes; what it returns shares memory with `bytes`.
 *
 * A missing end option is accepted: firmware forgets it. An option that reaches beyond its field is not.
 */
export function parseDhcpPacket(bytes: Buffer): ParsedDhcp {
  if (bytes.length < headerBytes) return malformed(`${bytes.length} bytes are too few`)
  if (bytes.readUInt32BE(236) !== magicCookie) return malformed('no DHCP magic cookie')
  const hlen = bytes.readUInt8(2)
  if (hlen > 16) return malformed(`hardware address of ${hlen} bytes`)

  const parts = new Map<number, Buffer[]>()
  if (!readOptions(bytes.subarray(headerBytes), parts)) return malformed('option runs over the end')
  const overload = parts.get(option.overload)?.[0]?.[0] ?? 0
  parts.delete(option.overload)
  // RFC 3396 §5: the file field is read before the server name.
  if ((overload & 1) !== 0 && !readOptions(bytes.subarray(108, 236), parts)) return malformed('option runs over file')
  if ((overload & 2) !== 0 && !readOptions(bytes.subarray(44, 108), parts)) return malformed('option runs over sname')
  parts.delete(option.overload)

  const options = new Map<number, Buffer>()
  for (const [code, values] of parts) options.set(code, values.length === 1 ? values[0]! : Buffer.concat(values))
  return {
    kind: 'packet',
    packet: {
      op: bytes.readUInt8(0),
      htype: bytes.readUInt8(1),
      hops: bytes.readUInt8(3),
      xid: bytes.readUInt32BE(4),
      secs: bytes.readUInt16BE(8),
      flags: bytes.readUInt16BE(10),
      ciaddr: formatIpv4(bytes.readUInt32BE(12)),
      yiaddr: formatIpv4(bytes.readUInt32BE(16)),
      siaddr: formatIpv4(bytes.readUInt32BE(20)),
      giaddr: formatIpv4(bytes.readUInt32BE(24)),
      chaddr: bytes.subarray(28, 28 + hlen),
      sname: (overload & 2) !== 0 ? '' : untilNul(bytes.subarray(44, 108)),
      file: (overload & 1) !== 0 ? '' : untilNul(bytes.subarray(108, 236)),
      options,
    },
  }
}

function malformed(reason: string): ParsedDhcp {
  return { kind: 'malformed', reason }
}

/** Collects the options of one field into `parts`; false if one does not fit into it. */
function readOptions(field: Buffer, parts: Map<number, Buffer[]>): boolean {
  let at = 0
  while (at < field.length) {
    const code = field[at]!
    if (code === option.end) return true
    at += 1
    if (code === option.pad) continue
    const length = field[at]
    if (length === undefined || at + 1 + length > field.length) return false
    const value = field.subarray(at + 1, at + 1 + length)
    const known = parts.get(code)
    if (known) known.push(value)
    else parts.set(code, [value])
    at += 1 + length
  }
  return true
}

function untilNul(field: Buffer): string {
  const end = field.indexOf(0)
  return field.toString('latin1', 0, end === -1 ? field.length : end)
}

/**
 * Writes a DHCP message. Options are written in their order, longer ones than 255 bytes in parts (RFC 3396), padded to
 * 300 bytes.
 *
 * @param maximumBytes size of the DHCP message, without UDP and IP headers. An option that no longer fits is left out;
 *   later, shorter ones are still written. Put first what matters most. The relay agent's option always has its room.
 * @throws {RangeError} if an address, `sname`, `file` or `chaddr` does not fit its field: a bug in the caller.
 */
export function encodeDhcpPacket(packet: DhcpPacket, maximumBytes = 1472): Buffer {
  const sname = Buffer.from(packet.sname, 'latin1')
  const file = Buffer.from(packet.file, 'latin1')
  if (sname.length > 64 || file.length > 128 || packet.chaddr.length > 16) throw new RangeError('field too long')

  const relay = packet.options.get(option.relayAgent)
  let room = maximumBytes - headerBytes - 1 - (relay ? writtenBytes(relay) : 0)
  const written: Buffer[] = []
  for (const [code, value] of packet.options) {
    if (code === option.relayAgent || writtenBytes(value) > room) continue
    room -= writtenBytes(value)
    writeOption(code, value, written)
  }
  // RFC 3046 §2.2: relays find and remove their option at the end.
  if (relay) writeOption(option.relayAgent, relay, written)
  const options = Buffer.concat(written)

  const bytes = Buffer.alloc(Math.max(smallestMessage, headerBytes + options.length + 1))
  bytes.writeUInt8(packet.op, 0)
  bytes.writeUInt8(packet.htype, 1)
  bytes.writeUInt8(packet.chaddr.length, 2)
  bytes.writeUInt8(packet.hops, 3)
  bytes.writeUInt32BE(packet.xid, 4)
  bytes.writeUInt16BE(packet.secs, 8)
  bytes.writeUInt16BE(packet.flags, 10)
  writeAddress(bytes, packet.ciaddr, 12)
  writeAddress(bytes, packet.yiaddr, 16)
  writeAddress(bytes, packet.siaddr, 20)
  writeAddress(bytes, packet.giaddr, 24)
  packet.chaddr.copy(bytes, 28)
  sname.copy(bytes, 44)
  file.copy(bytes, 108)
  bytes.writeUInt32BE(magicCookie, 236)
  options.copy(bytes, headerBytes)
  bytes.writeUInt8(option.end, headerBytes + options.length)
  return bytes
}

function writeAddress(bytes: Buffer, address: Ipv4, at: number): void {
  if (address !== anyAddress) bytes.writeUInt32BE(ipv4Number(address), at)
}

function writtenBytes(value: Buffer): number {
  return value.length + 2 * Math.max(1, Math.ceil(value.length / 255))
}

function writeOption(code: number, value: Buffer, out: Buffer[]): void {
  let at = 0
  do {
    const part = value.subarray(at, at + 255)
    out.push(Buffer.from([code, part.length]), part)
    at += 255
  } while (at < value.length)
}
