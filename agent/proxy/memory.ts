import type { ObjectHash } from '../stage/object-hash.ts'

/** Objects of at most so many bytes are kept in memory. */
export const LARGEST_REMEMBERED = 1024 * 1024

/** Small objects that were asked for of late. The least recently used goes first. */
export class Memory {
  readonly #limit: number
  readonly #largest: number
  readonly #objects = new Map<ObjectHash, Buffer>()
  #bytes = 0

  /** @param limit bytes, at most. @param largest of one object. */
  constructor(limit: number, largest = LARGEST_REMEMBERED) {
    this.#limit = limit
    this.#largest = largest
  }

  get(hash: ObjectHash): Buffer | undefined {
    const found = this.#objects.get(hash)
    if (found === undefined) return undefined
    this.#objects.delete(hash)
    this.#objects.set(hash, found)
    return found
  }

  add(hash: ObjectHash, bytes: Buffer): void {
    if (bytes.length > this.#largest || this.#objects.has(hash)) return
    this.#objects.set(hash, bytes)
    this.#bytes += bytes.length
    for (const [old, content] of this.#objects) {
      if (this.#bytes <= this.#limit) break
      this.#objects.delete(old)
      this.#bytes -= content.length
    }
  }
}
