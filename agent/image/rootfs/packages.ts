/**
 * What a root filesystem is for. `machine`: any hardware, with Debian's full kernel. `virtual-machine`: the same with the
 * kernel for virtual machines, a quarter of the size. `container`: no kernel, no bootloader.
 */
export type RootfsFlavour = 'machine' | 'virtual-machine' | 'container'

/** In every flavour: an init, the network, what an operator and the node agent expect. `libstdc++6` is the runtime's. */
const COMMON = ['dbus', 'iproute2', 'libstdc++6', 'netbase', 'procps', 'systemd', 'systemd-sysv', 'zstd']

/** Both bootloaders' files, without the packages that would write a boot sector when they are configured; what starts from an array. */
const BOOTED = ['e2fsprogs', 'grub-common', 'grub2-common', 'initramfs-tools', 'kmod', 'mdadm', 'udev']

const BOOTLOADERS: Readonly<Record<string, readonly string[]>> = {
  amd64: ['grub-efi-amd64-bin', 'grub-pc-bin'],
  arm64: ['grub-efi-arm64-bin'],
}

/** The packages that a flavour has beyond Debian's required ones, sorted. */
export function rootfsPackages(flavour: RootfsFlavour, architecture: string): string[] {
  if (flavour === 'container') return COMMON.toSorted()
  const kernel = flavour === 'machine' ? `linux-image-${architecture}` : `linux-image-cloud-${architecture}`
  return [...COMMON, ...BOOTED, ...BOOTLOADERS[architecture] ?? [], kernel].toSorted()
}

/** Part of what decides a root filesystem: changes when how it is built changes in a way that the other inputs do not show. */
export const ROOTFS_RECIPE = 3
