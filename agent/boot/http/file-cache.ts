import type { FileHandle } from 'node:fs/promises'

/** Larger files are streamed. */
export const mostCachedBytes = 4 * 1024 * 1024

/** Small files in memory, since a whole rack fetches the same loader and kernel at once. Least recently used goes first. */
export class FileCache {
  readonly #limit: number
  readonly #entries = new Map<string, { readonly tag: string; readonly bytes: Promise<Buffer>; readonly size: number }>()
  #size = 0

  /** @param limit bytes held, at most. */
  constructor(limit = 64 * 1024 * 1024) {
    this.#limit = limit
  }

  /**
   * The bytes of a file that is open; read once however many ask.
   *
   * @param tag changes when the file does.
   */
  async read(path: string, options: { file: FileHandle; size: number; tag: string }): Promise<Buffer> {
    const known = this.#entries.get(path)
    if (known?.tag === options.tag) {
      this.#entries.delete(path)
      this.#entries.set(path, known)
      return known.bytes
    }
    const bytes = readWhole(options.file, options.size)
    this.#forget(path)
    this.#entries.set(path, { tag: options.tag, bytes, size: options.size })
    this.#size += options.size
    for (const old of this.#entries.keys()) if (this.#size > this.#limit && old !== path) this.#forget(old)
    try {
      return await bytes
    } catch (error) {
      if (this.#entries.get(path)?.bytes === bytes) this.#forget(path)
      throw error
    }
  }

  #forget(path: string): void {
    this.#size -= this.#entries.get(path)?.size ?? 0
    this.#entries.delete(path)
  }
}

async function readWhole(file: FileHandle, size: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafeSlow(size)
  let got = 0
  while (got < size) {
    const { bytesRead } = await file.read(bytes, got, size - got, got)
    if (bytesRead === 0) throw new Error('the file became shorter while it was read')
    got += bytesRead
  }
  return bytes
}
