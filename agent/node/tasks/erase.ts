import type { EraseTask } from '../../../schemas/protocol.ts'
import { inspectDisk } from '../disks/inspect.ts'
import { inspectedDevice } from '../disks/inspect-all.ts'
import { STAMP_AREA } from '../disks/stamp.ts'
import type { TaskContext, TaskEnd } from '../executor.ts'
import type { BlockDevice } from '../facts/block-devices.ts'
import type { SystemFiles } from '../facts/system-files.ts'
import { claimDisks, openDisk, releaseDisks } from '../imaging/claim-disks.ts'
import { stopStacksOn } from '../imaging/stop-stacks.ts'
import { forgetPartitions } from '../imaging/write-partitions.ts'
import { zeroDisk } from '../imaging/zero-disk.ts'
import { NodeError } from '../node-error.ts'

/** What an erasure needs of the machine that it runs on. */
export interface EraseOptions {
  readonly context: TaskContext
  readonly devices: readonly BlockDevice[]
  readonly files: SystemFiles
}

/**
 * Overwrites the chosen disks with zeros, all at once, and proves that they are blank.
 *
 * Nothing is written before each was proved to be what was approved; the first write is the stamp, which lets an
 * interrupted erasure begin anew. Other disks are opened for nothing, or, where one might be a target by another path, for
 * reading. Arrays and volumes that run on the targets alone are stopped. The stamp goes when the agent has acknowledged the result.
 *
 * @throws {NodeError} DISK_MISSING, DISK_CHANGED, DISK_AMBIGUOUS, DISK_BUSY, DISK_TOO_SMALL: then nothing was written; DISK_NOT_ERASED.
 */
export async function runErase({ targets, expect, stamp }: EraseTask, { context, devices, files }: EraseOptions): Promise<TaskEnd> {
  const { signal } = context
  const say = (message: string): void => context.output('progress', message)
  const small = targets.find(({ bytes }) => bytes <= 2 * STAMP_AREA.start)
  if (small !== undefined) throw new NodeError('DISK_TOO_SMALL', `${small.id} has ${small.bytes} bytes, which leaves no room for the stamp`)
  say('looking at the disks')
  await using held = new AsyncDisposableStack()
  const disks = await claimDisks({ targets, expect, stamp }, { devices, files, signal, held, prepare: (names) => stopStacksOn(names, { files, signal }) })
  const ended = await Promise.allSettled(disks.map(async ({ id, name }) => {
    const target = targets.find((one) => one.id === id)
    const device = devices.find((one) => one.id === id)
    if (target === undefined || device === undefined) throw new NodeError('DISK_MISSING', `there is no disk ${id} in this machine`)
    const words = `${target.entry} (${target.serial || id})`
    await forgetPartitions(`/dev/${name}`, { name, files, signal })
    say(`erasing ${words}`)
    const disk = held.use(await openDisk(name))
    await zeroDisk({ name, bytes: target.bytes, disk, signal, onProgress: (done) => say(`erased ${(done / 1e9).toFixed(1)} of ${(target.bytes / 1e9).toFixed(1)} GB of ${words}`) })
    const state = await inspectDisk(inspectedDevice(device, files), { signal })
    if (!state.blank) throw new NodeError('DISK_NOT_ERASED', `${id} was overwritten and is not blank; it holds: ${state.summary}`)
  }))
  for (const one of ended) if (one.status === 'rejected') throw one.reason
  context.onAcknowledged(() => releaseDisks(disks, { stamp }))
  say('the disks are blank')
  return { outcome: 'succeeded', provides: {} }
}
