import { byCodePoint } from '../../../schemas/canonical.ts'
import type { NicFact } from '../../../schemas/inventory.ts'
import type { SystemFiles } from './system-files.ts'

const ETHERNET = '1'
const NO_ADDRESS = '00:00:00:00:00:00'

/**
 * Network ports, by bus then MAC. Ports that software made (bridges, VLANs, bonds, virtual functions) are not hardware and
 * are left out, but in a container, where every port is one and the loopback alone is left out.
 */
export function readPorts(files: SystemFiles, { container }: { readonly container: boolean }): NicFact[] {
  const ports: NicFact[] = []
  for (const name of files.list('sys/class/net')) {
    const folder = `sys/class/net/${name}`
    if (files.text(`${folder}/type`) !== ETHERNET || name === 'lo') continue
    if (!container && (!files.exists(`${folder}/device`) || files.exists(`${folder}/device/physfn`))) continue
    if (container && files.exists(`${folder}/bridge`)) continue
    // A bond gives all its ports one address; what they left the factory with is kept here.
    const mac = (files.text(`${folder}/bonding_slave/perm_hwaddr`) || files.text(`${folder}/address`)).toLowerCase()
    if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/.test(mac) || mac === NO_ADDRESS) continue
    ports.push({ mac, driver: driverOf(files, folder), bus: pciAddress(files.real(folder)), speed: null })
  }
  return ports.toSorted((a, b) => byCodePoint(a.bus, b.bus) || byCodePoint(a.mac, b.mac))
}

/** The last PCI address of a device's path: that of the device itself, behind all bridges. */
export function pciAddress(path: string): string {
  return path.match(/[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]/g)?.at(-1) ?? ''
}

function driverOf(files: SystemFiles, folder: string): string {
  return files.link(`${folder}/device/driver`).split('/').at(-1) ?? ''
}
