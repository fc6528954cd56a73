import { mustRun } from '../run-program.ts'
import type { Filesystem } from './partition-plan.ts'

/** Something that a system mounts, or has made for others: a partition or an array. */
export interface Volume {
  readonly device: string
  readonly fs: Filesystem
  readonly mount: string | null
  /** As `fstab` names it; empty for one without a filesystem. */
  readonly uuid: string
}

/** Makes a filesystem on a device whose signatures are gone. @returns its UUID; empty for none. */
export async function makeFilesystem({ fs, mount, device }: Omit<Volume, 'uuid'>, { signal }: { readonly signal: AbortSignal }): Promise<string> {
  const run = async (...argv: [string, ...string[]]): Promise<void> => void (await mustRun([...argv, device] as [string, ...string[]], { signal }))
  const label = mount === null ? '' : mount === '/' ? 'root' : mount.split('/').at(-1) ?? ''
  switch (fs) {
    case 'none':
      return ''
    case 'vfat':
      // Without a place it is the EFI system partition of another disk of a mirror.
      await run('mkfs.vfat', '-F', '32', '-n', (label === '' ? 'EFI' : label).toUpperCase().slice(0, 11))
      break
    case 'ext4':
      await run('mkfs.ext4', '-q', '-F', '-L', label.slice(0, 16))
      break
    case 'xfs':
      await run('mkfs.xfs', '-q', '-f', '-L', label.slice(0, 12))
      break
    case 'btrfs':
      await run('mkfs.btrfs', '-q', '-f', '-L', label)
      break
    case 'swap':
      await run('mkswap', '-q')
      break
  }
  return (await mustRun(['blkid', '-p', '-s', 'UUID', '-o', 'value', device], { signal })).trim()
}
