import { createHash } from 'node:crypto'
import type { ObjectHash } from '../../stage/object-hash.ts'

/** What a signed index says of a file below the repository's root. */
export interface IndexedFile {
  readonly hash: ObjectHash
  readonly bytes: number
}

/** Path → hash and size of every file of an index, in 56 bytes a file: a distribution has some sixty thousand. */
export interface PackageTable {
  find(path: string): IndexedFile | undefined
  readonly size: number
  /** How it is kept; see readPackageTable. */
  readonly bytes: Buffer
}

const KEY = 16
const DIGEST = 32
const RECORD = KEY + DIGEST + 8
const MAGIC = Buffer.from('CROWTAB1')

/** Collects files in any order. Of two with one path, the first counts, as for apt. */
export class TableBuilder {
  #buffer = Buffer.allocUnsafeSlow(RECORD * 1024)
  #size = 0

  /** @param path each byte as one character, as an index is read. */
  add(path: string, hex: string, bytes: number): void {
    if ((this.#size + 1) * RECORD > this.#buffer.length) {
      const larger = Buffer.allocUnsafeSlow(this.#buffer.length * 2)
      this.#buffer.copy(larger)
      this.#buffer = larger
    }
    const at = this.#size * RECORD
    keyOf(path, 'latin1').copy(this.#buffer, at, 0, KEY)
    this.#buffer.write(hex, at + KEY, DIGEST, 'hex')
    this.#buffer.writeBigUInt64BE(BigInt(bytes), at + KEY + DIGEST)
    this.#size += 1
  }

  build(): PackageTable {
    const all = this.#buffer
    const inOrder = Uint32Array.from({ length: this.#size }, (_, index) => index * RECORD)
    // Of two with one key the first stays the first.
    inOrder.sort((a, b) => all.compare(all, b, b + KEY, a, a + KEY) || a - b)
    const sorted = Buffer.allocUnsafeSlow(MAGIC.length + this.#size * RECORD)
    MAGIC.copy(sorted)
    for (const [index, at] of inOrder.entries()) all.copy(sorted, MAGIC.length + index * RECORD, at, at + RECORD)
    return readPackageTable(sorted)
  }
}

/** @throws {TypeError} when these bytes are no table. */
export function readPackageTable(bytes: Buffer): PackageTable {
  const size = (bytes.length - MAGIC.length) / RECORD
  if (!Number.isInteger(size) || bytes.compare(MAGIC, 0, MAGIC.length, 0, MAGIC.length) !== 0) throw new TypeError('not a table of packages')
  return {
    size, bytes,
    find(path) {
      const key = keyOf(path, 'utf8')
      let [low, high] = [0, size]
      while (low < high) {
        const middle = (low + high) >>> 1
        const at = MAGIC.length + middle * RECORD
        if (bytes.compare(key, 0, KEY, at, at + KEY) < 0) low = middle + 1
        else high = middle
      }
      const at = MAGIC.length + low * RECORD
      if (low === size || bytes.compare(key, 0, KEY, at, at + KEY) !== 0) return undefined
      return { hash: `sha256:${bytes.toString('hex', at + KEY, at + KEY + DIGEST)}`, bytes: Number(bytes.readBigUInt64BE(at + KEY + DIGEST)) }
    },
  }
}

/** Paths are bytes. */
function keyOf(path: string, encoding: 'latin1' | 'utf8'): Buffer {
  return createHash('sha256').update(path, encoding).digest()
}
