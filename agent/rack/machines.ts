import type { Plan } from '../../schemas/plan.ts'
import type { RackDocument } from '../../schemas/documents/rack.ts'
import { digestBytes } from '../../schemas/canonical.ts'

/** One disk of a virtual machine. */
export interface VirtualDisk {
  readonly bytes: number
  readonly bus: 'virtio' | 'nvme' | 'sata' | 'scsi'
  readonly serial: string
  /** What is on it before the first boot. */
  readonly content: 'blank' | 'ext4' | 'gpt' | 'mbr' | 'mdraid' | 'random'
  readonly canary: boolean
}

/** One virtual machine, every choice made. */
export interface MachineSpec {
  readonly name: string
  readonly firmware: 'bios' | 'uefi'
  /** MiB. */
  readonly memory: number
  readonly cores: number
  readonly serial: string
  readonly uuid: string
  readonly nics: readonly { readonly mac: string; readonly model: 'virtio' | 'e1000' | 'e1000e' }[]
  readonly disks: readonly VirtualDisk[]
}

const DEFAULT_DISK_BYTES = 4 * 1024 ** 3

/**
 * The machines of a rehearsal: those that `rack` documents describe, and one for each pinned node that none of them
 * fits. A node that claims by tags or `where` has to find its machine among them: no expression is run backwards.
 *
 * @returns machines by name; `unmatched`: pinned nodes for which no machine can be made (an asset tag alone).
 */
export function rackMachines(plan: Plan, racks: readonly RackDocument[]): { readonly machines: readonly MachineSpec[]; readonly unmatched: readonly string[] } {
  const machines = racks.flatMap(rack => rack.machines.map(one => describe(one)))
  const unmatched: string[] = []
  for (const [name, node] of Object.entries(plan.nodes)) {
    if (node.admin || Object.keys(node.pin).length === 0 || machines.some(one => fits(one, node.pin))) continue
    if (node.pin['mac'] === undefined && node.pin['serial'] === undefined && node.pin['uuid'] === undefined) {
      unmatched.push(name)
      continue
    }
    const { mac, serial, uuid } = node.pin
    machines.push(describe({ name, firmware: machines.length % 2 === 0 ? 'bios' : 'uefi', ...(mac === undefined ? {} : { nics: [{ mac }] }), ...(serial === undefined ? {} : { serial }), ...(uuid === undefined ? {} : { uuid }) }))
  }
  return { machines, unmatched }
}

function fits(machine: MachineSpec, pin: Readonly<Record<string, string>>): boolean {
  return (
    (pin['mac'] === undefined || machine.nics.some(nic => nic.mac === pin['mac']?.toLowerCase())) &&
    (pin['serial'] === undefined || machine.serial === pin['serial']) &&
    (pin['uuid'] === undefined || machine.uuid === pin['uuid'].toLowerCase())
  )
}

function describe(given: RackDocument['machines'][number]): MachineSpec {
  const seed = digestBytes(given.name).slice('sha256:'.length)
  return {
    name: given.name,
    firmware: given.firmware ?? 'bios',
    memory: given.memory ?? 1024,
    cores: given.cores ?? 1,
    serial: given.serial ?? `RACK-${given.name}`,
    uuid: (given.uuid ?? `${seed.slice(0, 8)}-${seed.slice(8, 12)}-4${seed.slice(13, 16)}-8${seed.slice(17, 20)}-${seed.slice(20, 32)}`).toLowerCase(),
    nics: (given.nics ?? [{ mac: `52:54:00:${seed.slice(0, 2)}:${seed.slice(2, 4)}:${seed.slice(4, 6)}` }]).map(nic => ({ mac: nic.mac.toLowerCase(), model: nic.model ?? 'virtio' })),
    disks: (given.disks ?? [{ size: `${DEFAULT_DISK_BYTES / 1024 ** 3}GiB` }]).map((disk, index) => ({
      bytes: bytesOf(disk.size),
      bus: disk.bus ?? 'virtio',
      serial: disk.serial ?? `${given.name}-${index}`.slice(-20),
      content: disk.content ?? (disk.canary === true ? 'random' : 'blank'),
      canary: disk.canary ?? false,
    })),
  }
}

function bytesOf(size: string): number {
  const number = Number.parseInt(size, 10)
  return number * (size.endsWith('GiB') ? 1024 ** 3 : 1024 ** 2)
}
