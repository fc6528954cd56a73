import type { InstallDocument, InstallTarget } from '../../../schemas/install.ts'
import { NodeError } from '../node-error.ts'

/** What a partition is for. `mount` is null for the two that only start the machine. */
export interface PlannedPartition {
  readonly role: 'bios' | 'esp' | 'data'
  readonly number: number
  readonly start: number
  readonly bytes: number
  readonly fs: 'none' | 'vfat' | 'ext4' | 'xfs' | 'btrfs' | 'swap'
  readonly mount: string | null
}

/** How one disk will be laid out. */
export interface PlannedDisk {
  readonly target: InstallTarget
  readonly partitions: readonly PlannedPartition[]
}

const MIB = 1024 * 1024
const BIOS_BYTES = MIB
const ESP_BYTES = 256 * MIB
const LEAST_BYTES = 16 * MIB
const UNITS: Readonly<Record<string, number>> = { MiB: MIB, GiB: 1024 * MIB, TiB: 1024 * 1024 * MIB }
const FILESYSTEMS: ReadonlySet<string> = new Set(['vfat', 'ext4', 'xfs', 'btrfs', 'swap'])
const DEFAULT_LAYOUT = [{ on: 'system', mount: '/', fs: 'ext4', size: 'rest' }] as const

/**
 * Lays out the disks that the layout names; targets that it does not name get no partitions.
 *
 * The disk with `/` always gets a BIOS boot partition and an EFI system partition (256 MiB, at /boot/efi), so that it boots
 * either way. Sizes are rounded down to whole MiB; everything begins on a MiB. `rest` takes what the others leave, a
 * percentage is of the whole disk. The last MiB stays free for the table's copy.
 *
 * @throws {NodeError} IMAGE_RAID_UNSUPPORTED when the layout puts something on several disks; INSTALL_UNSUPPORTED for a
 *   layout that cannot be; DISK_TOO_SMALL.
 */
export function planPartitions(install: Pick<InstallDocument, 'layout' | 'targets'>): PlannedDisk[] {
  const layout = install.layout.length === 0 ? DEFAULT_LAYOUT : install.layout
  check(layout)
  return [...new Set(layout.map(({ on }) => on))].map((entry) => {
    const targets = install.targets.filter((target) => target.entry === entry)
    const [target] = targets
    if (target === undefined) throw new NodeError('INSTALL_UNSUPPORTED', `the layout names ${entry}, and no disk was chosen for it`)
    if (targets.length > 1) {
      throw new NodeError('IMAGE_RAID_UNSUPPORTED', `the layout puts a filesystem on ${entry}, which is ${targets.length} disks; imaging writes to single disks only`)
    }
    return { target, partitions: layOut(target, layout.filter(({ on }) => on === entry)) }
  })
}

function check(layout: InstallDocument['layout']): void {
  const mounts = layout.map(({ mount }) => mount).filter((mount) => mount !== 'swap')
  const twice = mounts.find((mount, index) => mounts.indexOf(mount) !== index)
  if (twice !== undefined) throw new NodeError('INSTALL_UNSUPPORTED', `the layout mounts two things at ${twice}`)
  if (!mounts.includes('/')) throw new NodeError('INSTALL_UNSUPPORTED', 'the layout has nothing for /')
  if (mounts.includes('/boot/efi')) throw new NodeError('INSTALL_UNSUPPORTED', '/boot/efi is made by itself; leave it out of the layout')
  for (const { mount, fs } of layout) {
    const clean = mount === 'swap' || mount === '/' || (/^(\/[^/\s\\]+)+$/.test(mount) && !mount.split('/').some((part) => part === '.' || part === '..'))
    if (!clean) throw new NodeError('INSTALL_UNSUPPORTED', `not a place to mount at: ${mount}`)
    if (!FILESYSTEMS.has(fs)) throw new NodeError('INSTALL_UNSUPPORTED', `imaging cannot make ${fs}`)
    if ((mount === 'swap') !== (fs === 'swap')) throw new NodeError('INSTALL_UNSUPPORTED', `${mount} cannot be ${fs}`)
  }
}

function layOut(target: InstallTarget, rows: InstallDocument['layout']): PlannedPartition[] {
  const system = rows.some(({ mount }) => mount === '/')
  const fixed = system ? [{ role: 'bios' as const, fs: 'none' as const, mount: null, bytes: BIOS_BYTES }, { role: 'esp' as const, fs: 'vfat' as const, mount: '/boot/efi', bytes: ESP_BYTES }] : []
  const room = Math.floor(target.bytes / MIB) * MIB - 2 * MIB - fixed.reduce((sum, { bytes }) => sum + bytes, 0)
  const rests = rows.filter(({ size }) => size === 'rest')
  if (rests.length > 1) throw new NodeError('INSTALL_UNSUPPORTED', `two parts of ${target.entry} cannot both have the rest`)
  const sizes = rows.map(({ size }) => (size === 'rest' ? 0 : sizeOf(size, target.bytes)))
  const left = room - sizes.reduce((sum, bytes) => sum + bytes, 0)
  // `rest` goes last, whatever the order of the rows: it can then grow with the disk.
  const data = rows
    .map(({ mount, fs, size }, index) => ({ role: 'data' as const, fs: fs as PlannedPartition['fs'], mount, rest: size === 'rest', bytes: size === 'rest' ? left : (sizes[index] ?? 0) }))
    .toSorted((a, b) => Number(a.rest) - Number(b.rest))
  if (left < 0 || data.some(({ bytes }) => bytes < LEAST_BYTES)) {
    throw new NodeError('DISK_TOO_SMALL', `the layout does not fit on ${target.entry} (${target.serial === '' ? target.id : target.serial}, ${target.bytes} bytes)`)
  }
  let start = MIB
  return [...fixed, ...data].map(({ role, fs, mount, bytes }, index) => {
    const partition = { role, number: index + 1, start, bytes, fs, mount }
    start += bytes
    return partition
  })
}

function sizeOf(size: string, disk: number): number {
  const [, amount = '', unit = ''] = /^([0-9]+)(MiB|GiB|TiB|%)$/.exec(size) ?? []
  if (amount === '') throw new NodeError('INSTALL_UNSUPPORTED', `not a size: ${size}`)
  const bytes = unit === '%' ? (disk / 100) * Number(amount) : Number(amount) * (UNITS[unit] ?? 0)
  return Math.floor(bytes / MIB) * MIB
}
