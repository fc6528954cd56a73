import type { InstallDocument, InstallTarget } from '../../../schemas/install.ts'
import { NodeError } from '../node-error.ts'

export type Filesystem = 'none' | 'vfat' | 'ext4' | 'xfs' | 'btrfs' | 'swap'
export type RaidLevel = NonNullable<InstallDocument['raid']>[string]

/** What a partition is for: the first two only start the machine, `member` is part of an array. `mount` is null for what is not mounted. */
export interface PlannedPartition {
  readonly role: 'bios' | 'esp' | 'data' | 'member'
  readonly number: number
  readonly start: number
  readonly bytes: number
  readonly fs: Filesystem
  readonly mount: string | null
}

/** How one disk will be laid out. */
export interface PlannedDisk {
  readonly target: InstallTarget
  readonly partitions: readonly PlannedPartition[]
}

/** An array, made of the partition of one number on each of its disks. `fs` is `none` when nothing is to be on it. */
export interface PlannedArray {
  /** `/dev/md/<name>`, 32 characters at most. */
  readonly name: string
  readonly level: RaidLevel
  readonly disks: readonly InstallTarget[]
  readonly number: number
  readonly fs: Filesystem
  readonly mount: string | null
}

export interface DiskPlan {
  readonly disks: readonly PlannedDisk[]
  readonly arrays: readonly PlannedArray[]
}

const MIB = 1024 * 1024
const BIOS_BYTES = MIB
const ESP_BYTES = 256 * MIB
const LEAST_BYTES = 16 * MIB
const UNITS: Readonly<Record<string, number>> = { MiB: MIB, GiB: 1024 * MIB, TiB: 1024 * 1024 * MIB }
const FILESYSTEMS: ReadonlySet<string> = new Set(['vfat', 'ext4', 'xfs', 'btrfs', 'swap'])
const DEFAULT_LAYOUT = [{ on: 'system', mount: '/', fs: 'ext4', size: 'rest' }] as const
/** How many disks' worth of data an array of so many disks holds. */
const CAPACITY: Readonly<Record<RaidLevel, (disks: number) => number>> = { 0: (n) => n, 1: () => 1, 5: (n) => n - 1, 6: (n) => n - 2, 10: (n) => n / 2 }
const FEWEST: Readonly<Record<RaidLevel, number>> = { 0: 2, 1: 2, 5: 3, 6: 4, 10: 4 }

interface Row {
  readonly mount: string | null
  readonly fs: Filesystem
  readonly size: string
}

/**
 * Lays out the disks that the layout names or an array joins; other targets get no partitions.
 *
 * The disk with `/`, of a mirror every one, gets a BIOS boot partition and an EFI system partition (256 MiB, the first one at
 * /boot/efi), so that it boots either way. Sizes are rounded down to whole MiB; everything begins on a MiB. `rest` takes what
 * the others leave, a percentage is of the whole disk. The last MiB stays free for the table's copy.
 *
 * The disks of an array are laid out alike, as the smallest of them allows, with one array for each row of the layout, and
 * without a row one over all of them. What an array keeps for itself counts as part of its size.
 *
 * @throws {NodeError} IMAGE_RAID_UNSUPPORTED when the layout puts something on several disks that no array joins, or the
 *   system on an array that is not a mirror; INSTALL_UNSUPPORTED for a layout that cannot be; DISK_TOO_SMALL.
 */
export function planDisks(install: Pick<InstallDocument, 'layout' | 'targets' | 'raid'>): DiskPlan {
  const layout = install.layout.length === 0 ? DEFAULT_LAYOUT : install.layout
  check(layout)
  const disks: PlannedDisk[] = []
  const arrays: PlannedArray[] = []
  for (const entry of new Set([...layout.map(({ on }) => on), ...Object.keys(install.raid ?? {})])) {
    const targets = install.targets.filter((target) => target.entry === entry)
    const rows = layout.filter(({ on }) => on === entry) as readonly Row[]
    const level = install.raid?.[entry]
    if (targets.length === 0) throw new NodeError('INSTALL_UNSUPPORTED', `the layout names ${entry}, and no disk was chosen for it`)
    if (level === undefined) {
      if (targets.length > 1) throw new NodeError('IMAGE_RAID_UNSUPPORTED', `the layout puts a filesystem on ${entry}, which is ${targets.length} disks that no array joins`)
      for (const target of targets) disks.push({ target, partitions: layOut(target, { rows, bytes: target.bytes }) })
      continue
    }
    checkArray(entry, { level, targets, rows })
    const bytes = Math.min(...targets.map((target) => target.bytes))
    const all: readonly Row[] = rows.length === 0 ? [{ mount: null, fs: 'none', size: 'rest' }] : rows
    for (const target of targets) {
      const partitions = layOut(target, { rows: all, bytes, share: CAPACITY[level](targets.length) })
      disks.push({ target, partitions: partitions.map((one) => (one.role === 'data' ? { ...one, role: 'member', fs: 'none', mount: null } : target === targets[0] ? one : { ...one, mount: null })) })
      if (target !== targets[0]) continue
      for (const { role, number, fs, mount } of partitions) {
        if (role === 'data') arrays.push({ name: rows.length === 0 ? entry : `${entry}-${number}`, level, disks: targets, number, fs, mount })
      }
    }
  }
  return { disks, arrays }
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

function checkArray(entry: string, { level, targets, rows }: { readonly level: RaidLevel; readonly targets: readonly InstallTarget[]; readonly rows: readonly Row[] }): void {
  if (targets.length < FEWEST[level]) throw new NodeError('IMAGE_RAID_UNSUPPORTED', `RAID ${level} needs ${FEWEST[level]} disks, and ${entry} is ${targets.length}`)
  // Firmware and boot loader read one disk; only of a mirror that is all.
  const boots = rows.find(({ mount }) => mount === '/' || mount === '/boot')
  if (boots !== undefined && level !== 1) throw new NodeError('IMAGE_RAID_UNSUPPORTED', `${boots.mount} is on ${entry}, which is RAID ${level}; a machine starts from one disk or RAID 1`)
  if (!/^[a-z][a-z0-9-]{0,27}$/.test(entry)) throw new NodeError('IMAGE_RAID_UNSUPPORTED', `not a name for an array: ${entry}`)
}

/** @param share how many such partitions hold what a row asks for. */
function layOut(target: InstallTarget, { rows, bytes: disk, share = 1 }: { readonly rows: readonly Row[]; readonly bytes: number; readonly share?: number }): PlannedPartition[] {
  const system = rows.some(({ mount }) => mount === '/')
  const fixed = system ? [{ role: 'bios' as const, fs: 'none' as const, mount: null, bytes: BIOS_BYTES }, { role: 'esp' as const, fs: 'vfat' as const, mount: '/boot/efi', bytes: ESP_BYTES }] : []
  const room = Math.floor(disk / MIB) * MIB - 2 * MIB - fixed.reduce((sum, { bytes }) => sum + bytes, 0)
  const rests = rows.filter(({ size }) => size === 'rest')
  if (rests.length > 1) throw new NodeError('INSTALL_UNSUPPORTED', `two parts of ${target.entry} cannot both have the rest`)
  const sizes = rows.map(({ size }) => (size === 'rest' ? 0 : sizeOf(size, { disk, share })))
  const left = room - sizes.reduce((sum, bytes) => sum + bytes, 0)
  // `rest` goes last, whatever the order of the rows: it can then grow with the disk.
  const data = rows
    .map(({ mount, fs, size }, index) => ({ role: 'data' as const, fs, mount, rest: size === 'rest', bytes: size === 'rest' ? left : (sizes[index] ?? 0) }))
    .toSorted((a, b) => Number(a.rest) - Number(b.rest))
  if (left < 0 || data.some(({ bytes }) => bytes < LEAST_BYTES)) {
    throw new NodeError('DISK_TOO_SMALL', `the layout does not fit on ${target.entry} (${target.serial === '' ? target.id : target.serial}, ${disk} bytes)`)
  }
  let start = MIB
  return [...fixed, ...data].map(({ role, fs, mount, bytes }, index) => {
    const partition = { role, number: index + 1, start, bytes, fs, mount }
    start += bytes
    return partition
  })
}

function sizeOf(size: string, { disk, share }: { readonly disk: number; readonly share: number }): number {
  const [, amount = '', unit = ''] = /^([0-9]+)(MiB|GiB|TiB|%)$/.exec(size) ?? []
  if (amount === '') throw new NodeError('INSTALL_UNSUPPORTED', `not a size: ${size}`)
  const bytes = unit === '%' ? (disk / 100) * Number(amount) : (Number(amount) * (UNITS[unit] ?? 0)) / share
  return Math.floor(bytes / MIB) * MIB
}
