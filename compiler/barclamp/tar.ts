import { ARCHIVE_TIME, foldersOf, joined, padded } from './archive-file.ts'
import type { ArchiveFile } from './archive-file.ts'

const BLOCK = 512

/**
 * Writes a tar archive (POSIX.1-1988 ustar; a path of more than 100 bytes as GNU tar has it, which dpkg reads too). Owner
 * root, one time, in the order given: the same files give the same bytes.
 *
 * @param root put before every path, such as `./`.
 */
export function tar(files: readonly ArchiveFile[], root = ''): Uint8Array {
  const parts: Uint8Array[] = []
  if (root !== '') parts.push(header(root, { type: '5', mode: '0755', size: 0 }))
  for (const folder of foldersOf(files)) parts.push(...entry(`${root}${folder}/`, { type: '5', mode: '0755', size: 0 }))
  for (const { path, mode, content } of files) parts.push(...entry(root + path, { type: '0', mode, size: content.length }), padded(content, BLOCK))
  return joined([...parts, new Uint8Array(2 * BLOCK)])
}

interface Kind {
  /** `0` a file, `5` a folder, `L` the path of what comes next. */
  readonly type: '0' | '5' | 'L'
  readonly mode: '0644' | '0755'
  readonly size: number
}

function entry(path: string, kind: Kind): readonly Uint8Array[] {
  if (Buffer.byteLength(path) <= 100) return [header(path, kind)]
  const name = Buffer.from(`${path}\0`)
  return [header('././@LongLink', { type: 'L', mode: '0644', size: name.length }), padded(name, BLOCK), header(Buffer.from(path).subarray(0, 100), kind)]
}

function header(path: string | Buffer, { type, mode, size }: Kind): Uint8Array {
  const block = Buffer.alloc(BLOCK)
  const octal = (value: number, digits: number): string => `${value.toString(8).padStart(digits, '0')}\0`
  const put = (text: string, at: number): void => void block.write(text, at)
  block.set(typeof path === 'string' ? Buffer.from(path) : path, 0)
  put(octal(Number.parseInt(mode, 8), 7), 100)
  put(octal(0, 7) + octal(0, 7) + octal(size, 11) + octal(ARCHIVE_TIME, 11), 108)
  put('        ', 148)
  put(type, 156)
  put('ustar\u000000', 257)
  put('root', 265)
  put('root', 297)
  let sum = 0
  for (const byte of block) sum += byte
  put(`${octal(sum, 6)} `, 148)
  return block
}
