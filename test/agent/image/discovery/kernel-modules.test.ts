import { expect, test } from 'vitest'
import { KERNEL_MODULES, moduleName, selectModules } from '../../../../agent/image/discovery/kernel-modules.ts'
import type { ModuleIndex } from '../../../../agent/image/discovery/kernel-modules.ts'

const INDEX: ModuleIndex = {
  dependencies: [
    'kernel/drivers/net/virtio_net.ko.xz: kernel/drivers/net/net_failover.ko.xz kernel/net/core/failover.ko.xz',
    'kernel/drivers/net/net_failover.ko.xz: kernel/net/core/failover.ko.xz',
    'kernel/net/core/failover.ko.xz:',
    'kernel/fs/ext4/ext4.ko.xz: kernel/lib/crc16.ko.xz',
    'kernel/lib/crc16.ko.xz:',
    'kernel/crypto/crc32c-generic.ko.xz:',
    'kernel/fs/nls/nls_iso8859-1.ko.xz:',
    'kernel/sound/snd.ko.xz:',
    '',
  ].join('\n'),
  softDependencies: '# aliases\nsoftdep ext4 pre: crc32c-generic absent\n',
  builtin: 'kernel/drivers/virtio/virtio_pci.ko\n',
}

test('modules come with all that they need, once, sorted', () => {
  expect(selectModules(['virtio_net', 'net_failover'], INDEX)).toEqual({
    paths: ['kernel/drivers/net/net_failover.ko.xz', 'kernel/drivers/net/virtio_net.ko.xz', 'kernel/net/core/failover.ko.xz'], missing: [],
  })
})

test('soft dependencies come along where the kernel has them', () => {
  expect(selectModules(['ext4'], INDEX).paths).toEqual(['kernel/crypto/crc32c-generic.ko.xz', 'kernel/fs/ext4/ext4.ko.xz', 'kernel/lib/crc16.ko.xz'])
})

test('hyphens in file names are underscores in names', () => {
  expect(moduleName('kernel/fs/nls/nls_iso8859-1.ko.zst')).toBe('nls_iso8859_1')
  expect(selectModules(['nls_iso8859_1'], INDEX).missing).toEqual([])
})

test('what the kernel has built in is not missing, what it lacks is', () => {
  expect(selectModules(['virtio_pci', 'nvme', 'ahci'], INDEX)).toEqual({ paths: [], missing: ['ahci', 'nvme'] })
})

test('what only some architectures have is not missing', () => {
  expect(selectModules(['hv_netvsc'], INDEX)).toEqual({ paths: [], missing: [] })
})

test('the image has the drivers of virtual machines and of common servers, each once', () => {
  const names = Object.values(KERNEL_MODULES).flat()
  expect(new Set(names).size).toBe(names.length)
  expect(names).toEqual(expect.arrayContaining(['virtio_net', 'virtio_blk', 'e1000e', 'ixgbe', 'mlx5_core', 'tg3', 'nvme', 'ahci', 'megaraid_sas', 'mpt3sas', 'vfat', 'ext4']))
  expect(names.filter(name => name.includes('-'))).toEqual([])
})
