import type { Attachment } from '../../../schemas/plan.ts'
import type { Json } from '../../../schemas/shape.ts'
import { NodeError } from '../node-error.ts'

/** A file of /etc/systemd/network. */
export interface NetworkFile {
  readonly name: string
  readonly text: string
}

interface Bond {
  readonly mode: string
  readonly lacpRate?: string
  readonly hash?: string
  readonly miimon?: number
}

/** A device of systemd-networkd, as it is put together. */
interface Link {
  readonly match: string
  readonly lines: string[]
  mtu: number
}

/**
 * The configuration of systemd-networkd for a node's attachments (systemd.network(5), systemd.netdev(5)).
 *
 * Ports are matched by their permanent address, which VLANs, bonds and bridges made of them do not have. Untagged traffic
 * belongs to the port or bond itself, tagged to a VLAN of it; addresses stand on the bridge where there is one.
 *
 * @param bootPort MAC of the port for attachments that name none.
 * @throws {NodeError} INSTALL_UNSUPPORTED for several ports without a bond, or for two bonds over different ports.
 */
export function networkFiles(attachments: readonly Attachment[], { bootPort }: { readonly bootPort: string | undefined }): NetworkFile[] {
  const links = new Map<string, Link>()
  const devices = new Map<string, string>()
  const link = (name: string, match: string): Link => {
    const found = links.get(name) ?? { match, lines: [], mtu: 0 }
    links.set(name, found)
    return found
  }
  const device = (name: string, kind: string, more: readonly string[]): void => void devices.set(name, ['[NetDev]', `Name=${name}`, `Kind=${kind}`, ...more].join('\n'))

  for (const attachment of attachments) {
    const { network, bond, vlan, mtu, bridge } = attachment
    const ports = attachment.ports.length === 0 && bootPort !== undefined ? [bootPort] : attachment.ports
    const [first] = ports
    if (first === undefined) throw new NodeError('INSTALL_UNSUPPORTED', `no port is known for the network ${network}`)
    if (ports.length > 1 && bond === null) throw new NodeError('INSTALL_UNSUPPORTED', `${network} has ${ports.length} ports and no bond`)
    let base = `port-${first.replaceAll(':', '')}`
    if (bond === null) link(base, `PermanentMACAddress=${first}`)
    else {
      base = `bond-${first.replaceAll(':', '').slice(-8)}`
      device(base, 'bond', ['', ...bondLines(bond as unknown as Bond & Json)])
      for (const mac of ports) {
        const port = link(`port-${mac.replaceAll(':', '')}`, `PermanentMACAddress=${mac}`)
        if (!port.lines.includes(`Bond=${base}`)) port.lines.push(`Bond=${base}`)
        port.mtu = Math.max(port.mtu, mtu)
      }
      link(base, `Name=${base}`)
    }
    let top = base
    if (vlan !== 0) {
      // The same VLAN over another port is another device.
      top = devices.has(`vlan${vlan}`) && !links.get(base)?.lines.includes(`VLAN=vlan${vlan}`) ? `vlan${vlan}-${base.slice(-4)}` : `vlan${vlan}`
      device(top, 'vlan', ['', '[VLAN]', `Id=${vlan}`])
      const below = link(base, '')
      if (!below.lines.includes(`VLAN=${top}`)) below.lines.push(`VLAN=${top}`)
      below.mtu = Math.max(below.mtu, mtu)
      link(top, `Name=${top}`)
    }
    if (bridge !== null) {
      device(bridge, 'bridge', [`MACAddress=${first}`, '', '[Bridge]', 'STP=no', 'ForwardDelaySec=0'])
      const below = link(top, '')
      if (!below.lines.includes(`Bridge=${bridge}`)) below.lines.push(`Bridge=${bridge}`)
      below.mtu = Math.max(below.mtu, mtu)
      top = bridge
      link(top, `Name=${top}`)
    }
    const holder = link(top, '')
    holder.mtu = Math.max(holder.mtu, mtu)
    holder.lines.push(...addressLines(attachment))
  }
  return [
    ...[...devices].map(([name, text]) => ({ name: `10-crowbar-${name}.netdev`, text: `${text}\n` })),
    ...[...links].map(([name, one]) => ({ name: `20-crowbar-${name}.network`, text: networkText(one) })),
  ]
}

function networkText({ match, lines, mtu }: Link): string {
  const own = mtu === 0 ? [] : ['', '[Link]', `MTUBytes=${mtu}`]
  const fixed = ['LinkLocalAddressing=ipv6', 'IPv6AcceptRA=no', 'LLDP=yes', 'EmitLLDP=yes']
  return `${['[Match]', match, ...own, '', '[Network]', 'DHCP=no', ...fixed, ...lines].join('\n')}\n`
}

function addressLines({ addresses }: Attachment): string[] {
  return addresses.flatMap(({ address, prefix, gateway, dns }) => [
    `Address=${address}/${prefix}`, ...(gateway === null ? [] : [`Gateway=${gateway}`]), ...dns.map((server) => `DNS=${server}`),
  ])
}

function bondLines({ mode, lacpRate, hash, miimon }: Bond): string[] {
  return [
    '[Bond]', `Mode=${mode}`, `MIIMonitorSec=${miimon ?? 100}ms`,
    ...(lacpRate === undefined ? [] : [`LACPTransmitRate=${lacpRate}`]),
    ...(hash === undefined ? [] : [`TransmitHashPolicy=${hash}`]),
  ]
}
