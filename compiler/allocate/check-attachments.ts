import { canonical } from '../../schemas/canonical.ts'
import type { Range, Report } from '../../schemas/diagnostic.ts'
import type { Attachment } from '../../schemas/plan.ts'
import type { BoundNode } from '../bind/bound-site.ts'
import { error } from '../diagnostics/diagnostic.ts'
import { rangeOf } from '../parse/document.ts'
import type { ResolvedNetwork, ResolvedSite } from '../resolve/resolved-site.ts'

/** Finds attachments of one node that cannot be put together: a port in two ways, a VLAN for two networks. */
export function checkAttachments(node: BoundNode, attachments: readonly Attachment[], { networks, report }: Pick<ResolvedSite, 'networks'> & { readonly report: Report }): void {
  const placeOf = (network: string, field: 'conduit' | 'vlan'): Range => {
    const { source } = (networks.get(network) as ResolvedNetwork).document
    return rangeOf(source, [field])
  }
  const ports = new Map<string, Attachment>()
  const vlans = new Map<string, Attachment>()
  for (const attachment of attachments) {
    const { network, vlan } = attachment
    let told = false
    for (const mac of attachment.ports) {
      const other = ports.get(mac)
      if (other === undefined) ports.set(mac, attachment)
      else if (!told && wayOf(other) !== wayOf(attachment)) {
        told = true
        report(error('PORT_CONFLICT', placeOf(network, 'conduit'), `${node.name} has ${network} ${words(attachment)}, and ${other.network} ${words(other)}: port ${mac} cannot be used in both ways.`, { related: [{ message: other.network, range: placeOf(other.network, 'conduit') }], fix: 'Put both networks on one conduit, or on ports of their own.' }))
      }
    }
    if (vlan === 0) continue
    const key = `${vlan} ${(networks.get(network) as ResolvedNetwork).document.value.conduit ?? ''}`
    const other = vlans.get(key)
    if (other === undefined) vlans.set(key, attachment)
    else report(error('VLAN_CONFLICT', placeOf(network, 'vlan'), `${node.name} has ${other.network} and ${network} as VLAN ${vlan} on one conduit.`, { related: [{ message: other.network, range: placeOf(other.network, 'vlan') }], fix: 'Give one of them another VLAN, or make them two subnets of one network.' }))
  }
}

function wayOf({ ports, bond }: Attachment): string {
  return canonical([ports, bond])
}

function words({ ports, bond }: Attachment): string {
  return bond === null ? `on ${ports.join(' and ')}` : `on a bond of ${ports.join(' and ')}`
}
