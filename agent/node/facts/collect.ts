import { byCodePoint } from '../../../schemas/canonical.ts'
import type { Facts } from '../../../schemas/inventory.ts'
import { readBlockDevices } from './block-devices.ts'
import type { BlockDevice } from './block-devices.ts'
import { readMemory } from './memory.ts'
import { readPorts } from './ports.ts'
import { readProcessor } from './processor.ts'
import type { SystemFiles } from './system-files.ts'

/** How a machine is looked at. */
export interface CollectOptions {
  readonly files: SystemFiles
  /** Node's name of the architecture: `x64`, `arm64`. */
  readonly arch: string
  /** `CROWBAR_LOOP_DISKS`: `loop0=SERIAL,loop1=SERIAL`. Where it is set, these loop devices are the machine's only disks. */
  readonly loopDisks: string | undefined
}

/** What the machine is, and its disks as this kernel names them. */
export function collectFacts({ files, arch, loopDisks }: CollectOptions): { readonly facts: Facts; readonly devices: readonly BlockDevice[] } {
  const container = isContainer(files)
  const loops = parseLoopDisks(loopDisks)
  // A container sees the disks of its host in /sys: they are not its own.
  const devices = readBlockDevices(files, loops).filter((device) => loops.has(device.name) || (!container && loopDisks === undefined))
  const pci = container ? [] : readPci(files)
  return {
    devices,
    facts: {
      architecture: arch === 'arm64' ? 'arm64' : 'amd64',
      firmware: { kind: container ? 'container' : files.exists('sys/firmware/efi') ? 'uefi' : 'bios' },
      dmi: container ? containerIdentity(files) : readDmi(files),
      cpu: readProcessor(files),
      memory: { bytes: readMemory(files) },
      disks: devices.map((device) => device.fact),
      nics: readPorts(files, { container }),
      ...(pci.length === 0 ? {} : { pci }),
    },
  }
}

/** Container managers say so in one of these places (systemd, CONTAINER_INTERFACE). */
function isContainer(files: SystemFiles): boolean {
  return files.exists('run/systemd/container') || /(^|\0)container=/.test(files.bytes('proc/1/environ').toString('latin1'))
}

function readDmi(files: SystemFiles): Facts['dmi'] {
  const read = (name: string): string => files.text(`sys/class/dmi/id/${name}`)
  return { vendor: read('sys_vendor'), product: read('product_name'), serial: read('product_serial'), uuid: read('product_uuid').toLowerCase(), asset: read('chassis_asset_tag') }
}

/** DMI is the host's; a container is known by its machine id. */
function containerIdentity(files: SystemFiles): Facts['dmi'] {
  const id = files.text('etc/machine-id')
  const parts = /^([0-9a-f]{8})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{12})$/.exec(id)
  return { vendor: 'container', product: 'container', serial: '', uuid: parts === null ? '' : parts.slice(1).join('-'), asset: '' }
}

/** `vendor:device` of every PCI function that is not a virtual one, sorted, each as often as it is there. */
function readPci(files: SystemFiles): string[] {
  const folder = 'sys/bus/pci/devices'
  return files.list(folder)
    .filter((name) => !files.exists(`${folder}/${name}/physfn`))
    .map((name) => `${files.text(`${folder}/${name}/vendor`).slice(2)}:${files.text(`${folder}/${name}/device`).slice(2)}`)
    .toSorted(byCodePoint)
}

function parseLoopDisks(text: string | undefined): ReadonlyMap<string, string> {
  const loops = new Map<string, string>()
  for (const part of (text ?? '').split(',')) {
    const [name = '', serial = ''] = part.split('=')
    if (name !== '') loops.set(name.replace(/^\/dev\//, ''), serial)
  }
  return loops
}
