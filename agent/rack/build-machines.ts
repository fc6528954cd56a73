import { randomUUID } from 'node:crypto'
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Status } from '../../schemas/control.ts'
import type { ControlClient } from '../control/control-client.ts'
import { makeContainerNode, prepareForContainers, unpackBase } from './container-node.ts'
import type { ContainerSpec } from './container-specs.ts'
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

async function containerNodes(order: RackOrder, containers: ContainerOrder, options: BuildMachinesOptions): Promise<RackMachine[]> {
  await prepareForContainers(options.signal)
  for (const [os, archive] of Object.entries(containers.bases)) await unpackBase(archive, baseOf(order, os), options.signal)
  const machines: RackMachine[] = []
  for (const [index, spec] of containers.nodes.entries()) machines.push(await containerNode(order, { ...spec, index, containers }, options))
  return machines
}

/** Another machine for a node, with a port of its own and nothing on its disk; switched off. The one before is gone. */
export async function replaceContainerNode(order: RackOrder, { node, mac, before }: { readonly node: string; readonly mac: string; readonly before: RackMachine }, options: BuildMachinesOptions): Promise<RackMachine> {
  const { containers } = order
  const index = containers?.nodes.findIndex(one => one.node === node) ?? -1
  const found = containers?.nodes[index]
  if (containers === null || found === undefined) throw new TypeError(`the rack has no container node ${node}`)
  await before[Symbol.asyncDispose]()
  await rm(join(order.work, 'nodes', node), { recursive: true, force: true })
  return containerNode(order, { ...found, spec: { ...found.spec, uuid: randomUUID(), nics: [{ mac, model: 'virtio' }] }, index, containers }, options)
}

/** It is told what `crowbar join` prints, and has the address that the plan gives it. */
async function containerNode(order: RackOrder, { node, os, spec, isStandIn, index, containers }: ContainerSpec & { readonly index: number; readonly containers: ContainerOrder }, { client, owner, onDeath, signal }: BuildMachinesOptions): Promise<RackMachine> {
  const folder = join(order.work, 'nodes', node)
  await mkdir(folder, { recursive: true })
  const { nodes } = await client.get<Status>('/status')
  return owner.use(await makeContainerNode({
    node, spec, rack: order.id, base: baseOf(order, os), folder, consoleFolder: order.out, network: order.network, link: `c${index}p`,
    // An admin node's own is that of the rack's agent.
    address: isStandIn ? null : (nodes.find(one => one.name === node)?.address ?? null),
    config: await client.get(`/join?node=${encodeURIComponent(node)}`),
    runtime: containers.runtime, bundle: containers.bundle, onDeath, signal,
  }))
}

function baseOf({ work }: RackOrder, os: string): string {
  return join(work, 'bases', os)
}
