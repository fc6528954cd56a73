import type { Plan } from '../../schemas/plan.ts'
import { runProgram } from '../stage/run-program.ts'
import { RackError } from './rack-error.ts'

/** The network that the rack's machines boot on, as the site's admin node has it. */
export interface RackNetwork {
  /** Name of the bridge: the interface that the site's `agent` document lists. */
  readonly bridge: string
  readonly address: string
  readonly prefix: number
  /** The admin node whose `agent` document lists it. */
  readonly adminNode: string
}

/**
 * Finds the interface that serves the admin network in the site's `agent` documents. The rack's bridge takes its name, so
 * that the site is rehearsed as it stands.
 *
 * @throws {RackError} RACK_NO_INTERFACE when no document lists one, with the document to write.
 */
export function rackNetwork(plan: Plan): RackNetwork {
  const { network, address } = plan.site.admin
  for (const [adminNode, agent] of Object.entries(plan.agents)) {
    const bridge = Object.entries(agent.interfaces).find(([, one]) => one.network === network && one.dhcp === 'server')?.[0]
    const subnet = plan.networks[network]?.subnets.find(one => !one.cidr.includes(':'))
    if (bridge === undefined || subnet === undefined) continue
    return { bridge, address, prefix: Number(subnet.cidr.split('/')[1]), adminNode }
  }
  throw new RackError(
    'RACK_NO_INTERFACE',
    `no agent document of the site serves DHCP on the network ${network}; write, for a node with "admin: true":\n  kind: agent\n  node: <that node>\n  interfaces: { eth1: { network: ${network}, dhcp: server } }`,
  )
}

/** Makes the bridge with the admin node's address in the current network namespace, and brings the loopback up. */
export async function makeBridge(network: RackNetwork, signal: AbortSignal): Promise<void> {
  await ip(['link', 'set', 'lo', 'up'], signal)
  await ip(['link', 'add', network.bridge, 'type', 'bridge', 'stp_state', '0', 'forward_delay', '0'], signal)
  await ip(['addr', 'add', `${network.address}/${network.prefix}`, 'dev', network.bridge], signal)
  await ip(['link', 'set', network.bridge, 'up'], signal)
}

/** Makes a tap and attaches it to the bridge. */
export async function makeTap(name: string, network: RackNetwork, signal: AbortSignal): Promise<void> {
  await ip(['tuntap', 'add', 'dev', name, 'mode', 'tap'], signal)
  await ip(['link', 'set', name, 'master', network.bridge, 'up'], signal)
}

async function ip(args: readonly string[], signal: AbortSignal): Promise<void> {
  await runProgram(['ip', ...args], { signal })
}
