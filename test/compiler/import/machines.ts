/** Seeds of machines; what facter and ohai print for them is made from these, in the forms of several versions. */
const BOXES = [
  { vendor: 'Dell Inc.', product: 'PowerEdge R740', cpu: 'Intel(R) Xeon(R) Gold 6130 CPU @ 2.10GHz', sockets: 2, cores: 16, gib: 192, disks: ['sda:hdd:4', 'sdb:hdd:4', 'nvme0n1:ssd:1'], nics: ['eno1:bnxt_en', 'eno2:bnxt_en', 'ens3f0:ixgbe'] },
  { vendor: 'HPE', product: 'ProLiant DL360 Gen10', cpu: 'Intel(R) Xeon(R) Silver 4110', sockets: 1, cores: 8, gib: 64, disks: ['sda:ssd:2'], nics: ['eth0:tg3', 'eth1:tg3', 'eth2:tg3', 'eth3:tg3'] },
  { vendor: 'Supermicro', product: 'SYS-6029P', cpu: 'AMD EPYC 7302P 16-Core Processor', sockets: 1, cores: 16, gib: 256, disks: Array.from({ length: 12 }, (_, i) => `sd${String.fromCodePoint(97 + i)}:hdd:8`), nics: ['enp1s0f0:i40e', 'enp1s0f1:i40e'] },
  { vendor: 'QEMU', product: 'Standard PC (Q35 + ICH9, 2009)', cpu: 'QEMU Virtual CPU version 2.5+', sockets: 1, cores: 2, gib: 4, disks: ['vda::1', 'sr0::1'], nics: ['ens3:virtio_net'] },
  { vendor: '联想 Lenovo', product: 'ThinkSystem SR650 „groß“', cpu: 'Kunpeng-920', sockets: 2, cores: 64, gib: 512, disks: ['nvme0n1:ssd:2', 'nvme1n1:ssd:2'], nics: ['enP1p1:hns3'], arm: true },
] as const

export interface Machine {
  readonly name: string
  readonly uuid: string
  readonly serial: string
  readonly box: (typeof BOXES)[number]
  readonly index: number
}

export const MACHINES: readonly Machine[] = Array.from({ length: 20 }, (_, index) => ({
  index, name: `node${index}${index % 3 === 0 ? '' : '.rack.example.com'}`, box: BOXES[index % BOXES.length] ?? BOXES[0],
  uuid: index % 7 === 3 ? '00000000-0000-0000-0000-000000000000' : `4c4c4544-00${String(10 + index)}-3510-8054-b${String(100 + index)}4c4d5932`.slice(0, 36), serial: index % 5 === 4 ? 'To Be Filled By O.E.M.' : `SN${1000 + index}`,
}))

export const macOf = ({ index }: Machine, port: number): string => `52:54:00:00:${index.toString(16).padStart(2, '0')}:${port.toString(16).padStart(2, '0')}`
const archOf = ({ box }: Machine): string => ('arm' in box ? 'aarch64' : 'x86_64')
const parts = (text: string): readonly string[] => text.split(':')

/** `facter --json` 4.x, or 3.x without types of disks. */
export function facter(machine: Machine, version: 3 | 4): object {
  const { box, name, uuid, serial } = machine
  return {
    dmi: { bios: { vendor: box.vendor, version: '2.1' }, manufacturer: box.vendor, product: { name: box.product, serial_number: serial, uuid }, chassis: { type: 'Rack Mount', asset_tag: `A${machine.index}` } },
    disks: Object.fromEntries(box.disks.map((disk, i) => {
      const [kernel = '', type = '', tb = ''] = parts(disk)
      return [kernel, { model: `Model ${i}`, size: `${tb} TiB`, size_bytes: Number(tb) * 2 ** 40, vendor: 'ATA', ...(version === 4 ? { ...(type === '' ? {} : { type }), serial: `D${machine.index}-${i}`, wwn: `0x5000c500${machine.index}${i}` } : {}) }]
    })),
    memory: { system: { total_bytes: box.gib * 2 ** 30, total: `${box.gib} GiB`, available: '1 GiB' }, swap: { total_bytes: 0 } },
    networking: { fqdn: name, hostname: name.split('.')[0], ip: `10.0.0.${60 + machine.index}`, interfaces: { lo: { ip: '127.0.0.1', mtu: 65536 }, docker0: { mac: '02:42:00:00:00:01' }, ...Object.fromEntries(box.nics.map((nic, i) => [parts(nic)[0], { mac: macOf(machine, i).toUpperCase(), mtu: 1500, ip: `10.${i}.0.1`, bindings: [{ address: `10.${i}.0.1` }], ...(version === 4 ? { speed: 10000 } : {}) }])) } },
    os: { architecture: archOf(machine) === 'x86_64' ? 'amd64' : 'arm64', family: 'Debian', name: 'Debian', release: { full: '12.5', major: '12' } },
    processors: { count: box.sockets * box.cores * 2, physicalcount: box.sockets, models: Array.from({ length: 4 }, () => box.cpu), isa: 'unknown', ...(version === 4 ? { cores: box.cores } : {}) },
    mountpoints: { '/': { device: '/dev/sda1', options: ['rw'] }, ...(machine.index % 2 === 0 ? { '/boot/efi': { filesystem: 'vfat' } } : {}) },
    virtual: 'physical', is_virtual: false, system_uptime: { seconds: 12345, uptime: '3:25 hours' }, load_averages: { '1m': 0.5 }, timezone: 'UTC', custom: { '${not}': ['an', 'expression'] },
  }
}

/** Flat facts, all text, as Facter 2 has them. */
export function flatFacter(machine: Machine): object {
  const { box, name, uuid, serial } = machine
  return {
    architecture: archOf(machine), fqdn: name, hostname: name.split('.')[0], ipaddress: `10.0.0.${60 + machine.index}`, uuid, serialnumber: serial, manufacturer: box.vendor, productname: box.product, memorysize_mb: (box.gib * 1024).toFixed(2), processorcount: String(box.cores), processor0: box.cpu, physicalprocessorcount: String(box.sockets), virtual: 'physical',
    ...Object.fromEntries(box.disks.flatMap((disk) => [[`blockdevice_${parts(disk)[0]}_size`, Number(parts(disk)[2]) * 2 ** 40], [`blockdevice_${parts(disk)[0]}_model`, 'X']])),
    ...Object.fromEntries(box.nics.map((nic, i) => [`macaddress_${parts(nic)[0]}`, macOf(machine, i)])), macaddress_docker0: '02:42:00:00:00:01', uptime_seconds: 5,
  }
}

export function ohai(machine: Machine): object {
  const { box, name, uuid, serial, index } = machine
  return {
    fqdn: name, hostname: name.split('.')[0], machinename: name, ipaddress: `10.0.0.${60 + index}`, kernel: { machine: archOf(machine), name: 'Linux', modules: { ext4: { size: '1', refcount: '2' } } },
    dmi: { system: { manufacturer: box.vendor, product_name: box.product, serial_number: serial, uuid: uuid.toUpperCase(), all_records: [{ record_id: '0x0100' }] }, chassis: { asset_tag: '' } },
    cpu: { 0: { model_name: box.cpu, mhz: '2100', flags: ['fpu', 'vme'] }, total: box.sockets * box.cores * 2, real: box.sockets, ...(index % 2 === 0 ? { cores: box.sockets * box.cores } : {}) },
    memory: { total: `${box.gib * 2 ** 20}kB`, free: '100kB', swap: { total: '0kB' } },
    block_device: { ...Object.fromEntries(box.disks.map((disk) => [parts(disk)[0], { size: String(Number(parts(disk)[2]) * 2 ** 31), removable: '0', rotational: parts(disk)[1] === 'hdd' ? '1' : '0', model: 'M', state: 'running' }])), loop0: { size: '8', rotational: '1' }, 'dm-0': { size: '9' } },
    network: { default_interface: 'eth0', interfaces: { lo: { encapsulation: 'Loopback', addresses: { '127.0.0.1': { family: 'inet' } } }, ...Object.fromEntries(box.nics.map((nic, i) => [parts(nic)[0], { encapsulation: 'Ethernet', mtu: '1500', addresses: { [macOf(machine, i).toUpperCase()]: { family: 'lladdr' }, '10.0.0.1': { family: 'inet', prefixlen: '24' } }, driver_info: { driver: parts(nic)[1], bus_info: `0000:0${i}:00.0` }, routes: [{ destination: 'default' }] }])) } },
    filesystem: { by_mountpoint: index % 2 === 0 ? { '/sys/firmware/efi/efivars': { fs_type: 'efivarfs' } } : {} }, platform: 'debian', platform_version: '12.5', languages: { ruby: {} }, uptime_seconds: 5, counters: { big: 18446744073709551615n.toString() },
  }
}
