import type { Report } from '../../schemas/diagnostic.ts'
import { EMPTY_LOCK } from '../../schemas/lock.ts'
import type { Attachment } from '../../schemas/plan.ts'
import type { BoundNode, BoundSite } from '../bind/bound-site.ts'
import { contains, formatAddress, parseAddress } from '../resolve/address.ts'
import type { Address } from '../resolve/address.ts'
import type { ResolvedNetwork, ResolvedSubnet } from '../resolve/resolved-site.ts'
import { allocateAddresses, networksOf } from './addresses.ts'
import type { AllocatedSite } from './allocated-site.ts'
import { chooseDisks } from './disks.ts'
import { PortFinder } from './ports.ts'

/** Gives nodes their addresses, ports and disks, and writes the new lock. */
export function allocate(bound: BoundSite, report: Report): AllocatedSite {
  const { resolved } = bound
  const { nodes, virtual, lock } = allocateAddresses(bound, report)
  const finder = new PortFinder(resolved.site, report)
  const attach = (node: BoundNode): readonly Attachment[] =>
    networksOf(node, resolved.site.site.value.admin.network).flatMap((name) => {
      const network = resolved.networks.get(name)
      return network === undefined ? [] : [attachment({ network, addresses: nodes.get(node.name)?.get(name) ?? [], ports: finder.find(node, network) })]
    })
  const old = resolved.site.lock?.value ?? EMPTY_LOCK
  return {
    bound,
    attachments: new Map([...bound.nodes].map(([name, node]) => [name, attach(node)])),
    targets: new Map([...bound.nodes].map(([name, node]) => [name, chooseDisks(node, report)])),
    virtual,
    lock: { ...EMPTY_LOCK, ...bound.lock, addresses: lock, barclamps: old.barclamps, artifacts: old.artifacts },
  }
}

function attachment({ network, addresses, ports }: { readonly network: ResolvedNetwork; readonly addresses: readonly string[]; readonly ports: Pick<Attachment, 'ports' | 'bond'> }): Attachment {
  return {
    network: network.name,
    addresses: addresses.flatMap((text) => {
      const subnet = subnetOf(network, parseAddress(text) as Address)
      if (subnet === undefined) return []
      return [{ address: text, prefix: subnet.interval.prefix, gateway: subnet.gateway === null ? null : formatAddress(subnet.gateway), dns: subnet.dns ?? [] }]
    }),
    ports: ports.ports,
    bond: ports.bond,
    vlan: network.vlan,
    mtu: network.mtu,
    bridge: network.document.value.bridge ?? null,
  }
}

function subnetOf(network: ResolvedNetwork, address: Address): ResolvedSubnet | undefined {
  return network.subnets.find((subnet) => contains(subnet.interval, address))
}
