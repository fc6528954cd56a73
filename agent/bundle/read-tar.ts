const BLOCK = 512

/** An entry of an archive. Its content is read before the next one is asked for; what nobody read is passed over. */
export interface TarEntry {
  readonly name: string
  readonly kind: 'file' | 'link' | 'folder'
  readonly bytes: number
  readonly executable: boolean
  /** Target of a link, else empty. */
  readonly target: string
  readonly content: AsyncIterable<Buffer>
}

/** An archive that is none, or not one of those that `write-tar.ts` writes. `message` is the second half of a sentence. */
export class TarError extends Error {}

/**
 * Reads a tar archive (ustar) from a stream, in its order, and keeps nothing of it in memory but a block or a chunk. It has
 * to be whole: its end is two blocks of zeros, and nothing but zeros comes after.
 *
 * @throws {TarError}
 */
export async function* readTar(chunks: AsyncIterable<Buffer>): AsyncGenerator<TarEntry, void> {
  const source = chunks[Symbol.asyncIterator]()
  let buffered: Buffer = Buffer.alloc(0)
  let read = 0

  /** Some bytes, at most so many; none at the end. */
  const some = async (most: number): Promise<Buffer> => {
    while (buffered.length === 0) {
      const next = await source.next()
      if (next.done === true) return buffered
      buffered = next.value
    }
    const taken = buffered.subarray(0, most)
    buffered = buffered.subarray(taken.length)
    read += taken.length
    return taken
  }
  const block = async (what: string): Promise<Buffer> => {
    const parts: Buffer[] = []
    for (let missing = BLOCK; missing > 0;) {
      const part = await some(missing)
      if (part.length === 0) throw new TarError(`ends after ${String(read)} bytes, ${what}`)
      parts.push(part)
      missing -= part.length
    }
    return parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts)
  }

  try {
    for (;;) {
      const at = read
      const head = await block('before its end')
      if (isZero(head)) {
        if (!isZero(await block('in its last block'))) throw new TarError(`has a block of zeros at byte ${String(at)} that is not its end`)
        for (let rest = await some(BLOCK); rest.length > 0; rest = await some(BLOCK)) if (!isZero(rest)) throw new TarError(`has something behind its end, at byte ${String(read)}`)
        return
      }
      const parsed = parseHeader(head, at)
      let left = parsed.bytes
      let padding = (BLOCK - (left % BLOCK)) % BLOCK
      const content = (async function* (): AsyncGenerator<Buffer, void> {
        while (left > 0) {
          const part = await some(left)
          if (part.length === 0) throw new TarError(`ends after ${String(read)} bytes, in ${parsed.name}`)
          left -= part.length
          yield part
        }
      })()
      yield { ...parsed, content }
      while (left > 0) {
        const part = await some(left)
        if (part.length === 0) throw new TarError(`ends after ${String(read)} bytes, in ${parsed.name}`)
        left -= part.length
      }
      while (padding > 0) {
        const part = await some(padding)
        if (part.length === 0) throw new TarError(`ends after ${String(read)} bytes, behind ${parsed.name}`)
        if (!isZero(part)) throw new TarError(`has bytes that are not zero behind ${parsed.name}`)
        padding -= part.length
      }
    }
  } finally {
    await source.return?.()
  }
}

function parseHeader(head: Buffer, at: number): Omit<TarEntry, 'content'> {
  const where = `at byte ${String(at)}`
  const copy = Buffer.from(head)
  copy.fill(0x20, 148, 156)
  const sum = Number.parseInt(text(head, 148, 8), 8)
  if (sum !== copy.reduce((total, byte) => total + byte, 0)) throw new TarError(`has no entry of a tar archive ${where}: its checksum is wrong`)
  if (text(head, 257, 6) !== 'ustar') throw new TarError(`has an entry of another form than ustar ${where}`)
  const prefix = text(head, 345, 155)
  const name = prefix === '' ? text(head, 0, 100) : `${prefix}/${text(head, 0, 100)}`
  const kind = ({ '0': 'file', '2': 'link', '5': 'folder' } as const)[text(head, 156, 1) as '0' | '2' | '5']
  if (kind === undefined) throw new TarError(`has an entry that is neither a file nor a link ${where}: ${JSON.stringify(name)}`)
  const bytes = (head[124] ?? 0) === 0x80 ? Number(head.readBigUInt64BE(128)) : Number.parseInt(text(head, 124, 12), 8)
  if (!Number.isSafeInteger(bytes) || bytes < 0 || (kind !== 'file' && bytes !== 0)) throw new TarError(`has an entry of an impossible size ${where}: ${JSON.stringify(name)}`)
  return { name, kind, bytes, executable: (Number.parseInt(text(head, 100, 8), 8) & 0o111) !== 0, target: kind === 'link' ? text(head, 157, 100) : '' }
}

function text(head: Buffer, from: number, length: number): string {
  const field = head.subarray(from, from + length)
  const end = field.indexOf(0)
  return field.subarray(0, end < 0 ? length : end).toString('utf8').trimEnd()
}

function isZero(bytes: Buffer): boolean {
  return bytes.every(byte => byte === 0)
}
