import { byCodePoint, digest } from '../../schemas/canonical.ts'
import type { DiskFact, Facts, NicFact } from '../../schemas/inventory.ts'
import { usefulMac, usefulSerial, usefulUuid } from '../../schemas/machine-marks.ts'
import type { Json } from '../../schemas/shape.ts'
import type { Host, ImportedFile, Said } from './estate.ts'
import type { Place } from './fields.ts'
import type { ImportContext } from './import-context.ts'

/** The facts of one machine by name, from wherever they were said. */
export type Roots = ReadonlyMap<string, Place>

/** A disk or a port as it was said; what is undefined was not. */
export interface SaidDisk {
  readonly bytes: Place | undefined
  readonly size: number | undefined
  readonly rotational?: { readonly value: boolean; readonly place: Place } | undefined
  readonly model?: Said | undefined
  readonly serial?: Said | undefined
  readonly wwn?: Said | undefined
  readonly kernelName: string
  readonly place: Place
}

export interface SaidNic {
  readonly mac: Said
  readonly driver?: Said | undefined
  readonly bus?: Said | undefined
  readonly speed?: { readonly value: number; readonly place: Place } | undefined
}

/** What a tool says of a machine, in words of the inventory. */
export interface SaidMachine {
  /** Names of the host, the best first. */
  readonly names: readonly Said[]
  /** Stands in where nothing names the host. */
  readonly otherwise: string
  readonly place: Place
  readonly address: Said | undefined
  readonly architecture: Said | undefined
  readonly firmware: { readonly kind: Facts['firmware']['kind']; readonly place: Place } | undefined
  readonly vendor: Said | undefined
  readonly product: Said | undefined
  readonly serial: Said | undefined
  readonly uuid: Said | undefined
  readonly asset: Said | undefined
  readonly model: Said | undefined
  readonly cores: { readonly value: number; readonly places: readonly Place[] } | undefined
  readonly threads: { readonly value: number; readonly place: Place } | undefined
  readonly memory: { readonly value: number; readonly place: Place } | undefined
  readonly disks: readonly SaidDisk[]
  readonly nics: readonly SaidNic[]
}

const ARCHITECTURES: Readonly<Record<string, Facts['architecture']>> = { amd64: 'amd64', x86_64: 'amd64', x64: 'amd64', aarch64: 'arm64', arm64: 'arm64' }
/** Names of ports that are no hardware. */
const VIRTUAL_PORT = /^(lo\d*$|docker|veth|vnet|vmbr|virbr|xenbr|br[-\d]|qbr|qv[bo]|q[rg]-|fw(br|ln|pr)|vif|bond|team|tun|tap|macv|ipvlan|ipvtap|cali|cilium|antrea|weave|flannel|cni|podman|nerdctl|kube-|genev|dummy|ip_vti|ip6|sit|gre|erspan|wg|vxlan|ovs|vlan|lxc|ifb|nlmon|vcan|lxd|incusbr|mpqemubr|vboxnet|vmnet|lagg|zt[0-9a-z]{8})|^bridge\d*$|[.@:]/
const VIRTUAL_DISK = /^(loop|ram|zram|zd\d|dm-|md|sr|fd|nbd|rbd|drbd|bcache)|^mmcblk\d+(boot|rpmb)/

export function isPort(name: string): boolean {
  return !VIRTUAL_PORT.test(name)
}

export function isDisk(name: string): boolean {
  return !VIRTUAL_DISK.test(name)
}

/** The inventory file of a machine, and the host that has it; what cannot be understood is refused. */
export function machineOf(said: SaidMachine, { fields, network, remark }: Pick<ImportContext, 'fields' | 'network' | 'remark'>): { readonly file: ImportedFile; readonly host: Host } | undefined {
  const macs = new Map<string, SaidNic>()
  for (const nic of said.nics) {
    const mac = nic.mac.text.toLowerCase()
    if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/.test(mac)) fields.refused(nic.mac.place, 'this is no MAC address')
    else if (macs.has(mac)) fields.beside(nic.mac.place, 'another port has this MAC address: ports of a bond, or one that stands on another')
    else if (mac !== '00:00:00:00:00:00') macs.set(mac, nic)
  }
  const { uuid, serial } = marksOf(said)
  const [firstMac] = [...macs].filter(([mac]) => usefulMac(mac) !== undefined).toSorted(([a], [b]) => byCodePoint(a, b))
  const mark = uuid?.text.toLowerCase() ?? serial?.text ?? firstMac?.[0]
  if (mark === undefined) {
    fields.refused(said.place, 'nothing says which machine this is: no UUID, serial number or MAC address')
    return undefined
  }
  const id = `m-${digest(mark).slice('sha256:'.length, 'sha256:'.length + 10)}`
  const file = `inventory/${id}.json`
  const architecture = ARCHITECTURES[said.architecture?.text.toLowerCase() ?? '']
  if (said.architecture !== undefined && architecture === undefined) {
    fields.refused(said.architecture.place, 'machines are amd64 or arm64')
    return undefined
  }
  const assumed: string[] = []
  const assume = <T>(path: string, value: T): T => {
    assumed.push(path)
    return value
  }
  const went = (place: Place | undefined, path: string): void => {
    if (place !== undefined) fields.mapped(place, `${file}: facts.${path}`)
  }
  const text = (one: Said | undefined, path: string): string => {
    went(one?.place, path)
    return one?.text ?? ''
  }
  // A drive without a medium says 0.
  const sized = said.disks.filter(({ kernelName, size }) => isDisk(kernelName) && size !== 0).flatMap(({ size, ...disk }) => {
    if (size === undefined) fields.refused(disk.bytes ?? disk.place, 'a disk has a size in bytes')
    return size === undefined ? [] : [{ ...disk, size }]
  })
  const disks = sized.toSorted((a, b) => byCodePoint(keyOf(a), keyOf(b))).map((disk, i): DiskFact => {
    const at = `disks.${i}`
    went(disk.bytes, `${at}.bytes`)
    went(disk.rotational?.place, `${at}.rotational`)
    const bus = busOf(disk)
    const named = (disk.serial?.text ?? '') + (disk.wwn?.text ?? '') !== ''
    return { bytes: disk.size, rotational: disk.rotational?.value ?? assume(`${at}.rotational`, false), model: text(disk.model, `${at}.model`), serial: text(disk.serial, `${at}.serial`), wwn: text(disk.wwn, `${at}.wwn`), bus: bus ?? assume(`${at}.bus`, 'other' as const), path: named ? '' : assume(`${at}.path`, `imported:${disk.kernelName}`) }
  })
  const nics = [...macs].toSorted(([a, one], [b, other]) => byCodePoint(one.bus?.text ?? '', other.bus?.text ?? '') || byCodePoint(a, b)).map(([mac, nic], i): NicFact => {
    went(nic.mac.place, `nics.${i}.mac`)
    went(nic.speed?.place, `nics.${i}.speed`)
    return { mac, driver: text(nic.driver, `nics.${i}.driver`), bus: text(nic.bus, `nics.${i}.bus`), speed: nic.speed?.value ?? null }
  })
  went(said.architecture?.place, 'architecture')
  went(said.firmware?.place, 'firmware.kind')
  for (const place of said.cores?.places ?? []) went(place, 'cpu.cores')
  went(said.threads?.place, 'cpu.threads')
  went(said.memory?.place, 'memory.bytes')
  const facts: Facts = {
    architecture: architecture ?? assume('architecture', 'amd64' as const),
    firmware: { kind: said.firmware?.kind ?? assume('firmware.kind', 'bios' as const) },
    dmi: { vendor: text(said.vendor, 'dmi.vendor'), product: text(said.product, 'dmi.product'), serial: text(said.serial, 'dmi.serial'), uuid: text(said.uuid, 'dmi.uuid').toLowerCase(), asset: text(said.asset, 'dmi.asset') },
    cpu: { model: text(said.model, 'cpu.model'), cores: said.cores?.value ?? assume('cpu.cores', said.threads?.value ?? 1), threads: said.threads?.value ?? assume('cpu.threads', said.cores?.value ?? 1) },
    memory: { bytes: said.memory?.value ?? assume('memory.bytes', 0) },
    disks, nics,
  }
  if (assumed.length > 0) remark(`${file}: not said of ${said.names[0]?.text ?? said.otherwise}, and taken as it most often is: ${assumed.join(', ')}. Discovery finds out.`)
  for (const name of said.names) fields.mapped(name.place, `${file}: id`)
  const [name] = said.names
  const host: Host = {
    name: name?.text ?? said.otherwise, places: said.names.map(({ place }) => place), groups: [], variables: new Map(),
    ...(network === undefined ? {} : { address: said.address }),
    machine: uuid !== undefined ? { uuid: { ...uuid, text: uuid.text.trim().toLowerCase() } } : serial !== undefined ? { serial } : { mac: { text: firstMac?.[0] ?? '', place: firstMac?.[1].mac.place ?? said.place } },
  }
  return { file: { path: file, text: `${JSON.stringify({ kind: 'machine', id, facts }, null, 2)}\n` }, host }
}

/** Text of a place, or a whole number as text. */
export function saidAt(place: Place | undefined): Said | undefined {
  const value: Json | undefined = place?.value
  if (place === undefined || (typeof value !== 'string' && typeof value !== 'number') || value === '') return undefined
  return { text: String(value), place }
}

/** A number, or text that is one. */
export function numberAt(place: Place | undefined): { readonly value: number; readonly place: Place } | undefined {
  const value = typeof place?.value === 'string' && /^[0-9]+$/.test(place.value) ? Number(place.value) : place?.value
  return place !== undefined && typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? { value, place } : undefined
}

/** What tells a machine from all others; not what vendors write where there is nothing. */
export function marksOf({ uuid, serial }: { readonly uuid: Said | undefined; readonly serial: Said | undefined }): { readonly uuid: Said | undefined; readonly serial: Said | undefined } {
  return { uuid: usefulUuid(uuid?.text ?? '') === undefined ? undefined : uuid, serial: usefulSerial(serial?.text ?? '') === undefined ? undefined : serial }
}

function busOf({ kernelName, model }: SaidDisk): DiskFact['bus'] | undefined {
  if (kernelName.startsWith('nvme')) return 'nvme'
  if (kernelName.startsWith('vd')) return 'virtio'
  return /^ATA\b/.test(model?.text ?? '') ? 'sata' : undefined
}

function keyOf({ wwn, serial, model, size = 0 }: SaidDisk): string {
  return `${wwn?.text ?? ''} ${serial?.text ?? ''} ${model?.text ?? ''} ${String(size).padStart(20, '0')}`
}
