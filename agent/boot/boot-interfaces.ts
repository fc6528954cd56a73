import type { Facts } from '../../schemas/inventory.ts'
import type { Plan } from '../../schemas/plan.ts'
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

/** The addresses that machines keep on a network: by the MAC of their port there, of their first port, or of their pin. */
export function networkReservations(plan: Plan, network: string, factsOf: (machine: string) => Facts | undefined): readonly Reservation[] {
  return Object.entries(plan.nodes).flatMap(([hostname, node]) => {
    const address = node.addresses[network]
    if (node.admin || address === undefined || address.includes(':')) return []
    const attached = node.attachments.find(one => one.network === network)?.ports[0]
    const mac = attached ?? (node.machine === null ? node.pin['mac']?.toLowerCase() : factsOf(node.machine)?.nics[0]?.mac)
    return mac === undefined ? [] : [{ address, mac, hostname }]
  })
}
