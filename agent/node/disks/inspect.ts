import { open } from 'node:fs/promises'
import { canonical } from '../../../schemas/canonical.ts'
import type { DiskState } from '../../../schemas/inventory.ts'
import type { BlockDevice } from '../facts/block-devices.ts'
import { runProgram } from '../run-program.ts'
import { gapsBetween } from './area.ts'
import type { Area, ReadAt } from './area.ts'
import { readGpt, readHybrid, readMbr } from './partition-table.ts'
import type { PartitionTable } from './partition-table.ts'
import { probeDisk, probePartition } from './probe.ts'
import type { Known } from './probe.ts'
import { sampleArea } from './samples.ts'
import { STAMP_AREA, parseStamp } from './stamp.ts'

/** Signatures of partition tables, which are read in full and not only named. */
const TABLES: ReadonlySet<string> = new Set(['gpt', 'PMBR', 'dos'])
const MAX_READ = 16 * 1024 * 1024

/** A disk to look at. `sector` is its logical sector size, bytes. */
export type InspectedDevice = Pick<BlockDevice, 'id' | 'fact'> & { readonly path: string; readonly sector: number }

/** One thing on a disk. `at`: 0 for the whole disk, else the number of the partition. */
interface Content extends Known {
  readonly at: number
}

/**
 * Looks at what is on a disk; opens it for reading only.
 *
 * The content signature is canonical JSON `{ version, bytes, table, tables, content, unknown }`: the partition table with types
 * and UUIDs of its partitions, and where marks of tables stand; type and UUID of everything that libblkid knows, on the whole disk and in each partition; and for
 * each area that holds neither (an unknown partition, space between partitions, a disk without any signature) and is not
 * all zeros in its samples, the hash of these. It does not change while nothing writes to the disk, and it does not hang on
 * the kernel's names. The stamp of an unfinished install counts as zeros in it and is reported besides.
 */
export async function inspectDisk({ id, fact, path, sector }: InspectedDevice, { signal }: { readonly signal: AbortSignal }): Promise<DiskState> {
  // The kernel keeps pages of the whole disk and of its partitions apart: what was read before may be old.
  await runProgram(['blockdev', '--flushbufs', path], { signal })
  await using disk = await open(path, 'r')
  const raw: ReadAt = async (start, bytes) => {
    if (start < 0 || bytes > MAX_READ || start + bytes > fact.bytes) throw new RangeError(`cannot read ${bytes} bytes at ${start}`)
    const buffer = Buffer.alloc(bytes)
    for (let done = 0; done < bytes;) {
      const { bytesRead } = await disk.read(buffer, done, bytes - done, start + done)
      if (bytesRead === 0) throw new RangeError(`the disk ends at ${start + done}`)
      done += bytesRead
    }
    return buffer
  }
  const stamp = fact.bytes > 2 * STAMP_AREA.start ? parseStamp(await raw(STAMP_AREA.start, STAMP_AREA.bytes).catch(() => Buffer.alloc(0))) : null
  const read = stamp === null ? raw : withoutStamp(raw)
  const signatures = await probeDisk(path, { signal })
  const table = await readTable(read, { signatures, bytes: fact.bytes, sector })
  const content: Content[] = []
  for (const { type, uuid, label } of signatures) {
    // Some things are known by several marks: FAT by three.
    if (!TABLES.has(type) && !content.some((one) => one.type === type && one.uuid === uuid)) content.push({ at: 0, type, uuid, label })
  }
  const unknownAreas: Area[] = []
  for (const partition of table?.partitions ?? []) {
    if (['05', '0f', '85'].includes(partition.type)) continue
    const found = await probePartition(path, partition, { signal })
    if (found !== undefined) content.push({ at: partition.number, ...found })
    if (found === undefined || found.type === 'ambivalent') unknownAreas.push(partition)
  }
  unknownAreas.push(...unpartitioned({ table, bytes: fact.bytes, known: content.some(({ at }) => at === 0) }))
  const unknown: { start: number; bytes: number; sha256: string }[] = []
  for (const { start, bytes } of unknownAreas.toSorted((a, b) => a.start - b.start)) {
    const { zero, hash } = await sampleArea(read, { start, bytes }, { key: id, signal })
    if (!zero) unknown.push({ start, bytes, sha256: hash })
  }
  const sorted = content.toSorted((a, b) => a.at - b.at || (a.type < b.type ? -1 : 1))
  return {
    id, serial: fact.serial, model: fact.model, bytes: fact.bytes, stamp,
    blank: signatures.length === 0 && unknown.length === 0,
    signature: canonical({
      version: 1, bytes: fact.bytes,
      table: table === undefined ? null : { kind: table.kind, id: table.id, partitions: table.partitions.map(({ number, start, bytes, type, uuid }) => ({ number, start, bytes, type, uuid })) },
      content: sorted.map(({ at, type, uuid }) => ({ at, type, uuid })),
      tables: signatures.filter(({ type }) => TABLES.has(type)).map(({ type, offset }) => ({ type, offset })).toSorted((a, b) => a.offset - b.offset),
      unknown,
    }),
    summary: summarise({ table, content: sorted, unknown, signatures }),
  }
}

async function readTable(
  read: ReadAt, { signatures, bytes, sector }: { readonly signatures: readonly Known[]; readonly bytes: number; readonly sector: number },
): Promise<PartitionTable | undefined> {
  const types = new Set(signatures.map(({ type }) => type))
  if (types.has('gpt')) {
    const gpt = await readGpt(read, { bytes, sector })
    const hybrid = gpt === undefined ? [] : await readHybrid(read, { gpt, sector })
    return gpt === undefined || hybrid.length === 0 ? gpt : { ...gpt, kind: 'gpt + mbr', partitions: [...gpt.partitions, ...hybrid] }
  }
  // A FAT boot sector ends like an MBR; libblkid tells them apart.
  return types.has('dos') ? readMbr(read, { sector }) : undefined
}

/** What no partition covers; nothing where a thing that is known takes the whole disk. */
function unpartitioned({ table, bytes, known }: { readonly table: PartitionTable | undefined; readonly bytes: number; readonly known: boolean }): Area[] {
  const whole = { start: 0, bytes }
  if (table === undefined) return known ? [] : [whole]
  return gapsBetween(whole, [{ start: 0, bytes: table.head }, { start: bytes - table.tail, bytes: table.tail }, ...table.partitions])
}

function withoutStamp(read: ReadAt): ReadAt {
  return async (start, bytes) => {
    const data = await read(start, bytes)
    const from = Math.max(STAMP_AREA.start, start)
    const to = Math.min(STAMP_AREA.start + STAMP_AREA.bytes, start + bytes)
    if (from < to) data.fill(0, from - start, to - start)
    return data
  }
}

function summarise({ table, content, unknown, signatures }: {
  readonly table: PartitionTable | undefined
  readonly content: readonly Content[]
  readonly unknown: readonly Area[]
  readonly signatures: readonly Known[]
}): string {
  if (signatures.length === 0) return unknown.length === 0 ? 'blank' : 'unknown data'
  const name = ({ type, label }: Known): string => (label === '' ? type : `${type} "${label}"`)
  const whole = content.filter(({ at }) => at === 0).map(name)
  if (table === undefined) return whole.join(', ') || 'damaged partition table'
  const parts = table.partitions.map((partition) => {
    const found = content.find(({ at }) => at === partition.number)
    if (found !== undefined) return name(found)
    return unknown.some(({ start }) => start === partition.start) ? 'unknown data' : 'empty'
  })
  const outside = unknown.some(({ start }) => !table.partitions.some((partition) => partition.start === start)) ? ['data outside of partitions'] : []
  return [`${table.kind}: ${parts.join(', ') || 'no partitions'}`, ...whole, ...outside].join('; ')
}
