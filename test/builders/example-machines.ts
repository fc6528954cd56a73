import { identify } from '../../agent/inventory/identify.ts'
import { inventoryFiles } from '../../agent/reconcile/inventory-files.ts'
import type { Facts } from '../../schemas/inventory.ts'
import type { MachineRecord } from '../../agent/state/state.ts'

/** A machine of an example site; what is left out is a small box with one disk. */
export interface MachineSketch {
  readonly serial: string
  readonly product?: string
  readonly cores?: number
  readonly gibibytes?: number
  readonly disks?: readonly { readonly gigabytes: number; readonly rotational?: boolean; readonly bus?: 'nvme' | 'sata' }[]
  /** MACs of its ports, in bus order. */
  readonly macs: readonly string[]
  /** Of every port, Mbit/s. */
  readonly speed?: number
  /** The switch that its first port hangs on. */
  readonly rack?: string
}

/**
 * The machines whose inventory the example sites have committed, by site. `npm run accept` writes the files, with the ids
 * and in the form that the agent gives them; a test holds the two together.
 */
export const EXAMPLE_MACHINES: Readonly<Record<string, readonly MachineSketch[]>> = {
  rollout: ['01', '02', '03', '04', '05', '06'].map((number) => ({ serial: `RO-00${number}`, macs: [`52:54:00:12:80:${number}`] })),
  'late-binding': [
    { serial: 'LB-0001', product: 'Compute 2', cores: 32, gibibytes: 128, macs: ['02:00:00:7e:00:01'], rack: 'switch-a' },
    { serial: 'LB-0002', product: 'Compute 2', cores: 32, gibibytes: 64, macs: ['02:00:00:7e:00:02'], rack: 'switch-b' },
    { serial: 'LB-0003', product: 'Storage 4', cores: 8, gibibytes: 32, macs: ['02:00:00:7e:00:03'], disks: [{ gigabytes: 240 }, { gigabytes: 8000, rotational: true }, { gigabytes: 8000, rotational: true }], rack: 'switch-a' },
    { serial: 'LB-0004', product: 'Compute 2', cores: 32, gibibytes: 128, macs: ['02:00:00:7e:00:04'], rack: 'switch-b' },
  ],
  'wants-across-nodes': ['01', '02', '03', '04'].map((number) => ({ serial: `WN-00${number}`, macs: [`52:54:00:12:7f:${number}`] })),
}

/** The facts that discovery would tell of a machine. */
export function factsOf({ serial, product = 'Box 1', cores = 4, gibibytes = 8, disks = [{ gigabytes: 480 }], macs, speed = 1000, rack = 'switch-a' }: MachineSketch): Facts {
  const hex = Buffer.from(serial).toString('hex').padStart(32, '0').slice(-32)
  return {
    architecture: 'amd64',
    firmware: { kind: 'uefi' },
    dmi: { vendor: 'Example', product, serial, uuid: hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5'), asset: '' },
    cpu: { model: 'Example CPU', cores, threads: cores * 2 },
    memory: { bytes: gibibytes * 2 ** 30 },
    disks: disks.map(({ gigabytes, rotational = false, bus = 'sata' }, i) => ({ bytes: gigabytes * 10 ** 9, rotational, model: `Disk ${gigabytes}`, serial: `${serial}-D${i + 1}`, wwn: '', bus, path: `pci-0000:00:1f.2-ata-${i + 1}` })),
    nics: macs.map((mac, i) => ({ mac, driver: 'ixgbe', bus: `0000:01:00.${i}`, speed, ...(i === 0 ? { lldp: { system: rack, port: `port-${serial.slice(-4)}` } } : {}) })),
  }
}

/** `inventory/<id>.json` of each of these machines, as the agent would commit them. */
export function inventoryOf(machines: readonly MachineSketch[]): ReadonlyMap<string, string> {
  const records = machines.map((sketch): MachineRecord => {
    const facts = factsOf(sketch)
    return { id: identify(facts, []).id, macs: sketch.macs, firmware: null, keys: {}, seen: '', facts, disks: [], disksSeen: null, quarantined: null, ran: null, renamed: [], session: null }
  })
  return inventoryFiles(records, new Map())
}
