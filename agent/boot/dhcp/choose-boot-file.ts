import type { LoaderTable } from '../architecture.ts'
import { macInPath } from '../mac.ts'
import type { DhcpClient } from './client.ts'

/** Where machines fetch what they boot, as they see it. */
export interface BootServer {
  /** Our address on their network. */
  readonly address: string
  /** TCP port of the boot server. */
  readonly httpPort: number
  readonly loaders: LoaderTable
}

/** User class of an iPXE that was built for this project and always knows HTTP. */
const ownUserClass = 'Crowbar'

/** Feature numbers in option 175 of iPXE. */
const featureHttp = 19

/**
 * Chooses the boot file: the script for every iPXE that can fetch it, else the loader that becomes such an iPXE.
 *
 * The order is what breaks loops: whoever can read the script is never sent a loader again. The machine's hardware
 * address is in every path, so that TFTP and HTTP know for whom they serve.
 *
 * The script's URL carries what DHCP learnt (architecture, UUID), so that HTTP needs no memory of it.
 *
 * @returns a URL, or a bare file name for firmware that has no URLs; undefined if there is no loader for it, or it does
 *   not boot from the network.
 */
export function chooseBootFile({ mac, netboot, uuids }: DhcpClient, server: BootServer): string | undefined {
  if (!netboot) return undefined
  const http = `http://${server.address}${server.httpPort === 80 ? '' : `:${server.httpPort}`}`
  const script = `${http}/boot/${macInPath(mac)}/ipxe?arch=${netboot.architecture}${uuids[0] === undefined ? '' : `&uuid=${uuids[0]}`}`
  if (netboot.userClass === ownUserClass) return script
  if (netboot.userClass === 'iPXE' && netboot.ipxeFeatures.has(featureHttp)) return script

  const loader = server.loaders[netboot.architecture]
  if (loader === undefined) return undefined
  const path = `${macInPath(mac)}/${loader}`
  if (netboot.class === 'HTTPClient') return `${http}/boot/${path}`
  return netboot.userClass === 'iPXE' ? `tftp://${server.address}/${path}` : path
}
