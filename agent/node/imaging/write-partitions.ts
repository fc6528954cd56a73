import { setTimeout as delay } from 'node:timers/promises'
import type { SystemFiles } from '../facts/system-files.ts'
import { NodeError } from '../node-error.ts'
import { mustRun } from '../run-program.ts'
import { makeFilesystem } from './make-filesystem.ts'
import type { Volume } from './make-filesystem.ts'
import type { PlannedDisk, PlannedPartition } from './partition-plan.ts'

/** A partition that exists, and its device. */
export interface MadePartition extends PlannedPartition, Volume {}

const TYPES: Readonly<Record<PlannedPartition['role'] | 'swap', string>> = {
  bios: '21686148-6449-6E6F-744E-656564454649',
  esp: 'C12A7328-F81F-11D2-BA4B-00A0C93EC93B',
  data: '0FC63DAF-8483-4772-8E79-3D69D8477DE4',
  member: 'A19D880F-05FC-4D3B-A006-743F0F84911E',
  swap: '0657FD6D-A4AB-43C4-84E5-0933C84B4F4F',
}
const APPEAR_MS = 15_000

/**
 * Writes a GPT onto a disk and makes the filesystems.
 *
 * What the disk held before is wiped by its signatures, those in new partitions too, so that no leftover is ever taken for
 * a filesystem. The kernel is told of the partitions by number and place (it need not understand GPT).
 *
 * @param name kernel name of the disk.
 */
export async function writePartitions(
  { target, partitions }: PlannedDisk, { name, files, signal }: { readonly name: string; readonly files: SystemFiles; readonly signal: AbortSignal },
): Promise<MadePartition[]> {
  const disk = `/dev/${name}`
  await forgetPartitions(disk, { name, files, signal })
  const script = ['label: gpt', 'unit: sectors', ...partitions.map((partition) => line(partition, files.number(`sys/block/${name}/queue/logical_block_size`) || 512)), ''].join('\n')
  await mustRun(['sfdisk', '--no-reread', '--no-tell-kernel', '--wipe', 'always', '--wipe-partitions', 'always', disk], { signal, input: script })
  await mustRun(['partx', '--update', disk], { signal })
  const made: MadePartition[] = []
  for (const partition of partitions) {
    const device = await deviceOf(name, { number: partition.number, files, signal })
    made.push({ ...partition, device, uuid: await makeFilesystem({ ...partition, device }, { signal }) })
  }
  if (made.length === 0) throw new NodeError('INSTALL_UNSUPPORTED', `nothing is to be put on ${target.entry}`)
  return made
}

/** Forgets the partitions of a former table: the kernel would refuse new ones that overlap them. */
export async function forgetPartitions(disk: string, { name, files, signal }: { readonly name: string; readonly files: SystemFiles; readonly signal: AbortSignal }): Promise<void> {
  if (partitionsOf(name, files).length > 0) await mustRun(['partx', '--delete', disk], { signal })
}

/** Kernel names of the partitions of a disk, with their numbers. */
export function partitionsOf(name: string, files: SystemFiles): { readonly name: string; readonly number: number }[] {
  const folder = `sys/block/${name}`
  return files.list(folder).filter((child) => files.exists(`${folder}/${child}/partition`)).map((child) => ({ name: child, number: files.number(`${folder}/${child}/partition`) }))
}

function line({ role, fs, start, bytes, number }: PlannedPartition, sector: number): string {
  const type = TYPES[fs === 'swap' ? 'swap' : role]
  return `${number} : start=${start / sector}, size=${bytes / sector}, type=${type}`
}

/** Waits until a partition of a disk has its device. */
export async function deviceOf(disk: string, { number, files, signal }: { readonly number: number; readonly files: SystemFiles; readonly signal: AbortSignal }): Promise<string> {
  const deadline = performance.now() + APPEAR_MS
  for (;;) {
    const found = partitionsOf(disk, files).find((partition) => partition.number === number)
    if (found !== undefined && files.exists(`dev/${found.name}`)) return `/dev/${found.name}`
    if (performance.now() > deadline) throw new NodeError('PROGRAM_FAILED', `partition ${number} of ${disk} did not appear within ${APPEAR_MS / 1000} s`)
    await delay(50, undefined, { signal })
  }
}
