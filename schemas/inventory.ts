import { boolean, integer, list, literal, map, nullable, object, oneOf, optional, string } from './shape.ts'
import type { TypeOf } from './shape.ts'

/** One disk, as what a screwdriver changes. */
const disk = object({
  bytes: integer({ min: 0 }),
  rotational: boolean(),
  model: string(),
  serial: string({}, 'Empty when the disk has none.'),
  wwn: string({}, 'Empty when the disk has none.'),
  bus: oneOf(['nvme', 'sata', 'sas', 'scsi', 'virtio', 'usb', 'loop', 'other']),
  path: string({}, 'Stable path on the bus, e.g. pci-0000:00:05.0; never a kernel name.'),
})
export type DiskFact = TypeOf<typeof disk>

const nic = object({
  mac: string({ pattern: '^[0-9a-f]{2}(:[0-9a-f]{2}){5}$' }),
  driver: string(),
  bus: string({}, 'PCI address, or empty.'),
  speed: nullable(integer({ min: 0 }, 'Capability in Mbit/s; null when the port does not tell.')),
  lldp: optional(object({ system: string(), port: string() })),
})
export type NicFact = TypeOf<typeof nic>

/** What a machine is: only what a screwdriver changes. Lists are sorted: disks by id, nics by bus then MAC. */
export const factsShape = object({
  architecture: oneOf(['amd64', 'arm64']),
  firmware: object({ kind: oneOf(['bios', 'uefi', 'container']) }),
  dmi: object({ vendor: string(), product: string(), serial: string(), uuid: string(), asset: string() }),
  cpu: object({ model: string(), cores: integer({ min: 1 }), threads: integer({ min: 1 }) }),
  memory: object({ bytes: integer({ min: 0 }) }),
  disks: list(disk),
  nics: list(nic),
  bmc: optional(object({ address: string(), mac: string() })),
  pci: optional(list(string())),
})
export type Facts = TypeOf<typeof factsShape>

/** `inventory/<machine-id>.json`: written by the agent, edited by nobody. */
export const inventoryShape = object({
  kind: literal('machine'),
  id: string({ pattern: '^[a-z0-9][a-z0-9-]{0,62}$' }),
  facts: factsShape,
})
export type InventoryDocument = TypeOf<typeof inventoryShape>

/** The name of a disk that survives reboots and recabling: WWN, else serial, else its path on the bus. */
export function diskId(fact: Pick<DiskFact, 'wwn' | 'serial' | 'path'>): string {
  if (fact.wwn !== '') return `wwn:${fact.wwn}`
  if (fact.serial !== '') return `serial:${fact.serial}`
  return `path:${fact.path}`
}

/** A disk's content, as a node last looked at it. Not a committed fact: it lives in the log and in the ledger. */
export const diskStateShape = object({
  id: string({}, 'As diskId() gives it.'),
  serial: string(),
  model: string(),
  bytes: integer({ min: 0 }),
  blank: boolean('No known signature, and zeros in the first and last 16 MiB and in one sampled MiB of every GiB.'),
  signature: string({}, 'Canonical JSON: partition table, types and UUIDs of what is on it; of what is not recognised the hash of the samples.'),
  summary: string({}, 'For people: "gpt: efi, ext4 /"; "blank".'),
  stamp: nullable(string({}, 'The stamp of an unfinished approved write, when the disk carries one.')),
})
export type DiskState = TypeOf<typeof diskStateShape>

/** `machines/<id>.json` on the ledger's branch. */
export const machineStateShape = object({
  id: string(),
  seen: string({}, 'RFC 3339, UTC.'),
  disks: list(diskStateShape),
  links: optional(map(boolean(), undefined, 'MAC → link is up.')),
})
export type MachineState = TypeOf<typeof machineStateShape>
