import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { collectFacts } from '../../../../agent/node/facts/collect.ts'
import { openSystemFiles } from '../../../../agent/node/facts/system-files.ts'
import { factsShape } from '../../../../schemas/inventory.ts'

let root = ''
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'crowbar-facts-'))
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

/** Files by path; a value that begins with → is a link to a path below the root. */
function tree(files: Readonly<Record<string, string | Buffer>>): void {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    if (typeof content === 'string' && content.startsWith('→')) {
      mkdirSync(join(root, content.slice(1)), { recursive: true })
      symlinkSync(join(root, content.slice(1)), join(root, path))
    } else writeFileSync(join(root, path), content)
  }
}

const collect = (loopDisks?: string) => collectFacts({ files: openSystemFiles(root), arch: 'x64', loopDisks })

const SAS = 'sys/devices/pci0000:00/0000:00:02.0/0000:03:00.0'
const SATA = 'sys/devices/pci0000:00/0000:00:1f.2/ata3/host2/target2:0:0/2:0:0:0/block/sda'
const VIRTIO = 'sys/devices/pci0000:00/0000:00:05.0/virtio2/block/vda'
const NVME = 'sys/devices/pci0000:00/0000:00:1c.0/0000:04:00.0/nvme/nvme0/nvme0n1'

const SERVER: Readonly<Record<string, string | Buffer>> = {
  'proc/cpuinfo': [0, 1, 2, 3].map((n) => `processor\t: ${n}\nmodel name\t: Xeon(R)   Gold\nphysical id\t: 0\ncore id\t\t: ${n % 2}\n`).join('\n'),
  'proc/meminfo': 'MemTotal:       16000000 kB\n',
  'sys/devices/system/memory/block_size_bytes': '8000000\n',
  'sys/devices/system/memory/memory0/state': 'online\n', 'sys/devices/system/memory/memory1/state': 'online\n', 'sys/devices/system/memory/memory2/state': 'offline\n',
  'sys/firmware/efi/fw_platform_size': '64',
  'sys/class/dmi/id/sys_vendor': 'Dell Inc.\n', 'sys/class/dmi/id/product_name': 'PowerEdge R740\n', 'sys/class/dmi/id/product_serial': '4XK2\n',
  'sys/class/dmi/id/product_uuid': '4C4C4544-0033-4310-8051-B7C04F4E3132\n', 'sys/class/dmi/id/chassis_asset_tag': 'A1\n',
  // SATA through libata, with pages of vital product data.
  'sys/block/sda': `→${SATA}`, [`${SATA}/size`]: '1953525168', [`${SATA}/queue/rotational`]: '1', [`${SATA}/device/model`]: 'ST1000NX0423   ', [`${SATA}/device/vendor`]: 'ATA     ',
  [`${SATA}/device/wwid`]: 'naa.5000C50087654321', [`${SATA}/device/vpd_pg80`]: Buffer.from('\x00\x80\x00\x08W4712345', 'latin1'), 'sys/class/ata_port/ata3/port_no': '3',
  // SAS behind an expander; the second of two hosts of the adapter.
  'sys/block/sdb': `→${SAS}/host9/port-9:0/end_device-9:0/target9:0:1/9:0:1:0/block/sdb`,
  [`${SAS}/host8/x`]: '', [`${SAS}/host9/port-9:0/end_device-9:0/target9:0:1/9:0:1:0/block/sdb/size`]: '7814037168',
  [`${SAS}/host9/port-9:0/end_device-9:0/target9:0:1/9:0:1:0/block/sdb/device/vendor`]: 'SEAGATE', [`${SAS}/host9/port-9:0/end_device-9:0/target9:0:1/9:0:1:0/block/sdb/device/model`]: 'ST4000NM',
  'sys/block/vda': `→${VIRTIO}`, [`${VIRTIO}/size`]: '8388608', [`${VIRTIO}/queue/rotational`]: '1', [`${VIRTIO}/serial`]: 'SYS1', [`${VIRTIO}/device/vendor`]: '0x1af4',
  'sys/block/nvme0n1': `→${NVME}`, [`${NVME}/size`]: '1000215216', [`${NVME}/queue/rotational`]: '0', [`${NVME}/wwid`]: 'eui.0025388b01e6f12a', [`${NVME}/device/model`]: 'SAMSUNG', [`${NVME}/device/serial`]: 'S3X9',
  // No disks of the machine: memory, a loop, a CD-ROM, a slot without a medium.
  'sys/block/loop0/size': '100', 'sys/block/zram0/size': '100', 'sys/block/sr0/size': '100', 'sys/block/sr0/device/x': '', 'sys/block/sdz/size': '0', 'sys/block/sdz/device/x': '',
  // Ports: one on PCI, a virtual function of it, a bridge, the loopback.
  'sys/class/net/eth1': '→sys/devices/pci0000:00/0000:00:1c.4/0000:05:00.1/net/eth1', 'sys/devices/pci0000:00/0000:00:1c.4/0000:05:00.1/net/eth1/type': '1',
  'sys/devices/pci0000:00/0000:00:1c.4/0000:05:00.1/net/eth1/address': '3C:FD:FE:00:00:02', 'sys/devices/pci0000:00/0000:00:1c.4/0000:05:00.1/net/eth1/device/driver': '→sys/bus/pci/drivers/ixgbe',
  'sys/class/net/eth0': '→sys/devices/pci0000:00/0000:00:1c.4/0000:05:00.0/net/eth0', 'sys/devices/pci0000:00/0000:00:1c.4/0000:05:00.0/net/eth0/type': '1',
  'sys/devices/pci0000:00/0000:00:1c.4/0000:05:00.0/net/eth0/address': '02:00:00:00:00:99', 'sys/devices/pci0000:00/0000:00:1c.4/0000:05:00.0/net/eth0/bonding_slave/perm_hwaddr': '3c:fd:fe:00:00:01',
  'sys/devices/pci0000:00/0000:00:1c.4/0000:05:00.0/net/eth0/device/x': '',
  'sys/class/net/vf0/type': '1', 'sys/class/net/vf0/address': '3c:fd:fe:00:00:03', 'sys/class/net/vf0/device/physfn/x': '',
  'sys/class/net/br0/type': '1', 'sys/class/net/br0/address': '3c:fd:fe:00:00:01', 'sys/class/net/lo/type': '772', 'sys/class/net/lo/address': '00:00:00:00:00:00',
  'sys/bus/pci/devices/0000:05:00.0/vendor': '0x8086', 'sys/bus/pci/devices/0000:05:00.0/device': '0x10fb',
}

test('a server is described by what a screwdriver changes, with stable names for its disks', () => {
  tree(SERVER)
  const { facts, devices } = collect()
  expect(new Ajv2020({ strict: false }).compile(factsShape.json)(facts)).toBe(true)
  expect(facts).toEqual({
    architecture: 'amd64', firmware: { kind: 'uefi' }, cpu: { model: 'Xeon(R) Gold', cores: 2, threads: 4 }, memory: { bytes: 256 * 1024 * 1024 }, pci: ['8086:10fb'],
    dmi: { vendor: 'Dell Inc.', product: 'PowerEdge R740', serial: '4XK2', uuid: '4c4c4544-0033-4310-8051-b7c04f4e3132', asset: 'A1' },
    disks: [
      { bytes: 4000787030016, rotational: false, model: 'SEAGATE ST4000NM', serial: '', wwn: '', bus: 'sas', path: 'pci-0000:03:00.0-scsi-1:0:1:0' },
      { bytes: 4294967296, rotational: true, model: '', serial: 'SYS1', wwn: '', bus: 'virtio', path: 'pci-0000:00:05.0' },
      { bytes: 1000204886016, rotational: true, model: 'ST1000NX0423', serial: 'W4712345', wwn: '0x5000c50087654321', bus: 'sata', path: 'pci-0000:00:1f.2-ata-3' },
      { bytes: 512110190592, rotational: false, model: 'SAMSUNG', serial: 'S3X9', wwn: 'eui.0025388b01e6f12a', bus: 'nvme', path: 'pci-0000:04:00.0-nvme-1' },
    ],
    nics: [
      { mac: '3c:fd:fe:00:00:01', driver: '', bus: '0000:05:00.0', speed: null },
      { mac: '3c:fd:fe:00:00:02', driver: 'ixgbe', bus: '0000:05:00.1', speed: null },
    ],
  })
  expect(devices.map(({ id, name }) => [id, name])).toEqual([['path:pci-0000:03:00.0-scsi-1:0:1:0', 'sdb'], ['serial:SYS1', 'vda'], ['wwn:0x5000c50087654321', 'sda'], ['wwn:eui.0025388b01e6f12a', 'nvme0n1']])
})

test('two disks with one serial go by their places', () => {
  const disk = (name: string, slot: number): Record<string, string> => ({ [`sys/block/${name}`]: `→sys/devices/pci0000:00/0000:00:0${slot}.0/virtio${slot}/block/${name}`, [`sys/devices/pci0000:00/0000:00:0${slot}.0/virtio${slot}/block/${name}/size`]: '2048', [`sys/devices/pci0000:00/0000:00:0${slot}.0/virtio${slot}/block/${name}/serial`]: 'SAME', [`sys/devices/pci0000:00/0000:00:0${slot}.0/virtio${slot}/block/${name}/device/x`]: '' })
  tree({ ...disk('vda', 5), ...disk('vdb', 6) })
  expect(collect().devices.map(({ id, shared }) => [id, shared])).toEqual([['path:pci-0000:00:05.0', 'serial:SAME'], ['path:pci-0000:00:06.0', 'serial:SAME']])
})

test('a container has no disks of its host, its own identity, and ports that are not hardware', () => {
  tree({ ...SERVER, 'run/systemd/container': 'systemd-nspawn', 'etc/machine-id': '0123456789abcdef0123456789abcdef\n', 'sys/class/net/host0/type': '1', 'sys/class/net/host0/address': '52:54:00:00:00:07' })
  const { facts } = collect()
  expect(facts.firmware.kind).toBe('container')
  expect(facts.disks).toEqual([])
  expect(facts.dmi).toEqual({ vendor: 'container', product: 'container', serial: '', uuid: '01234567-89ab-cdef-0123-456789abcdef', asset: '' })
  expect(facts.nics.map(({ mac }) => mac)).toContain('52:54:00:00:00:07')
  expect(facts.pci).toBeUndefined()
})

test('loop devices that are named are the only disks', () => {
  tree({ ...SERVER, 'sys/block/loop0/loop/backing_file': '/tmp/canary.img' })
  expect(collect('loop0=CANARY').devices).toEqual([{ id: 'serial:CANARY', shared: null, name: 'loop0', fact: { bytes: 51200, rotational: false, model: 'loop', serial: 'CANARY', wwn: '', bus: 'loop', path: 'loop-canary.img' } }])
  expect(collect('').devices).toEqual([])
})

test('without memory blocks, memory is rounded up to what modules have', () => {
  tree({ 'proc/meminfo': 'MemTotal:        1990000 kB\n' })
  expect(collect().facts.memory.bytes).toBe(2048 * 1024 * 1024)
})
