import type { Report } from '../../schemas/diagnostic.ts'
import { EMPTY_LOCK } from '../../schemas/lock.ts'
import type { Lock, LockedDisk } from '../../schemas/lock.ts'
import { own } from '../../schemas/own.ts'
import type { Attachment } from '../../schemas/plan.ts'
import { oncePerPlace } from '../bind/once-per-place.ts'
import type { BoundNode, BoundSite } from '../bind/bound-site.ts'
import { formatAddress, parseAddress } from '../resolve/address.ts'
import type { Address } from '../resolve/address.ts'
import type { ResolvedNetwork } from '../resolve/resolved-site.ts'
import { allocateAddresses, networksOf } from './addresses.ts'
import type { AllocatedSite } from './allocated-site.ts'
import { checkAttachments } from './check-attachments.ts'
import { chooseDisks } from './disks.ts'
import type { DisksByEntry } from './disks.ts'
import { PortFinder } from './ports.ts'
import { subnetOf } from './subnet-of.ts'

/** Gives nodes their addresses, ports and disks, and writes the new lock. */
export function allocate(bound: BoundSite, report: Report): AllocatedSite {
  const { resolved } = bound
  const { nodes, virtual, lock } = allocateAddresses(bound, report)
  // What a conduit or a hardware document asks of machines is wrong for many of them at once.
  const reportOnce = oncePerPlace(report)
  const finder = new PortFinder(resolved.site, reportOnce)
  const attach = (node: BoundNode): readonly Attachment[] => {
    const attachments = networksOf(node, resolved.site.site.value.admin.network).flatMap((name) => {
      const network = resolved.networks.get(name)
      return network === undefined ? [] : [attachment({ network, addresses: nodes.get(node.name)?.get(name) ?? [], ports: finder.find(node, network) })]
    })
    checkAttachments(node, attachments, { networks: resolved.networks, report: reportOnce })
    return attachments
  }
  const old = resolved.site.lock?.value ?? EMPTY_LOCK
  const locked = lockedDisks(old)
  const chosen = new Map([...bound.nodes].map(([name, node]) => {
    // On another machine none of them is there.
    const claimed = own(old.claims, name)
    const kept = claimed !== undefined && claimed === own(bound.lock.claims, name)
    return [name, chooseDisks(node, { locked: (kept ? locked.get(name) : undefined) ?? new Map(), report, reportOnce })]
  }))
  return {
    bound,
    attachments: new Map([...bound.nodes].map(([name, node]) => [name, attach(node)])),
    targets: new Map([...chosen].map(([name, { targets }]) => [name, targets])),
    virtual,
    missing: [...chosen.values()].flatMap(({ missing }) => missing),
    lock: { ...EMPTY_LOCK, ...bound.lock, addresses: lock, disks: disksOf(chosen), barclamps: resolved.pins, artifacts: old.artifacts },
  }
}

/** Node → entry → disks. */
function lockedDisks({ disks }: Lock): ReadonlyMap<string, DisksByEntry> {
  const found = new Map<string, Map<string, readonly LockedDisk[]>>()
  for (const [key, locked] of Object.entries(disks ?? {})) {
    const slash = key.indexOf('/')
    const node = key.slice(0, slash)
    found.set(node, (found.get(node) ?? new Map<string, readonly LockedDisk[]>()).set(key.slice(slash + 1), locked))
  }
  return found
}

function disksOf(chosen: ReadonlyMap<string, { readonly disks: DisksByEntry }>): NonNullable<Lock['disks']> {
  return Object.fromEntries([...chosen].flatMap(([node, { disks }]) => [...disks].map(([entry, chosen]) => [`${node}/${entry}`, chosen] as const)))
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
