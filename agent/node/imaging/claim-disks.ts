import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { digestBytes } from '../../../schemas/canonical.ts'
import type { EraseTask } from '../../../schemas/protocol.ts'
import { inspectDisk } from '../disks/inspect.ts'
import { inspectedDevice } from '../disks/inspect-all.ts'
import { removeStamp, writeStamp } from '../disks/stamp.ts'
import type { BlockDevice } from '../facts/block-devices.ts'
import type { SystemFiles } from '../facts/system-files.ts'
import { NodeError, systemCode } from '../node-error.ts'
import { refuseTwins } from './refuse-twins.ts'

/** A disk that is proved to be what was approved, and carries the stamp. */
export interface ClaimedDisk {
  readonly id: string
  /** Kernel name. */
  readonly name: string
}

/**
 * Looks at every target once more and stamps them: the only way onto a disk.
 *
 * All targets are checked before the first is written: each must be here, with the same serial and size, held by nothing,
 * and hold exactly what was approved, or carry the stamp of the interrupted attempt that the task names.
 *
 * @param prepare called when every target was looked at and is as approved, and before it is asked whether anything holds it.
 * @param held takes an open file of each disk, from before it is looked at: for as long as that is open the kernel gives
 *   the disk's name to no other one, whatever is unplugged and plugged in.
 * @throws {NodeError} DISK_MISSING, DISK_CHANGED, DISK_AMBIGUOUS, DISK_BUSY; then nothing was written anywhere.
 */
export async function claimDisks(
  { targets, expect, stamp }: Pick<EraseTask, 'targets' | 'expect' | 'stamp'>,
  { devices, files, signal, held, prepare }: { readonly devices: readonly BlockDevice[]; readonly files: SystemFiles; readonly signal: AbortSignal; readonly held: AsyncDisposableStack; readonly prepare?: (names: readonly string[]) => Promise<void> },
): Promise<ClaimedDisk[]> {
  const claimed: ClaimedDisk[] = []
  for (const target of targets) {
    const device = devices.find(({ id }) => id === target.id)
    if (device === undefined) throw new NodeError('DISK_MISSING', `there is no disk ${target.id} in this machine`)
    if (device.fact.serial !== target.serial || device.fact.bytes !== target.bytes) {
      throw new NodeError('DISK_CHANGED', `${target.id} is another disk: serial ${device.fact.serial}, ${device.fact.bytes} bytes; expected ${target.serial}, ${target.bytes} bytes`)
    }
    const expected = expect.find(({ id }) => id === target.id)
    if (expected === undefined) throw new NodeError('DISK_CHANGED', `nothing was approved for ${target.id}`)
    held.use(await open(`/dev/${device.name}`, 'r'))
    await refuseTwins(device, { devices, signal })
    const state = await inspectDisk(inspectedDevice(device, files), { signal })
    const resumed = expected.orStamp !== null && state.stamp === expected.orStamp
    if (!resumed && digestBytes(state.signature) !== expected.signature) {
      throw new NodeError('DISK_CHANGED', `${target.id} does not hold what was approved; it now holds: ${state.summary}`, { data: { signature: state.signature } })
    }
    claimed.push({ id: device.id, name: device.name })
  }
  await prepare?.(claimed.map(({ name }) => name))
  for (const { name } of claimed) await (await openDisk(name)).close()
  for (const { name } of claimed) {
    signal.throwIfAborted()
    await using disk = await openDisk(name)
    await writeStamp(disk, stamp)
  }
  return claimed
}

/** Takes the stamp off again: the disks are whole, and everybody knows it. */
export async function releaseDisks(disks: readonly ClaimedDisk[], { stamp }: { readonly stamp: string }): Promise<void> {
  for (const { name } of disks) {
    await using disk = await openDisk(name)
    await removeStamp(disk, stamp)
  }
}

/** O_EXCL on a block device fails when it, or a partition of it, is mounted or part of a RAID (open(2)). */
export async function openDisk(name: string): Promise<FileHandle> {
  try {
    return await open(`/dev/${name}`, constants.O_RDWR | constants.O_EXCL)
  } catch (error) {
    if (systemCode(error) !== 'EBUSY') throw error
    throw new NodeError('DISK_BUSY', `${name} is in use: something of it is mounted, or it is part of a RAID`, { cause: error })
  }
}
