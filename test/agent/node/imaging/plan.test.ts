import { expect, test } from 'vitest'
import { arrayFile } from '../../../../agent/node/imaging/arrays.ts'
import { grubConfiguration } from '../../../../agent/node/imaging/bootloader.ts'
import { networkFiles } from '../../../../agent/node/imaging/network-files.ts'
import { planDisks } from '../../../../agent/node/imaging/partition-plan.ts'
import { identityFiles } from '../../../../agent/node/imaging/root-files.ts'
import type { Attachment } from '../../../../schemas/plan.ts'

const MIB = 1024 * 1024
const GIB = 1024 * MIB
const target = (entry: string, bytes = 20 * GIB, id = entry) => ({ entry, id, serial: id.toUpperCase(), bytes })
const row = (on: string, mount: string, fs: string, size: string) => ({ on, mount, fs, size })

test('without a layout the whole system disk is /, after what BIOS and UEFI start from', () => {
  const [plan] = planDisks({ targets: [target('system')], layout: [] }).disks
  expect(plan?.partitions).toEqual([
    { role: 'bios', number: 1, start: MIB, bytes: MIB, fs: 'none', mount: null },
    { role: 'esp', number: 2, start: 2 * MIB, bytes: 256 * MIB, fs: 'vfat', mount: '/boot/efi' },
    { role: 'data', number: 3, start: 258 * MIB, bytes: 20 * GIB - 259 * MIB, fs: 'ext4', mount: '/' },
  ])
})

test('the rest goes last, percentages are of the disk, and other disks get only their own', () => {
  const layout = [row('system', '/', 'ext4', 'rest'), row('system', 'swap', 'swap', '2GiB'), row('system', '/var', 'xfs', '10%'), row('data', '/srv', 'btrfs', '100%')]
  expect(() => planDisks({ targets: [target('system'), target('data')], layout })).toThrow(expect.objectContaining({ code: 'DISK_TOO_SMALL' }) as Error)
  const { disks: plans } = planDisks({ targets: [target('system'), target('data')], layout: layout.map((one) => (one.on === 'data' ? { ...one, size: 'rest' } : one)) })
  expect(plans.map(({ partitions }) => partitions.map(({ mount, bytes }) => [mount, bytes / MIB]))).toEqual([
    [[null, 1], ['/boot/efi', 256], ['swap', 2048], ['/var', 2048], ['/', 20 * 1024 - 2 - 257 - 4096]],
    [['/srv', 20 * 1024 - 2]],
  ])
})

test.each<[string, readonly ReturnType<typeof row>[], string]>([
  ['a filesystem on two disks', [row('system', '/', 'ext4', 'rest'), row('data', '/srv', 'ext4', 'rest')], 'IMAGE_RAID_UNSUPPORTED'],
  ['an entry without a disk', [row('system', '/', 'ext4', 'rest'), row('other', '/srv', 'ext4', 'rest')], 'INSTALL_UNSUPPORTED'],
  ['two with the rest', [row('system', '/', 'ext4', 'rest'), row('system', '/srv', 'ext4', 'rest')], 'INSTALL_UNSUPPORTED'],
  ['nothing for /', [row('system', '/srv', 'ext4', 'rest')], 'INSTALL_UNSUPPORTED'],
  ['two at one place', [row('system', '/', 'ext4', 'rest'), row('system', '/', 'ext4', '1GiB')], 'INSTALL_UNSUPPORTED'],
  ['a place outside', [row('system', '/', 'ext4', 'rest'), row('system', '/../etc', 'ext4', '1GiB')], 'INSTALL_UNSUPPORTED'],
  ['a filesystem nobody can make', [row('system', '/', 'zfs', 'rest')], 'INSTALL_UNSUPPORTED'],
  ['swap as ext4', [row('system', '/', 'ext4', 'rest'), row('system', 'swap', 'ext4', '1GiB')], 'INSTALL_UNSUPPORTED'],
  ['more than there is', [row('system', '/', 'ext4', '30GiB')], 'DISK_TOO_SMALL'],
])('a layout with %s is refused', (_, layout, code) => {
  expect(() => planDisks({ targets: [target('system'), target('data', GIB, 'd1'), target('data', GIB, 'd2')], layout })).toThrow(expect.objectContaining({ code }) as Error)
})

test('the disks of a mirror are laid out alike, as the smallest allows, each with what a machine starts from', () => {
  const targets = [target('system', 20 * GIB, 'a'), target('system', 19 * GIB, 'b')]
  const { disks, arrays } = planDisks({ targets, raid: { system: 1 }, layout: [row('system', '/', 'ext4', 'rest'), row('system', 'swap', 'swap', '2GiB')] })
  const rest = 19 * 1024 - 2 - 257 - 2048
  expect(disks.map(({ target: { id }, partitions }) => [id, partitions.map(({ role, fs, mount, bytes }) => [role, fs, mount, bytes / MIB])])).toEqual([
    ['a', [['bios', 'none', null, 1], ['esp', 'vfat', '/boot/efi', 256], ['member', 'none', null, 2048], ['member', 'none', null, rest]]],
    ['b', [['bios', 'none', null, 1], ['esp', 'vfat', null, 256], ['member', 'none', null, 2048], ['member', 'none', null, rest]]],
  ])
  expect(arrays).toEqual([
    { name: 'system-3', level: 1, disks: targets, number: 3, fs: 'swap', mount: 'swap' },
    { name: 'system-4', level: 1, disks: targets, number: 4, fs: 'ext4', mount: '/' },
  ])
})

test('other levels hold what a row asks for between them; an array without a row is one without a filesystem', () => {
  const data = ['a', 'b', 'c'].map((id) => target('data', 10 * GIB, id))
  const wide = planDisks({ targets: [target('system'), ...data], raid: { data: 5 }, layout: [row('system', '/', 'ext4', 'rest'), row('data', '/srv', 'xfs', '4GiB'), row('data', '/home', 'ext4', '50%')] })
  expect(wide.disks.slice(1).map(({ partitions }) => partitions.map(({ bytes }) => bytes / GIB))).toEqual([[2, 5], [2, 5], [2, 5]])
  expect(wide.arrays.map(({ name, level, mount }) => [name, level, mount])).toEqual([['data-1', 5, '/srv'], ['data-2', 5, '/home']])
  const plain = planDisks({ targets: [target('system'), ...data], raid: { data: 0 }, layout: [] })
  expect(plain.arrays).toEqual([{ name: 'data', level: 0, disks: data, number: 1, fs: 'none', mount: null }])
  expect(plain.disks.map(({ partitions }) => partitions.length)).toEqual([3, 1, 1, 1])
})

test.each<[string, Parameters<typeof planDisks>[0]]>([
  ['a system on a stripe', { targets: [target('system', GIB, 'a'), target('system', GIB, 'b')], raid: { system: 0 }, layout: [] }],
  ['a mirror of one disk', { targets: [target('system')], raid: { system: 1 }, layout: [] }],
  ['an array whose name is a path', { targets: [target('system'), target('../x', GIB, 'a'), target('../x', GIB, 'b')], raid: { '../x': 1 }, layout: [] }],
])('%s is refused before anything is written', (_, install) => {
  expect(() => planDisks(install)).toThrow(expect.objectContaining({ code: 'IMAGE_RAID_UNSUPPORTED' }) as Error)
})

test('a new system assembles the arrays that are listed and no other one', () => {
  expect(arrayFile([{ name: 'system-3', arrayUuid: '00112233:44556677:8899aabb:ccddeeff' }]).text).toBe(
    '# Arrays that are not listed here are left alone.\nHOMEHOST <ignore>\nMAILADDR root\nAUTO -all\nARRAY /dev/md/system-3 metadata=1.2 UUID=00112233:44556677:8899aabb:ccddeeff\n',
  )
})

const attachment = (over: Partial<Attachment>): Attachment => ({
  network: 'admin', addresses: [{ address: '192.0.2.81', prefix: 24, gateway: '192.0.2.1', dns: ['192.0.2.10'] }], ports: ['52:54:00:00:00:01'], bond: null, vlan: 0, mtu: 1500, bridge: null, ...over,
})
const files = (attachments: readonly Attachment[], bootPort?: string) => Object.fromEntries(networkFiles(attachments, { bootPort }).map(({ name, text }) => [name, text]))

test('a plain attachment is one file that matches the port by its permanent address', () => {
  expect(files([attachment({})])).toEqual({
    '20-crowbar-port-525400000001.network':
      '[Match]\nPermanentMACAddress=52:54:00:00:00:01\n\n[Link]\nMTUBytes=1500\n\n[Network]\nDHCP=no\nLinkLocalAddressing=ipv6\nIPv6AcceptRA=no\nLLDP=yes\nEmitLLDP=yes\nAddress=192.0.2.81/24\nGateway=192.0.2.1\nDNS=192.0.2.10\n',
  })
})

test('a bridge on a VLAN of a bond carries the address; the bond carries the untagged network too', () => {
  const ports = ['52:54:00:00:00:01', '52:54:00:00:00:02']
  const bond = { mode: '802.3ad', lacpRate: 'fast', hash: 'layer3+4' }
  const all = files([attachment({ ports, bond }), attachment({ network: 'storage', ports, bond, vlan: 200, mtu: 9000, bridge: 'br-storage', addresses: [{ address: '2001:db8::81', prefix: 64, gateway: null, dns: [] }] })])
  expect(Object.keys(all).toSorted()).toEqual([
    '10-crowbar-bond-00000001.netdev', '10-crowbar-br-storage.netdev', '10-crowbar-vlan200.netdev', '20-crowbar-bond-00000001.network', '20-crowbar-br-storage.network',
    '20-crowbar-port-525400000001.network', '20-crowbar-port-525400000002.network', '20-crowbar-vlan200.network',
  ])
  expect(all['10-crowbar-bond-00000001.netdev']).toBe('[NetDev]\nName=bond-00000001\nKind=bond\n\n[Bond]\nMode=802.3ad\nMIIMonitorSec=100ms\nLACPTransmitRate=fast\nTransmitHashPolicy=layer3+4\n')
  expect(all['20-crowbar-port-525400000002.network']).toContain('Bond=bond-00000001\n')
  expect(all['20-crowbar-bond-00000001.network']).toMatch(/MTUBytes=9000\n[^]*Address=192\.0\.2\.81\/24[^]*VLAN=vlan200\n/)
  expect(all['20-crowbar-vlan200.network']).toContain('Bridge=br-storage\n')
  expect(all['20-crowbar-br-storage.network']).toContain('Address=2001:db8::81/64\n')
})

test('an attachment without ports takes the one that the machine booted from, and without that it is refused', () => {
  expect(Object.keys(files([attachment({ ports: [] })], '52:54:00:00:00:09'))).toEqual(['20-crowbar-port-525400000009.network'])
  expect(() => files([attachment({ ports: [] })])).toThrow(expect.objectContaining({ code: 'INSTALL_UNSUPPORTED' }) as Error)
  expect(() => files([attachment({ ports: ['52:54:00:00:00:01', '52:54:00:00:00:02'] })])).toThrow(expect.objectContaining({ code: 'INSTALL_UNSUPPORTED' }) as Error)
})

test('a system without addresses still knows its own name', () => {
  const all = Object.fromEntries(identityFiles({ hostname: 'n1', domain: '', attachments: [] }, { volumes: [], bootPort: undefined, machineId: '0'.repeat(32) }).map(({ path, text }) => [path, text]))
  expect(all['etc/hosts']).toContain('127.0.1.1 n1\n')
  expect(all['etc/resolv.conf']).toBe('')
})

test('with /boot on a partition of its own GRUB looks for the kernel there', () => {
  const text = grubConfiguration({ rootUuid: 'r', bootUuid: 'b', separateBoot: true, arrays: false }, { kernel: 'vmlinuz-6.1', initrd: 'initrd.img-6.1' })
  expect(text).toContain('--set=root b\n')
  expect(text).toContain('linux /vmlinuz-6.1 root=UUID=r ro console=tty0 console=ttyS0,115200n8\n  initrd /initrd.img-6.1\n')
})
