/**
 * The kernel modules of the discovery image, by what they are for; what these depend on is added by itself. A name is a
 * module's own (underscores). A module that the kernel has built in is skipped; one that it does not have is an error
 * unless it is listed in `OPTIONAL`.
 */
export const KERNEL_MODULES: Readonly<Record<string, readonly string[]>> = {
  bus: [
    'virtio_pci', 'virtio_mmio', 'virtio_rng', 'hv_vmbus', 'xhci_pci', 'ehci_pci', 'ohci_pci', 'uhci_hcd', 'usbhid', 'hid_generic', 'i8042', 'atkbd', 'vmd',
  ],
  network: [
    'virtio_net', 'vmxnet3', 'hv_netvsc', 'xen_netfront', 'ena', 'gve',
    'e1000', 'e1000e', 'igb', 'igbvf', 'igc', 'ixgbe', 'ixgbevf', 'i40e', 'iavf', 'ice',
    'tg3', 'bnx2', 'bnx2x', 'bnxt_en', 'mlx4_en', 'mlx5_core', 'cxgb4', 'be2net', 'qede', 'sfc', 'enic', 'atlantic',
    'r8169', 'realtek', '8139cp', '8139too', 'pcnet32', 'forcedeth', 'sky2', 'alx', 'atl1c', 'r8152', 'ax88179_178a', 'cdc_ether',
    'bonding', '8021q',
  ],
  storage: [
    'nvme', 'ahci', 'ata_piix', 'ata_generic', 'virtio_blk', 'virtio_scsi', 'sd_mod', 'sr_mod', 'sg', 'usb_storage', 'uas',
    'megaraid_sas', 'mpt3sas', 'mptsas', 'mptspi', 'mpi3mr', 'aacraid', 'hpsa', 'smartpqi', 'arcmsr', 'pm80xx', 'mvsas', 'isci',
    'qla2xxx', 'lpfc', 'vmw_pvscsi', 'hv_storvsc', 'xen_blkfront', 'mmc_block', 'sdhci_pci', 'sdhci_acpi',
  ],
  filesystem: [
    'ext4', 'vfat', 'xfs', 'btrfs', 'isofs', 'squashfs', 'overlay', 'loop', 'efivarfs', 'nls_ascii', 'nls_cp437', 'nls_iso8859_1', 'nls_utf8',
    'crc32c_generic', 'crc32c_intel', 'crct10dif_pclmul',
  ],
  raid: ['md_mod', 'raid0', 'raid1', 'raid10', 'raid456', 'dm_mod', 'dm_crypt'],
  management: ['ipmi_si', 'ipmi_devintf', 'dmi_sysfs'],
}

/** Not in every architecture's kernel. */
const OPTIONAL: ReadonlySet<string> = new Set([
  'hv_vmbus', 'hv_netvsc', 'hv_storvsc', 'xen_netfront', 'xen_blkfront', 'vmd', 'vmxnet3', 'vmw_pvscsi', 'isci', 'pcnet32',
  'crc32c_intel', 'crct10dif_pclmul', 'i8042', 'atkbd', 'ipmi_si', 'gve',
])

/** What a kernel's module folder says about its modules; paths are relative to that folder. */
export interface ModuleIndex {
  /** Text of `modules.dep`: a module's path, a colon, the paths of what it needs. */
  readonly dependencies: string
  /** Text of `modules.softdep`: `softdep NAME pre: A B post: C`. */
  readonly softDependencies: string
  /** Text of `modules.builtin`: paths. */
  readonly builtin: string
}

/** The modules to copy, and the names that this kernel has not got and should have. */
export interface ModuleSelection {
  /** Relative to the module folder, sorted. */
  readonly paths: readonly string[]
  readonly missing: readonly string[]
}

/** Chooses modules by name with all that they need, also what they ask to be loaded before or after them if it is there. */
export function selectModules(names: readonly string[], index: ModuleIndex): ModuleSelection {
  const needs = new Map(index.dependencies.split('\n').filter(line => line.includes(':')).map(line => {
    const [path = '', rest = ''] = line.split(':')
    return [path, rest.trim().split(/\s+/).filter(one => one !== '')] as const
  }))
  const byName = new Map([...needs.keys()].map(path => [moduleName(path), path] as const))
  const builtin = new Set(index.builtin.split('\n').map(moduleName))
  const soft = parseSoftDependencies(index.softDependencies)
  const chosen = new Set<string>()
  const add = (path: string): void => {
    if (chosen.has(path)) return
    chosen.add(path)
    for (const needed of needs.get(path) ?? []) add(needed)
    for (const name of soft.get(moduleName(path)) ?? []) {
      const found = byName.get(name)
      if (found !== undefined) add(found)
    }
  }
  const missing: string[] = []
  for (const name of names) {
    const path = byName.get(name)
    if (path !== undefined) add(path)
    else if (!builtin.has(name) && !OPTIONAL.has(name)) missing.push(name)
  }
  return { paths: [...chosen].toSorted(), missing: missing.toSorted() }
}

/** `kernel/fs/nls/nls_iso8859-1.ko.xz` → `nls_iso8859_1` */
export function moduleName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1).replace(/\.ko(\.(xz|zst|gz))?$/, '').replaceAll('-', '_')
}

function parseSoftDependencies(text: string): Map<string, string[]> {
  const found = new Map<string, string[]>()
  for (const line of text.split('\n')) {
    const [word, name, ...rest] = line.split(/\s+/)
    if (word !== 'softdep' || name === undefined) continue
    const names = rest.filter(one => one !== '' && !one.endsWith(':')).map(moduleName)
    found.set(moduleName(name), [...found.get(moduleName(name)) ?? [], ...names])
  }
  return found
}
