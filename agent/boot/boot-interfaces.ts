import type { InstallDocument } from '../../schemas/install.ts'
import type { Facts } from '../../schemas/inventory.ts'
import type { Ledger, LedgerNode } from '../../schemas/ledger.ts'
import type { Plan } from '../../schemas/plan.ts'
import { stepDocument } from '../../schemas/step-values.ts'
import type { Reservation } from './dhcp/subnet.ts'
import type { BootInterface } from './serve-boot.ts'

/** Firmware comes and goes; an installed machine keeps its address for a working day. Seconds. */
const LEASE_SECONDS = { boot: 120, host: 36_000 }

/**
 * The interfaces on which an admin node serves, as its `agent` document has them, and what DHCP needs of their networks.
 * On a listed interface with `dhcp: off` nodes still fetch what their steps need; one that is not listed is left alone.
 *
 * @param addressOf the address that this machine has on an interface, or undefined.
 * @returns interfaces with an IPv4 subnet; `problems`: what is asked for and cannot be served, in words.
 */
export function bootInterfaces(
  plan: Plan,
  node: string,
  options: { readonly reservations: (network: string) => readonly Reservation[]; readonly addressOf: (device: string) => string | undefined },
): { readonly interfaces: readonly BootInterface[]; readonly problems: readonly string[] } {
  const interfaces: BootInterface[] = []
  const problems: string[] = []
  const agent = plan.agents[node]
  if (agent === undefined) return { interfaces, problems: [`the site has no agent document for ${node}`] }
  for (const [name, one] of Object.entries(agent.interfaces)) {
    const subnet = plan.networks[one.network]?.subnets.find(each => !each.cidr.includes(':'))
    const address = options.addressOf(name)
    if (subnet === undefined) problems.push(`${name}: the network ${one.network} has no IPv4 subnet`)
    else if (address === undefined) problems.push(`${name}: this machine has no such interface, or no IPv4 address on it`)
    else {
      const pool = subnet.ranges['dhcp']
      interfaces.push({
        name,
        address,
        mode: one.dhcp === 'off' ? 'files' : one.dhcp,
        subnet: {
          name: one.network,
          cidr: subnet.cidr,
          pools: pool === undefined ? [] : [{ from: pool.first, to: pool.last }],
          reservations: () => options.reservations(one.network),
          ...(subnet.gateway === null ? {} : { gateway: subnet.gateway }),
          dns: subnet.dns.filter(each => !each.includes(':')),
          domain: plan.site.domain,
          leaseSeconds: LEASE_SECONDS,
        },
      })
    }
  }
  return { interfaces, problems }
}

export interface ReservationSources {
  /** What was applied: an installed node has the address that it was installed with, whatever was committed since. */
  readonly ledger: Ledger
  readonly factsOf: (machine: string) => Facts | undefined
}

/**
 * The addresses that machines keep on a network: by the MAC of their port there, of their first port, or of their pin.
 * Of a node that is installed those that it was installed with, until it is installed anew; of any other the plan's.
 */
export function networkReservations(plan: Plan, network: string, { ledger, factsOf }: ReservationSources): readonly Reservation[] {
  const reserve = (hostname: string, address: string | undefined, mac: string | undefined): readonly Reservation[] => (address === undefined || address.includes(':') || mac === undefined ? [] : [{ address, mac, hostname }])
  const installed = new Set<string>()
  const kept = Object.entries(ledger.nodes).flatMap(([hostname, node]) => {
    const attachments = node.machine === null ? undefined : installedAttachments(node, ledger)
    if (attachments === undefined || plan.nodes[hostname]?.admin === true) return []
    installed.add(hostname)
    const here = attachments.find(one => one.network === network)
    return reserve(hostname, here?.addresses.find(one => !one.address.includes(':'))?.address, here?.ports[0] ?? factsOf(node.machine ?? '')?.nics[0]?.mac)
  })
  const taken = new Set(kept.map(one => one.address))
  const planned = Object.entries(plan.nodes).flatMap(([hostname, node]) => {
    if (node.admin || installed.has(hostname)) return []
    const attached = node.attachments.find(one => one.network === network)?.ports[0]
    return reserve(hostname, node.addresses[network], attached ?? (node.machine === null ? node.pin['mac']?.toLowerCase() : factsOf(node.machine)?.nics[0]?.mac))
  })
  return [...kept, ...planned.filter(one => !taken.has(one.address))]
}

/** The network of a node as it was installed; undefined when nothing is. */
function installedAttachments(node: LedgerNode, ledger: Ledger): InstallDocument['attachments'] | undefined {
  const entry = node.incarnation === null ? undefined : node.steps[`install@${node.node}`]
  const install = entry === undefined ? undefined : (stepDocument(entry.step, ledger.values)?.['install'] as InstallDocument | undefined)
  return install?.attachments
}
