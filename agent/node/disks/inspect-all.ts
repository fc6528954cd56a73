import type { DiskState } from '../../../schemas/inventory.ts'
import type { BlockDevice } from '../facts/block-devices.ts'
import type { SystemFiles } from '../facts/system-files.ts'
import { inspectDisk } from './inspect.ts'
import type { InspectedDevice } from './inspect.ts'

/** Disks read at once: each is a device of its own, so this bounds memory and not speed. */
const AT_ONCE = 16

/** Looks at all disks, in the order given. One that cannot be read at all is reported as not blank. */
export async function inspectAll(devices: readonly BlockDevice[], { files, signal }: { readonly files: SystemFiles; readonly signal: AbortSignal }): Promise<DiskState[]> {
  const states: DiskState[] = []
  for (let at = 0; at < devices.length; at += AT_ONCE) {
    states.push(...(await Promise.all(devices.slice(at, at + AT_ONCE).map((device) => inspectOrReport(inspectedDevice(device, files), signal)))))
  }
  return states
}

/** A block device with the path and the sector size under which it can be opened. */
export function inspectedDevice(device: BlockDevice, files: SystemFiles): InspectedDevice {
  return { id: device.id, fact: device.fact, path: `/dev/${device.name}`, sector: files.number(`sys/block/${device.name}/queue/logical_block_size`) || 512 }
}

async function inspectOrReport(device: InspectedDevice, signal: AbortSignal): Promise<DiskState> {
  try {
    return await inspectDisk(device, { signal })
  } catch (error) {
    signal.throwIfAborted()
    const { serial, model, bytes } = device.fact
    const message = error instanceof Error ? error.message : String(error)
    return { id: device.id, serial, model, bytes, blank: false, signature: JSON.stringify({ version: 1, unreadable: message }), summary: `cannot be read: ${message}`, stamp: null }
  }
}
