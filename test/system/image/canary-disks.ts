import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, openSync, writeSync, closeSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { makeDiskFile } from '../../../agent/rack/disk-file.ts'
import { mdSuperblock } from '../../../agent/rack/md-superblock.ts'
import type { GuestDisk } from '../imaging/guest.ts'

const MIB = 1024 * 1024
export const CANARY_BYTES = 64 * MIB
/** Debian packages whose programs make what is on the disks. */
export const CANARY_PACKAGES = ['lvm2', 'cryptsetup-bin', 'xfsprogs', 'btrfs-progs', 'e2fsprogs', 'fdisk', 'mount'] as const

/** A disk with something on it, and what is to be said of it. */
export interface CanaryDisk extends GuestDisk {
  readonly summary: string
}

/** Makes disks that hold everything that a kernel or a udev might open, assemble or activate unasked. */
export async function makeCanaryDisks(folder: string): Promise<readonly CanaryDisk[]> {
  const disks: CanaryDisk[] = []
  const add = async (serial: string, summary: string, fill: (file: string) => unknown): Promise<void> => {
    const file = join(folder, `${serial}.img`)
    writeFileSync(file, '')
    truncateSync(file, CANARY_BYTES)
    await fill(file)
    disks.push({ file, serial, summary })
  }
  await add('MD-12', 'linux_raid_member "canary"', file => put(file, 4096, mdSuperblock({ serial: 'MD-12', bytes: CANARY_BYTES })))
  await add('MD-10', 'linux_raid_member "canary"', file => put(file, CANARY_BYTES - 8192, mdSuperblock({ serial: 'MD-10', bytes: CANARY_BYTES, atEnd: true })))
  await add('MD-09-PART', 'gpt: linux_raid_member', file => {
    const bytes = CANARY_BYTES - 2 * MIB
    partition(file, 'A19D880F-05FC-4D3B-A006-743F0F84911E')
    // 64 KiB before the end, rounded down to 64 KiB.
    put(file, MIB + bytes - 65_536, oldSuperblock('MD-09-PART', bytes))
  })
  await add('LVM-DISK', 'LVM2_member', file => volumeGroup(file, { folder, name: 'vgdisk', partitioned: false }))
  await add('LVM-PART', 'gpt: LVM2_member', file => {
    partition(file, 'E6D6D379-F507-44C2-A23C-238F2A3DF928')
    volumeGroup(file, { folder, name: 'vgpart', partitioned: true })
  })
  for (const version of ['1', '2']) {
    await add(`LUKS-${version}`, 'crypto_LUKS', file => execFileSync('cryptsetup', ['luksFormat', '--type', `luks${version}`, '--batch-mode', '--pbkdf', 'pbkdf2', '--pbkdf-force-iterations', '1000', '--key-file', '-', file], { input: 'secret', env: ENV }))
  }
  await add('EXT4', 'ext4 "whole"', file => run('mkfs.ext4', '-q', '-F', '-L', 'whole', file))
  // The smallest that mkfs.xfs and mkfs.btrfs make.
  await add('XFS', 'xfs "old"', file => {
    truncateSync(file, 300 * MIB)
    run('mkfs.xfs', '-q', '-L', 'old', file)
  })
  await add('BTRFS', 'btrfs "old"', file => {
    truncateSync(file, 2 * CANARY_BYTES)
    run('mkfs.btrfs', '-q', '-L', 'old', file)
  })
  await add('ZFS', 'zfs_member', file => {
    // Uberblocks of the first label, as many as libblkid wants to see.
    for (let index = 0; index < 8; index++) put(file, 128 * 1024 + index * 1024, Buffer.from('0cb1ba0000000000', 'hex'))
  })
  const random = join(folder, 'RANDOM.img')
  await makeDiskFile(random, { disk: { bytes: CANARY_BYTES, bus: 'virtio', serial: 'RANDOM', content: 'random', canary: true }, signal: AbortSignal.timeout(60_000) })
  disks.push({ file: random, serial: 'RANDOM', summary: 'unknown data' })
  return disks
}

const ENV = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C.UTF-8' }

function run(program: string, ...args: string[]): string {
  return execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], env: ENV })
}

function put(file: string, at: number, bytes: Buffer): void {
  const disk = openSync(file, 'r+')
  writeSync(disk, bytes, 0, bytes.length, at)
  closeSync(disk)
}

function partition(file: string, type: string): void {
  execFileSync('sfdisk', ['--quiet', file], { input: `label: gpt\nunit: sectors\nstart=2048, size=${CANARY_BYTES / 512 - 4096}, type=${type}\n`, env: ENV })
}

/** A volume group with a volume in it that holds a filesystem; nothing of this machine but the file is looked at. */
function volumeGroup(file: string, { folder, name, partitioned }: { readonly folder: string; readonly name: string; readonly partitioned: boolean }): void {
  const device = run('losetup', '--find', '--show', ...(partitioned ? ['--offset', String(MIB), '--sizelimit', String(CANARY_BYTES - 2 * MIB)] : []), file).trim()
  try {
    const system = join(folder, 'lvm')
    mkdirSync(system, { recursive: true })
    const config = `devices { filter = [ "a|^${device}$|", "r|.*|" ] use_devicesfile = 0 } activation { udev_sync = 0 udev_rules = 0 } backup { backup = 0 archive = 0 }`
    const lvm = (...args: string[]): void => void execFileSync('lvm', [...args, '--config', config], { stdio: 'pipe', env: { ...ENV, LVM_SYSTEM_DIR: system, LVM_SUPPRESS_FD_WARNINGS: '1' } })
    lvm('pvcreate', device)
    lvm('vgcreate', name, device)
    lvm('lvcreate', '--driverloaded', 'n', '--activate', 'n', '--zero', 'n', '--wipesignatures', 'n', '--size', '16m', '--name', 'data', name)
  } finally {
    run('losetup', '--detach', device)
  }
}

/** A superblock of version 0.90 of a mirror of one disk (`include/uapi/linux/raid/md_p.h`), by 32-bit words. */
function oldSuperblock(serial: string, bytes: number): Buffer {
  const block = Buffer.alloc(4096)
  const id = createHash('sha256').update(serial).digest()
  const words: Readonly<Record<number, number>> = {
    0: 0xa92b4efc, 1: 0, 2: 90, 5: id.readUInt32LE(0), 7: 1, 8: (bytes - 65_536) / 1024, 9: 1, 10: 1, 13: id.readUInt32LE(4), 14: id.readUInt32LE(8), 15: id.readUInt32LE(12),
    // Clean; one disk, active, working.
    33: 1, 34: 1, 35: 1, 39: 1, 131: 0, 132: 6, 995: 0, 996: 6,
  }
  for (const [word, value] of Object.entries(words)) block.writeUInt32LE(value, Number(word) * 4)
  let sum = 0n
  for (let at = 0; at < block.length; at += 4) sum += BigInt(block.readUInt32LE(at))
  block.writeUInt32LE(Number((sum & 0xffffffffn) + (sum >> 32n)) >>> 0, 38 * 4)
  return block
}
