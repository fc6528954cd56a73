/** A program of the discovery image and the Debian package that has it. */
export interface ImageProgram {
  readonly program: string
  readonly package: string
}

/**
 * What the node agent may call in the discovery image beyond busybox's applets. Programs of packages are found before
 * applets of the same name. The libraries that they need are added by themselves.
 */
export const IMAGE_PROGRAMS: readonly ImageProgram[] = [
  ...from('util-linux', ['blkid', 'blkdiscard', 'blockdev', 'lsblk', 'mkswap', 'partx', 'wipefs']),
  ...from('mount', ['losetup', 'mount', 'umount']),
  ...from('fdisk', ['sfdisk']),
  ...from('e2fsprogs', ['e2fsck', 'mke2fs', 'mkfs.ext4', 'resize2fs', 'tune2fs']),
  ...from('dosfstools', ['fsck.vfat', 'mkfs.fat', 'mkfs.vfat']),
  ...from('xfsprogs', ['mkfs.xfs']),
  ...from('btrfs-progs', ['mkfs.btrfs']),
  ...from('mdadm', ['mdadm']),
  ...from('dmsetup', ['dmsetup']),
  ...from('tar', ['tar']),
  ...from('zstd', ['zstd']),
  ...from('ethtool', ['ethtool']),
]

/** Files that programs read, by package; at the same place in the image. */
export const IMAGE_FILES: readonly { readonly path: string; readonly package: string }[] = [
  { path: 'etc/mke2fs.conf', package: 'e2fsprogs' },
]

/** What machines that boot from the network are given first, beside the image. Which of them a machine gets is for the boot server to say. */
export const IMAGE_LOADERS: readonly { readonly path: string; readonly package: string }[] = [
  { path: 'usr/lib/ipxe/undionly.kpxe', package: 'ipxe' },
  { path: 'usr/lib/ipxe/ipxe.efi', package: 'ipxe' },
]

/** Names of the packages that the image is made from, without the kernel. `libstdc++6` is the runtime's. */
export const IMAGE_PACKAGES: readonly string[] = [
  ...new Set(['busybox-static', 'libstdc++6', ...[...IMAGE_PROGRAMS, ...IMAGE_FILES, ...IMAGE_LOADERS].map(one => one.package)]),
].toSorted()

function from(name: string, programs: readonly string[]): ImageProgram[] {
  return programs.map(program => ({ program, package: name }))
}
