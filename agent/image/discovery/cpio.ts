/** An entry of an archive. Owners are root, times are the archive's. */
export type CpioEntry =
  | { readonly kind: 'folder'; readonly path: string; readonly mode: number }
  | { readonly kind: 'file'; readonly path: string; readonly mode: number; readonly content: () => Promise<Buffer> }
  | { readonly kind: 'link'; readonly path: string; readonly target: string }
  | { readonly kind: 'character-device'; readonly path: string; readonly mode: number; readonly major: number; readonly minor: number }

const TYPE_BITS = { folder: 0o040000, file: 0o100000, link: 0o120000, 'character-device': 0o020000 } as const
const BLOCK = 512

/**
 * Writes a cpio archive in the format that Linux unpacks as an initramfs ("newc"), as chunks.
 *
 * The same entries give the same bytes: sorted by path, numbered in that order, all times `epoch` (seconds since 1970),
 * folders that are not listed added with mode 0755. Padded with zeros to 512 bytes, so that another archive may follow.
 * Format: Linux, Documentation/driver-api/early-userspace/buffer-format.rst; cpio(5).
 *
 * @param entries paths relative, without `./`; a path given twice is a bug and throws.
 */
export async function* writeCpio(entries: readonly CpioEntry[], epoch: number): AsyncGenerator<Buffer> {
  const sorted = withParents(entries)
  let written = 0
  for (const [index, entry] of sorted.entries()) {
    const body = entry.kind === 'file' ? await entry.content() : Buffer.from(entry.kind === 'link' ? entry.target : '')
    const chunk = Buffer.concat([header(entry, index + 1, body.length, epoch), pad(body, 4)])
    written += chunk.length
    yield chunk
  }
  const trailer = header({ kind: 'file', path: 'TRAILER!!!', mode: 0, content: async () => Buffer.alloc(0) }, 0, 0, 0)
  written += trailer.length
  yield trailer
  yield Buffer.alloc((BLOCK - written % BLOCK) % BLOCK)
}

function withParents(entries: readonly CpioEntry[]): CpioEntry[] {
  const byPath = new Map<string, CpioEntry>()
  for (const entry of entries) {
    if (byPath.has(entry.path)) throw new Error(`two entries for ${entry.path} in one archive`)
    byPath.set(entry.path, entry)
  }
  for (const { path } of entries) {
    for (let slash = path.lastIndexOf('/'); slash > 0; slash = path.lastIndexOf('/', slash - 1)) {
      const parent = path.slice(0, slash)
      if (!byPath.has(parent)) byPath.set(parent, { kind: 'folder', path: parent, mode: 0o755 })
    }
  }
  return [...byPath.values()].toSorted((a, b) => (a.path < b.path ? -1 : 1))
}

function header(entry: CpioEntry, inode: number, size: number, epoch: number): Buffer {
  const mode = entry.path === 'TRAILER!!!' ? 0 : TYPE_BITS[entry.kind] | (entry.kind === 'link' ? 0o777 : entry.mode)
  const device = entry.kind === 'character-device' ? entry : { major: 0, minor: 0 }
  const name = Buffer.from(`${entry.path}\0`)
  const fields = [inode, mode, 0, 0, entry.kind === 'folder' ? 2 : 1, epoch, size, 0, 0, device.major, device.minor, name.length, 0]
  const text = `070701${fields.map(field => field.toString(16).padStart(8, '0')).join('')}`
  return pad(Buffer.concat([Buffer.from(text), name]), 4)
}

function pad(buffer: Buffer, to: number): Buffer {
  const rest = buffer.length % to
  return rest === 0 ? buffer : Buffer.concat([buffer, Buffer.alloc(to - rest)])
}
