const BLOCK = 512
const LARGEST_OCTAL = 8 ** 11 - 1

/** An entry as it is written: owner root, time zero. */
export interface TarHeader {
  /** Relative, without `./`; at most 255 bytes that can be cut at a slash as ustar wants it. */
  readonly name: string
  readonly kind: 'file' | 'link'
  readonly bytes: number
  readonly executable?: boolean
  /** Target of a link. */
  readonly target?: string
}

/**
 * The block before an entry: POSIX.1-1988 ustar, the size of what has 8 GiB or more in base 256 as GNU tar writes it.
 *
 * @throws {RangeError} for a name that does not fit.
 */
export function tarHeader({ name, kind, bytes, executable = false, target = '' }: TarHeader): Buffer {
  const block = Buffer.alloc(BLOCK)
  const [prefix, rest] = split(name)
  if (Buffer.byteLength(target) > 100) throw new RangeError(`a link in a tar archive leads to at most 100 bytes: ${target}`)
  const octal = (value: number, digits: number): string => `${value.toString(8).padStart(digits, '0')}\0`
  block.write(rest, 0)
  block.write(octal(kind === 'link' ? 0o777 : executable ? 0o755 : 0o644, 7) + octal(0, 7) + octal(0, 7), 100)
  if (bytes <= LARGEST_OCTAL) block.write(octal(bytes, 11), 124)
  else {
    block[124] = 0x80
    block.writeBigUInt64BE(BigInt(bytes), 128)
  }
  block.write(octal(0, 11), 136)
  block.write('        ', 148)
  block.write(kind === 'link' ? '2' : '0', 156)
  block.write(target, 157)
  block.write('ustar\u000000', 257)
  block.write('root', 265)
  block.write('root', 297)
  block.write(prefix, 345)
  block.write(`${block.reduce((sum, byte) => sum + byte, 0).toString(8).padStart(6, '0')}\0 `, 148)
  return block
}

/** Zeros up to the next block. */
export function tarPadding(bytes: number): Buffer {
  return Buffer.alloc((BLOCK - (bytes % BLOCK)) % BLOCK)
}

/** The end of an archive. */
export function tarEnd(): Buffer {
  return Buffer.alloc(2 * BLOCK)
}

/** Bytes that an entry takes in an archive. */
export function tarBytes(bytes: number): number {
  return BLOCK + bytes + (BLOCK - (bytes % BLOCK)) % BLOCK
}

function split(name: string): readonly [string, string] {
  if (Buffer.byteLength(name) <= 100) return ['', name]
  for (let at = name.indexOf('/'); at > 0; at = name.indexOf('/', at + 1)) {
    const [prefix, rest] = [name.slice(0, at), name.slice(at + 1)]
    if (Buffer.byteLength(prefix) <= 155 && Buffer.byteLength(rest) <= 100) return [prefix, rest]
  }
  throw new RangeError(`a path is too long for a tar archive: ${name}`)
}
