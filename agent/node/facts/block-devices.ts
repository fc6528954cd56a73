import { byCodePoint } from '../../../schemas/canonical.ts'
import { diskId } from '../../../schemas/inventory.ts'
import type { DiskFact } from '../../../schemas/inventory.ts'
import { pciAddress } from './ports.ts'
import type { SystemFiles } from './system-files.ts'

/** A disk and where this kernel has it. */
export interface BlockDevice {
  readonly id: string
  /** The WWN or serial that it shares with another disk, as an id; null when it has one of its own, or none. */
  readonly shared: string | null
  readonly fact: DiskFact
  /** Kernel name, e.g. `sda`: good until the next boot. */
  readonly name: string
}

/** Memory, floppies, CD-ROMs, and what is made of other disks. */
const NOT_DISKS = /^(ram|zram|loop|fd|sr|dm-|md|nbd|drbd|rbd|mtdblock|ubiblock)/

/**
 * The disks of the machine, by id. Two disks whose serial and WWN are the same (bad firmware, one disk over two paths)
 * go by their paths.
 *
 * @param loops kernel names of loop devices that stand for disks, with the serial of each: for tests and containers.
 */
export function readBlockDevices(files: SystemFiles, loops: ReadonlyMap<string, string>): BlockDevice[] {
  const found: BlockDevice[] = []
  for (const name of files.list('sys/block')) {
    const folder = `sys/block/${name}`
    const bytes = files.number(`${folder}/size`) * 512
    if (bytes === 0 || files.text(`${folder}/hidden`) === '1') continue
    const loop = loops.get(name)
    if (loop === undefined && (NOT_DISKS.test(name) || !files.exists(`${folder}/device`))) continue
    const fact = loop === undefined ? readDisk(files, name, bytes) : loopDisk(files, { name, serial: loop, bytes })
    found.push({ id: diskId(fact), shared: null, fact, name })
  }
  const times = new Map<string, number>()
  for (const { id } of found) times.set(id, (times.get(id) ?? 0) + 1)
  return found
    .map((one) => {
      if (times.get(one.id) === 1) return one
      const fact = { ...one.fact, wwn: '', serial: '' }
      return { ...one, fact, id: diskId(fact), shared: one.id }
    })
    .toSorted((a, b) => byCodePoint(a.id, b.id))
}

function readDisk(files: SystemFiles, name: string, bytes: number): DiskFact {
  const folder = `sys/block/${name}`
  const real = files.real(folder)
  const bus = busOf(files, name, real)
  const vendor = files.text(`${folder}/device/vendor`)
  const model = files.text(`${folder}/device/model`)
  return {
    bytes,
    rotational: files.text(`${folder}/queue/rotational`) === '1',
    // libata says ATA for every vendor; virtio has a PCI id there.
    model: (vendor === '' || vendor === 'ATA' || vendor.startsWith('0x') ? model : `${vendor} ${model}`).replaceAll(/\s+/g, ' ').trim(),
    serial: serialOf(files, folder),
    wwn: wwnOf(files.text(`${folder}/wwid`) || files.text(`${folder}/device/wwid`)),
    bus,
    path: pathOf(files, name, real),
  }
}

function loopDisk(files: SystemFiles, { name, serial, bytes }: { readonly name: string; readonly serial: string; readonly bytes: number }): DiskFact {
  const backing = files.text(`sys/block/${name}/loop/backing_file`)
  return { bytes, rotational: false, model: 'loop', serial, wwn: '', bus: 'loop', path: `loop-${backing.split('/').at(-1) ?? name}` }
}

function busOf(files: SystemFiles, name: string, real: string): DiskFact['bus'] {
  if (name.startsWith('nvme')) return 'nvme'
  if (real.includes('/usb')) return 'usb'
  if (name.startsWith('vd')) return 'virtio'
  if (/\/ata[0-9]+\//.test(real)) return 'sata'
  if (real.includes('/end_device-')) return 'sas'
  return files.exists(`sys/block/${name}/device/scsi_device`) || name.startsWith('sd') ? 'scsi' : 'other'
}

/** virtio and NVMe say it plainly; SCSI in page 0x80 of its vital product data (SPC-4 §7.8.11), after four bytes. */
function serialOf(files: SystemFiles, folder: string): string {
  const plain = files.text(`${folder}/serial`) || files.text(`${folder}/device/serial`)
  const serial = plain || files.bytes(`${folder}/device/vpd_pg80`).subarray(4).toString('latin1')
  return serial.replaceAll(/[^\x20-\x7e]/g, '').trim()
}

/** As lsblk spells it. Only names that the maker burnt in: the kernel makes up others from the model (`t10.`, `nvme.`). */
function wwnOf(wwid: string): string {
  const [, kind, value = ''] = /^(naa|eui|uuid)\.([0-9a-fA-F-]+)$/.exec(wwid) ?? []
  if (kind === undefined || /^[0-]*$/.test(value)) return ''
  return kind === 'naa' ? `0x${value.toLowerCase()}` : `${kind}.${value.toLowerCase()}`
}

/** The place on the bus, in the manner of udev's by-path names, which kernel names and probe order do not change. */
function pathOf(files: SystemFiles, name: string, real: string): string {
  const pci = pciAddress(real)
  const start = pci === '' ? 'platform' : `pci-${pci}`
  const nvme = /nvme[0-9]+n([0-9]+)$/.exec(name)
  if (nvme !== null) return `${start}-nvme-${nvme[1]}`
  const usb = real.match(/\/[0-9]+-([0-9.]+)(?=\/)/g)?.at(-1)
  const target = /\/([0-9]+):([0-9]+):([0-9]+):([0-9]+)\/block\//.exec(real)
  const address = target === null ? '' : `${target[2]}:${target[3]}:${target[4]}`
  if (usb !== undefined) return `${start}-usb-0:${usb.slice(usb.indexOf('-') + 1)}-scsi-${address}`
  const ata = /\/(ata([0-9]+))\//.exec(real)
  if (ata !== null) return `${start}-ata-${files.text(`sys/class/ata_port/${ata[1]}/port_no`) || ata[2]}${address === '0:0:0' ? '' : `.${address}`}`
  if (target !== null) return `${start}-scsi-${hostIndex(files, real)}:${address}`
  return start
}

/** Hosts are numbered as they appear; counted within their own adapter the number is stable. */
function hostIndex(files: SystemFiles, real: string): number {
  const match = /^(.*)\/(host[0-9]+)\//.exec(real)
  if (match === null) return 0
  const hosts = files.list(match[1] ?? '').filter((name) => /^host[0-9]+$/.test(name))
    .toSorted((a, b) => Number(a.slice(4)) - Number(b.slice(4)))
  return Math.max(0, hosts.indexOf(match[2] ?? ''))
}
