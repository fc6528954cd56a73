/** What a client wants to read or write. */
export interface TftpRequest {
  readonly path: string
  /** Lower case: `octet`, `netascii`, `mail`. */
  readonly mode: string
  readonly options: ReadonlyMap<string, string>
}

/** What a TFTP message says (RFC 1350 §5, RFC 2347). Of options the names are lower case, the order is the client's. */
export type TftpPacket =
  | (TftpRequest & { readonly kind: 'read' })
  | (TftpRequest & { readonly kind: 'write' })
  /** `block`: number on the wire, 0 to 65535. */
  | { readonly kind: 'data'; readonly block: number; readonly data: Buffer }
  | { readonly kind: 'ack'; readonly block: number }
  | { readonly kind: 'error'; readonly code: number; readonly message: string }
  | { readonly kind: 'options'; readonly options: ReadonlyMap<string, string> }

/** Error codes (RFC 1350 appendix, RFC 2347). */
export const tftpError = {
  undefined: 0,
  notFound: 1,
  accessViolation: 2,
  illegalOperation: 4,
  unknownTransfer: 5,
  optionNegotiation: 8,
} as const

const opcode = { read: 1, write: 2, data: 3, ack: 4, error: 5, options: 6 } as const

/** Bytes of a request that are looked at; RFC 2347 §2 allows no more than 512. */
const longestRequest = 1024

/** Reads a TFTP message; undefined if it is none. Never throws. */
export function parseTftpPacket(bytes: Buffer): TftpPacket | undefined {
  if (bytes.length < 2) return undefined
  const code = bytes.readUInt16BE(0)
  switch (code) {
    case opcode.read:
    case opcode.write: {
      const words = readWords(bytes)
      const [path, mode, ...rest] = words ?? []
      if (path === undefined || mode === undefined) return undefined
      return { kind: code === opcode.read ? 'read' : 'write', path, mode: mode.toLowerCase(), options: pairs(rest) }
    }
    case opcode.data:
      return bytes.length < 4 ? undefined : { kind: 'data', block: bytes.readUInt16BE(2), data: bytes.subarray(4) }
    case opcode.ack:
      return bytes.length < 4 ? undefined : { kind: 'ack', block: bytes.readUInt16BE(2) }
    case opcode.error: {
      if (bytes.length < 4) return undefined
      const end = bytes.indexOf(0, 4)
      const message = bytes.toString('latin1', 4, end === -1 ? bytes.length : end)
      return { kind: 'error', code: bytes.readUInt16BE(2), message: message.replace(/[^\x20-\x7e]/g, '?').slice(0, 200) }
    }
    case opcode.options: {
      const words = readWords(bytes)
      return words && { kind: 'options', options: pairs(words) }
    }
    default:
      return undefined
  }
}

/** Texts that each end with NUL, from byte 2; undefined if the last one does not, or there is too much. */
function readWords(bytes: Buffer): readonly string[] | undefined {
  if (bytes.length === 2) return []
  if (bytes.length > longestRequest || bytes[bytes.length - 1] !== 0) return undefined
  return bytes.toString('latin1', 2, bytes.length - 1).split('\0')
}

/** Option names do not heed case; the first of two alike counts. A name without a value is dropped. */
function pairs(words: readonly string[]): ReadonlyMap<string, string> {
  const found = new Map<string, string>()
  for (let at = 0; at + 1 < words.length; at += 2) {
    const name = words[at]!.toLowerCase()
    if (!found.has(name)) found.set(name, words[at + 1]!)
  }
  return found
}

/**
 * Writes a DATA message.
 *
 * @param block any whole number; its low 16 bits go on the wire.
 */
export function encodeData(block: number, data: Buffer): Buffer {
  const bytes = Buffer.allocUnsafe(4 + data.length)
  bytes.writeUInt16BE(opcode.data, 0)
  bytes.writeUInt16BE(block & 0xffff, 2)
  data.copy(bytes, 4)
  return bytes
}

/** Writes an ACK message. */
export function encodeAck(block: number): Buffer {
  return Buffer.from([0, opcode.ack, (block >> 8) & 255, block & 255])
}

/** Writes an ERROR message. */
export function encodeError(code: number, message: string): Buffer {
  return Buffer.from(`\0${String.fromCharCode(opcode.error)}\0${String.fromCharCode(code)}${message}\0`, 'latin1')
}

/** Writes an option acknowledgement (OACK). */
export function encodeOptions(options: ReadonlyMap<string, string>): Buffer {
  const words = Array.from(options, ([name, value]) => `${name}\0${value}\0`)
  return Buffer.from(`\0${String.fromCharCode(opcode.options)}${words.join('')}`, 'latin1')
}

/** Writes a read or write request; for clients, so for tests. */
export function encodeRequest(packet: TftpRequest & { readonly kind: 'read' | 'write' }): Buffer {
  const words = [packet.path, packet.mode, ...Array.from(packet.options).flat()]
  return Buffer.from(`\0${String.fromCharCode(opcode[packet.kind])}${words.map((word) => `${word}\0`).join('')}`, 'latin1')
}
