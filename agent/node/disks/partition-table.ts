import { crc32 } from 'node:zlib'
import type { ReadAt } from './area.ts'

/** A partition as its table has it. Offsets and sizes in bytes. */
export interface Partition {
  readonly number: number
  readonly start: number
  readonly bytes: number
  /** GUID, lower case; of an MBR two hex digits. */
  readonly type: string
  /** GUID, lower case; of an MBR `<disk id>-<number>`, as the kernel names it. */
  readonly uuid: string
}

export interface PartitionTable {
  readonly kind: 'gpt' | 'gpt + mbr' | 'dos'
  readonly id: string
  readonly partitions: readonly Partition[]
  /** Bytes that the table itself takes, at the start and, of a GPT, at the end. */
  readonly head: number
  readonly tail: number
}

const MAX_ENTRIES = 1024
/** Type of the partition that protects a GPT from who does not know of it. */
const PROTECTIVE = 'ee'
const HYBRID = 1000

/**
 * Reads a GUID partition table (UEFI 2.10 §5.3), the one at the start or, when that is damaged, the one at the end.
 * Undefined when neither header and its entries have the right checksums, or they lead beyond the disk.
 *
 * @param sector logical sector size, bytes.
 */
export async function readGpt(read: ReadAt, { bytes, sector }: { readonly bytes: number; readonly sector: number }): Promise<PartitionTable | undefined> {
  for (const header of [sector, bytes - sector]) {
    const table = await readGptAt(read, { at: header, sector, bytes })
    if (table !== undefined) return table
  }
  return undefined
}

async function readGptAt(read: ReadAt, { at, sector, bytes }: { readonly at: number; readonly sector: number; readonly bytes: number }): Promise<PartitionTable | undefined> {
  const header = await read(at, sector)
  if (header.toString('latin1', 0, 8) !== 'EFI PART') return undefined
  const size = header.readUInt32LE(12)
  if (size < 92 || size > sector) return undefined
  const plain = Buffer.from(header.subarray(0, size))
  plain.writeUInt32LE(0, 16)
  if (crc32(plain) !== header.readUInt32LE(16)) return undefined
  const count = header.readUInt32LE(80)
  const entrySize = header.readUInt32LE(84)
  if (count > MAX_ENTRIES || entrySize < 128 || entrySize > 4096) return undefined
  const length = Math.ceil((count * entrySize) / sector) * sector
  const place = Number(header.readBigUInt64LE(72)) * sector
  if (place + length > bytes) return undefined
  const entries = await read(place, length)
  if (crc32(entries.subarray(0, count * entrySize)) !== header.readUInt32LE(88)) return undefined
  const partitions: Partition[] = []
  for (let index = 0; index < count; index++) {
    const entry = entries.subarray(index * entrySize, (index + 1) * entrySize)
    const type = guid(entry, 0)
    if (type === '00000000-0000-0000-0000-000000000000') continue
    const first = Number(entry.readBigUInt64LE(32))
    const last = Number(entry.readBigUInt64LE(40))
    if (last < first || (last + 1) * sector > bytes) return undefined
    partitions.push({ number: index + 1, start: first * sector, bytes: (last - first + 1) * sector, type, uuid: guid(entry, 16) })
  }
  return { kind: 'gpt', id: guid(header, 56), partitions, head: 2 * sector + length, tail: sector + length }
}

/** Reads a master boot record with the chain of logical partitions; undefined without its signature. */
export async function readMbr(read: ReadAt, { sector }: { readonly sector: number }): Promise<PartitionTable | undefined> {
  const record = await read(0, sector)
  if (record.readUInt16LE(510) !== 0xaa55) return undefined
  const id = record.readUInt32LE(440).toString(16).padStart(8, '0')
  const partitions: Partition[] = []
  const name = (number: number): string => `${id}-${String(number).padStart(2, '0')}`
  let extended: { readonly start: number } | undefined
  for (let index = 0; index < 4; index++) {
    const entry = mbrEntry(record, index, sector)
    if (entry.type === 0 || entry.bytes === 0) continue
    if (isExtended(entry.type)) extended ??= entry
    partitions.push({ number: index + 1, start: entry.start, bytes: entry.bytes, type: hex(entry.type), uuid: name(index + 1) })
  }
  let link = extended?.start
  for (let number = 5; link !== undefined && extended !== undefined && number < 64; number++) {
    const chained = await read(link, sector)
    if (chained.readUInt16LE(510) !== 0xaa55) break
    const entry = mbrEntry(chained, 0, sector)
    if (entry.type !== 0) partitions.push({ number, start: link + entry.start, bytes: entry.bytes, type: hex(entry.type), uuid: name(number) })
    const next = mbrEntry(chained, 1, sector)
    link = next.type === 0 || next.start === 0 ? undefined : extended.start + next.start
  }
  return { kind: 'dos', id, partitions, head: sector, tail: 0 }
}

/**
 * The partitions of a master boot record beside a GPT (a "hybrid MBR") that the GPT does not have. Some systems read
 * these and not the others, so that their data is somebody's. Numbered from 1001.
 */
export async function readHybrid(read: ReadAt, { gpt, sector }: { readonly gpt: PartitionTable; readonly sector: number }): Promise<readonly Partition[]> {
  const mbr = await readMbr(read, { sector })
  const own = (mbr?.partitions ?? []).filter(({ type, start, bytes }) => type !== PROTECTIVE && !gpt.partitions.some((one) => one.start === start && one.bytes === bytes))
  return own.map((partition) => ({ ...partition, number: HYBRID + partition.number }))
}

function mbrEntry(record: Buffer, index: number, sector: number): { readonly type: number; readonly start: number; readonly bytes: number } {
  const at = 446 + index * 16
  return { type: record.readUInt8(at + 4), start: record.readUInt32LE(at + 8) * sector, bytes: record.readUInt32LE(at + 12) * sector }
}

function isExtended(type: number): boolean {
  return type === 0x05 || type === 0x0f || type === 0x85
}

function hex(type: number): string {
  return type.toString(16).padStart(2, '0')
}

/** The first three fields are little endian (UEFI 2.10, appendix A). */
function guid(bytes: Buffer, at: number): string {
  const digits = (from: number, to: number): string => bytes.toString('hex', at + from, at + to)
  const swapped = (from: number, to: number): string => Buffer.from(bytes.subarray(at + from, at + to)).reverse().toString('hex')
  return `${swapped(0, 4)}-${swapped(4, 6)}-${swapped(6, 8)}-${digits(8, 10)}-${digits(10, 16)}`
}

