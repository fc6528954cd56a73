import { open } from 'node:fs/promises'
import { runProgram } from '../run-program.ts'
import type { BlockDevice } from '../facts/block-devices.ts'
import { NodeError } from '../node-error.ts'

/** What is compared of two disks: so much at either end, bytes. */
const END = 4 * 1024 * 1024

/**
 * Refuses a target that may be another disk of this machine, seen over another path: to write it would write a disk that
 * is to be kept. Only looks that are suspicious are looked at twice, and then for reading.
 *
 * Two disks with one WWN are one disk. With one serial, or neither and one size, they are taken for one when both their
 * ends are equal; without any name only when there is something on them: two new disks of a virtual machine look alike.
 *
 * @throws {NodeError} DISK_AMBIGUOUS
 */
export async function refuseTwins(target: BlockDevice, { devices, signal }: { readonly devices: readonly BlockDevice[]; readonly signal: AbortSignal }): Promise<void> {
  for (const other of devices) {
    if (other.name === target.name) continue
    const why = await likeness(target, { other, signal })
    if (why === undefined) continue
    throw new NodeError('DISK_AMBIGUOUS', `${target.id} and ${other.id} may be one disk: ${why}. Nothing was written. Disks over several paths (multipath) are not supported: leave one path connected, or give the disks serial numbers of their own`)
  }
}

async function likeness(target: BlockDevice, { other, signal }: { readonly other: BlockDevice; readonly signal: AbortSignal }): Promise<string | undefined> {
  if (target.fact.bytes !== other.fact.bytes) return undefined
  const nameless = target.id.startsWith('path:') && other.id.startsWith('path:')
  if (target.shared !== null && target.shared === other.shared) {
    if (target.shared.startsWith('wwn:')) return `both say that they are ${target.shared}`
    return (await equalEnds(target, { other, signal })) === 'different' ? undefined : `both say that they are ${target.shared}, and hold the same`
  }
  if (!nameless || target.shared !== null || other.shared !== null) return undefined
  return (await equalEnds(target, { other, signal })) === 'equal' ? 'neither has a serial number, they are of one size and hold the same' : undefined
}

/** `zeros`: equal, and nothing at either end. */
async function equalEnds(one: BlockDevice, { other, signal }: { readonly other: BlockDevice; readonly signal: AbortSignal }): Promise<'equal' | 'zeros' | 'different'> {
  const ends = async ({ name, fact }: BlockDevice): Promise<Buffer> => {
    await runProgram(['blockdev', '--flushbufs', `/dev/${name}`], { signal })
    await using disk = await open(`/dev/${name}`, 'r')
    const length = Math.min(END, fact.bytes)
    const both = Buffer.alloc(2 * length)
    await disk.read(both, 0, length, 0)
    await disk.read(both, length, length, fact.bytes - length)
    return both
  }
  const [a, b] = await Promise.all([ends(one), ends(other)])
  if (!a.equals(b)) return 'different'
  return a.some((byte) => byte !== 0) ? 'equal' : 'zeros'
}
