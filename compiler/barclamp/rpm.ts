import { createHash } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import { ARCHIVE_TIME, foldersOf, joined, padded } from './archive-file.ts'
import type { ArchiveFile, PackageOf } from './archive-file.ts'

/** Where a value of a header is, and of what type (rpm's tagtable and header format, lib/header.c, lib/rpmtag.h). */
type Value =
  | { readonly type: 'int16' | 'int32'; readonly values: readonly number[] }
  | { readonly type: 'string' | 'strings' | 'i18n'; readonly values: readonly string[] }
  | { readonly type: 'bytes'; readonly values: Uint8Array }

const TYPES = { int16: 3, int32: 4, string: 6, bytes: 7, strings: 8, i18n: 9 } as const
/** Tags of the two headers whose entry says that all of it belongs together. */
const REGION = { signature: 62, main: 63 } as const
/** Sense of a dependency on a feature of rpm itself: RPMLIB, LESS, EQUAL. */
const RPMLIB = 0x0100_0000 | 0x02 | 0x08
const EQUAL = 0x08

/** Writes an RPM package of version 3 (as rpm 4 reads and writes it), unsigned, with its digests, for every architecture. */
export function rpm(wanted: PackageOf): Uint8Array {
  const entries = entriesOf(wanted.files)
  const archive = cpio(entries)
  const payload = gzipSync(archive, { level: 9 })
  const main = header(REGION.main, mainTags(wanted, entries, payload))
  const body = joined([main, payload])
  const signature = header(REGION.signature, new Map<number, Value>([
    [269, { type: 'string', values: [hash('sha1', main)] }],
    [273, { type: 'string', values: [hash('sha256', main)] }],
    [1000, { type: 'int32', values: [body.length] }],
    [1004, { type: 'bytes', values: createHash('md5').update(body).digest() }],
    [1007, { type: 'int32', values: [archive.length] }],
  ]))
  return joined([lead(`${wanted.packageName}-${wanted.version}-1`), padded(signature, 8), body])
}

interface Entry {
  /** Without a slash before it. */
  readonly path: string
  readonly mode: number
  /** null: a folder. */
  readonly content: Uint8Array | null
}

/** The barclamp's own folder and what is in it; the folders above it belong to others. */
function entriesOf(files: readonly ArchiveFile[]): readonly Entry[] {
  const folders = foldersOf(files).filter((folder) => folder.startsWith('usr/share/crowbar/barclamps/')).map((path) => ({ path, mode: 0o040_755, content: null }))
  const regular = files.map(({ path, mode, content }) => ({ path, mode: 0o100_000 | Number.parseInt(mode, 8), content }))
  return [...folders, ...regular].toSorted((a, b) => (a.path < b.path ? -1 : 1))
}

function mainTags({ packageName, version, summary, files }: PackageOf, entries: readonly Entry[], payload: Uint8Array): ReadonlyMap<number, Value> {
  const each = <T>(of: (entry: Entry, index: number) => T): readonly T[] => entries.map(of)
  const folders = [...new Set(each(({ path }) => `/${path.slice(0, path.lastIndexOf('/') + 1)}`))]
  const text = (value: string): Value => ({ type: 'string', values: [value] })
  const texts = (values: readonly string[]): Value => ({ type: 'strings', values })
  const numbers = (values: readonly number[], type: 'int16' | 'int32' = 'int32'): Value => ({ type, values })
  return new Map<number, Value>([
    [100, texts(['C'])],
    [1000, text(packageName)], [1001, text(version)], [1002, text('1')],
    [1004, { type: 'i18n', values: [summary] }], [1005, { type: 'i18n', values: [summary] }],
    [1006, numbers([ARCHIVE_TIME])],
    [1009, numbers([files.reduce((sum, { content }) => sum + content.length, 0)])],
    [1014, text('see the files of the package')], [1016, { type: 'i18n', values: ['System Environment/Base'] }],
    [1021, text('linux')], [1022, text('noarch')],
    [1028, numbers(each(({ content }) => content?.length ?? 4096))],
    [1030, numbers(each(({ mode }) => mode), 'int16')],
    [1033, numbers(each(() => 0), 'int16')],
    [1034, numbers(each(() => ARCHIVE_TIME))],
    [1035, texts(each(({ content }) => (content === null ? '' : hash('sha256', content))))],
    [1036, texts(each(() => ''))],
    [1037, numbers(each(() => 0))],
    [1039, texts(each(() => 'root'))], [1040, texts(each(() => 'root'))],
    [1044, text(`${packageName}-${version}-1.src.rpm`)],
    [1045, numbers(each(() => -1))],
    [1047, texts([packageName])],
    [1048, numbers([RPMLIB, RPMLIB, RPMLIB])],
    [1049, texts(['rpmlib(CompressedFileNames)', 'rpmlib(FileDigests)', 'rpmlib(PayloadFilesHavePrefix)'])],
    [1050, texts(['3.0.4-1', '4.6.0-1', '4.0-1'])],
    [1095, numbers(each(() => 1))],
    [1096, numbers(each((_, i) => i + 1))],
    [1097, texts(each(() => ''))],
    [1112, numbers([EQUAL])], [1113, texts([`${version}-1`])],
    [1116, numbers(each(({ path }) => folders.indexOf(`/${path.slice(0, path.lastIndexOf('/') + 1)}`)))],
    [1117, texts(each(({ path }) => path.slice(path.lastIndexOf('/') + 1)))],
    [1118, texts(folders)],
    [1124, text('cpio')], [1125, text('gzip')], [1126, text('9')],
    [5011, numbers([8])],
    [5092, texts([hash('sha256', payload)])], [5093, numbers([8])],
  ])
}

/** Magic, the number of entries and of bytes of data, the entries, the data. The region's entry is first, its trailer last. */
function header(region: number, tags: ReadonlyMap<number, Value>): Uint8Array {
  const index: Uint8Array[] = []
  const data: Uint8Array[] = []
  let at = 0
  for (const [tag, value] of [...tags].toSorted(([a], [b]) => a - b)) {
    const alignment = value.type === 'int32' ? 4 : value.type === 'int16' ? 2 : 1
    const gap = (alignment - (at % alignment)) % alignment
    const bytes = bytesOf(value)
    data.push(new Uint8Array(gap), bytes)
    index.push(fourNumbers(tag, TYPES[value.type], at + gap, value.values.length))
    at += gap + bytes.length
  }
  const entries = index.length + 1
  data.push(fourNumbers(region, TYPES.bytes, -16 * entries, 16))
  const start = Buffer.from([0x8e, 0xad, 0xe8, 0x01, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
  start.writeUInt32BE(entries, 8)
  start.writeUInt32BE(at + 16, 12)
  return joined([start, fourNumbers(region, TYPES.bytes, at, 16), ...index, ...data])
}

function bytesOf(value: Value): Uint8Array {
  if (value.type === 'bytes') return value.values
  if (value.type !== 'int16' && value.type !== 'int32') return Buffer.from(value.values.map((text) => `${text}\0`).join(''))
  const size = value.type === 'int16' ? 2 : 4
  const bytes = Buffer.alloc(value.values.length * size)
  for (const [i, number] of value.values.entries()) {
    if (size === 2) bytes.writeUInt16BE(number, i * 2)
    else bytes.writeInt32BE(number | 0, i * 4)
  }
  return bytes
}

function fourNumbers(...values: readonly [number, number, number, number]): Uint8Array {
  const bytes = Buffer.alloc(16)
  for (const [i, value] of values.entries()) bytes.writeInt32BE(value, i * 4)
  return bytes
}

/** 96 bytes that nothing but file(1) still reads. */
function lead(name: string): Uint8Array {
  const bytes = Buffer.alloc(96)
  bytes.set([0xed, 0xab, 0xee, 0xdb, 3, 0, 0, 0, 0, 1])
  bytes.write(name.slice(0, 65), 10)
  bytes.writeUInt16BE(1, 76)
  bytes.writeUInt16BE(5, 78)
  return bytes
}

/** The new ASCII format of cpio(5), as rpm has it: paths with `./` before them, filled up to four bytes. */
function cpio(entries: readonly Entry[]): Uint8Array {
  const parts = entries.flatMap(({ path, mode, content }, i) => [cpioHeader(`./${path}`, { inode: i + 1, mode, links: content === null ? 2 : 1, size: content?.length ?? 0 }), padded(content ?? new Uint8Array(0), 4)])
  return joined([...parts, cpioHeader('TRAILER!!!', { inode: 0, mode: 0, links: 1, size: 0 })])
}

function cpioHeader(name: string, { inode, mode, links, size }: { readonly inode: number; readonly mode: number; readonly links: number; readonly size: number }): Uint8Array {
  const time = mode === 0 ? 0 : ARCHIVE_TIME
  const numbers = [inode, mode, 0, 0, links, time, size, 0, 0, 0, 0, Buffer.byteLength(name) + 1, 0]
  return padded(Buffer.from(`070701${numbers.map((number) => number.toString(16).padStart(8, '0')).join('')}${name}\0`), 4)
}

function hash(algorithm: 'sha1' | 'sha256', bytes: Uint8Array): string {
  return createHash(algorithm).update(bytes).digest('hex')
}
