import { createHash } from 'node:crypto'
import type { FileHandle } from 'node:fs/promises'

/**
 * Where the stamp stands: the last 4 KiB before the first MiB.
 *
 * Nothing that imaging does comes there: a GPT takes the first 34 sectors (at 4 KiB sectors the first 24 KiB) and the end of
 * the disk, partitions begin at 1 MiB, GRUB puts itself into sector 0 and a partition of its own. So it outlives every
 * state in which power can be lost, and is still there when all of the rest is written.
 */
export const STAMP_AREA = { start: 1024 * 1024 - 4096, bytes: 4096 } as const

const MAGIC = 'CROWBAR STAMP 1\n'
const HEADER = MAGIC.length + 4 + 32

/** The stamp in such a record, or null. A torn record has the wrong checksum and is none. */
export function parseStamp(record: Buffer): string | null {
  if (record.length !== STAMP_AREA.bytes || record.toString('latin1', 0, MAGIC.length) !== MAGIC) return null
  const length = record.readUInt32LE(MAGIC.length)
  if (length > record.length - HEADER) return null
  const text = record.subarray(HEADER, HEADER + length)
  const sum = record.subarray(MAGIC.length + 4, HEADER)
  return createHash('sha256').update(text).digest().equals(sum) ? text.toString('utf8') : null
}

/**
 * The record of a stamp: magic, length, SHA-256, text, zeros. What makes a stamp trustworthy is inside the text: the
 * admin agent authenticates it over the approval and the disk, and compares it with its log.
 *
 * @throws {RangeError} for a text over 4,044 bytes.
 */
export function formatStamp(stamp: string): Buffer {
  const text = Buffer.from(stamp, 'utf8')
  const record = Buffer.alloc(STAMP_AREA.bytes)
  if (text.length > record.length - HEADER) throw new RangeError(`a stamp of ${text.length} bytes is too long`)
  record.write(MAGIC, 'latin1')
  record.writeUInt32LE(text.length, MAGIC.length)
  createHash('sha256').update(text).digest().copy(record, MAGIC.length + 4)
  text.copy(record, HEADER)
  return record
}

/** Writes the stamp, and returns when the disk itself has it. */
export async function writeStamp(disk: FileHandle, stamp: string): Promise<void> {
  await writeDurably(disk, formatStamp(stamp))
}

/** Writes zeros over the stamp, if it is this one; returns when the disk itself has them. */
export async function removeStamp(disk: FileHandle, stamp: string): Promise<void> {
  const record = Buffer.alloc(STAMP_AREA.bytes)
  await disk.read(record, 0, record.length, STAMP_AREA.start)
  if (parseStamp(record) === stamp) await writeDurably(disk, Buffer.alloc(STAMP_AREA.bytes))
}

async function writeDurably(disk: FileHandle, record: Buffer): Promise<void> {
  const { bytesWritten } = await disk.write(record, 0, record.length, STAMP_AREA.start)
  if (bytesWritten !== record.length) throw new Error(`only ${bytesWritten} bytes of the stamp were written`)
  await disk.sync()
}
