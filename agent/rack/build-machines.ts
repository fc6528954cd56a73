import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Status } from '../../schemas/control.ts'
import type { ControlClient } from '../control/control-client.ts'
import { makeContainerNode, prepareForContainers, unpackBase } from './container-node.ts'
import { makeTap } from './network.ts'
import type { RackError } from './rack-error.ts'
import type { RackMachine } from './rack-machine.ts'
import type { ContainerOrder, RackOrder } from './rack-order.ts'
import { makeVirtualMachine } from './virtual-machine.ts'

export interface BuildMachinesOptions {
  readonly client: ControlClient
  /** Owns what is made, from the moment it is there. */
  readonly owner: AsyncDisposableStack
  readonly onDeath: (error: RackError) => void
  readonly signal: AbortSignal
}

/** Makes all machines of the rack, switched off, and attaches them to its bridge. */
export async function buildMachines(order: RackOrder, options: BuildMachinesOptions): Promise<RackMachine[]> {
  return order.containers === null ? virtualMachines(order, options) : containerNodes(order, order.containers, options)
}

async function virtualMachines(order: RackOrder, { owner, onDeath, signal }: BuildMachinesOptions): Promise<RackMachine[]> {
  let taps = 0
  const machines: RackMachine[] = []
  for (const spec of order.machines) {
    const names: string[] = []
    for (const _ of spec.nics) {
      const name = `tap${taps++}`
      await makeTap(name, order.network, signal)
      names.push(name)
    }
    machines.push(owner.use(await makeVirtualMachine(spec, { folder: order.work, consoleFolder: order.out, accelerator: order.accelerator, taps: names, onDeath, signal })))
  }
  return machines
}

/** Each node is told what `crowbar join` prints, and has the address that the plan gives it. */
async function containerNodes(order: RackOrder, containers: ContainerOrder, { client, owner, onDeath, signal }: BuildMachinesOptions): Promise<RackMachine[]> {
  await prepareForContainers(signal)
  const bases = new Map<string, string>()
  for (const [os, archive] of Object.entries(containers.bases)) {
    const base = join(order.work, 'bases', os)
    await unpackBase(archive, base, signal)
    bases.set(os, base)
  }
  const { nodes } = await client.get<Status>('/status')
  const machines: RackMachine[] = []
  for (const [index, { node, os, spec, isStandIn }] of containers.nodes.entries()) {
    const folder = join(order.work, 'nodes', node)
    await mkdir(folder, { recursive: true })
    machines.push(owner.use(await makeContainerNode({
      node, spec, rack: order.id, base: bases.get(os) ?? '', folder, consoleFolder: order.out, network: order.network, link: `c${index}p`,
      // An admin node's own is that of the rack's agent.
      address: isStandIn ? null : (nodes.find(one => one.name === node)?.address ?? null),
      config: await client.get(`/join?node=${encodeURIComponent(node)}`),
      runtime: containers.runtime, bundle: containers.bundle, onDeath, signal,
    })))
  }
  return machines
}
