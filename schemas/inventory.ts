import { boolean, integer, list, literal, map, nullable, object, oneOf, optional, string } from './shape.ts'
import type { TypeOf } from './shape.ts'

/** One disk, as what a screwdriver changes. */
const fieldsOfDisk = {
  bytes: integer({ min: 0 }),
  rotational: boolean(),
  model: string(),
  serial: string({}, 'Empty when the disk has none.'),
  wwn: string({}, 'Empty when the disk has none.'),
  bus: oneOf(['nvme', 'sata', 'sas', 'scsi', 'virtio', 'usb', 'loop', 'other']),
  path: string({}, 'Stable path on the bus, e.g. pci-0000:00:05.0; never a kernel name.'),
}
const disk = object(fieldsOfDisk)
export type DiskFact = TypeOf<typeof disk>

const lldp = object({ system: string(), port: string() })
const fieldsOfNic = {
  mac: string({ pattern: '^[0-9a-f]{2}(:[0-9a-f]{2}){5}$' }),
  driver: string(),
  bus: string({}, 'PCI address, or empty.'),
  speed: nullable(integer({ min: 0 }, 'Capability in Mbit/s; null when the port does not tell.')),
  lldp: optional(lldp),
}
const nic = object(fieldsOfNic)
export type NicFact = TypeOf<typeof nic>

const bmc = object({ address: string(), mac: string() })
const fieldsOfFacts = {
  architecture: oneOf(['amd64', 'arm64']),
  firmware: object({ kind: oneOf(['bios', 'uefi', 'container']) }),
  dmi: object({ vendor: string(), product: string(), serial: string(), uuid: string(), asset: string() }),
  cpu: object({ model: string(), cores: integer({ min: 1 }), threads: integer({ min: 1 }) }),
  memory: object({ bytes: integer({ min: 0 }) }),
  disks: list(disk),
  nics: list(nic),
  bmc: optional(bmc),
  pci: optional(list(string())),
}

/** What a machine is: only what a screwdriver changes. Lists are sorted: disks by id, nics by bus then MAC. */
export const factsShape = object(fieldsOfFacts)
export type Facts = TypeOf<typeof factsShape>

/** Facts as they may be committed: another program, or an older agent, may have left out what it does not know. */
const committedFactsShape = object({
  ...fieldsOfFacts,
  dmi: object({ vendor: optional(string()), product: optional(string()), serial: optional(string()), uuid: optional(string()), asset: optional(string()) }),
  disks: list(object({ ...fieldsOfDisk, model: optional(string()), serial: optional(string()), wwn: optional(string()), path: optional(string()) })),
  nics: list(object({ ...fieldsOfNic, driver: optional(string()), bus: optional(string()), speed: optional(fieldsOfNic.speed), lldp: optional(nullable(lldp)) })),
  bmc: optional(nullable(bmc)),
  pci: optional(nullable(list(string()))),
})

/** `inventory/<machine-id>.json`: written by the agent, edited by nobody. */
export const inventoryShape = object({
  kind: literal('machine'),
  id: string({ pattern: '^[a-z0-9][a-z0-9-]{0,62}$' }),
  facts: committedFactsShape,
})
export type CommittedInventory = TypeOf<typeof inventoryShape>

/** A committed machine with all its facts; what is not known is empty, the speed of a port null. */
export interface InventoryDocument {
  readonly kind: 'machine'
  readonly id: string
  readonly facts: Facts
}

export function completeInventory({ kind, id, facts }: CommittedInventory): InventoryDocument {
  const { bmc: controller, pci, ...rest } = facts
  return {
    kind, id,
    facts: {
      ...rest,
      dmi: { vendor: '', product: '', serial: '', uuid: '', asset: '', ...facts.dmi },
      disks: facts.disks.map((disk) => ({ model: '', serial: '', wwn: '', path: '', ...disk })),
      nics: facts.nics.map(({ lldp: neighbour, ...nic }) => ({ driver: '', bus: '', speed: null, ...nic, ...(neighbour === null || neighbour === undefined ? {} : { lldp: neighbour }) })),
      ...(controller === null || controller === undefined ? {} : { bmc: controller }),
      ...(pci === null || pci === undefined ? {} : { pci }),
    },
  }
}

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
