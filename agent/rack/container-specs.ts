import { digestBytes } from '../../schemas/canonical.ts'
import type { Plan } from '../../schemas/plan.ts'
import type { MachineSpec } from './machines.ts'
import { RackError } from './rack-error.ts'

/** A node, and what a container is to be that takes its place. */
export interface ContainerSpec {
  readonly node: string
  readonly os: string
  /** For an admin node, whose address the rack's agent has. */
  readonly isStandIn: boolean
  readonly spec: MachineSpec
}

/**
 * The nodes that containers can stand for: those whose os is `install: joined` and that a port of a machine pins. One more
 * stands in for each admin node that roles run on: the rack's agent runs on whatever machine rehearses, where they must not.
 *
 * @param machines of the rack, as `rackMachines` gives them.
 * @throws {RackError} RACK_NO_CONTAINER naming each node for which a container cannot stand, and why.
 */
export function containerSpecs(plan: Plan, machines: readonly MachineSpec[]): ContainerSpec[] {
  const found: ContainerSpec[] = []
  const problems: string[] = []
  for (const [node, { admin, os, pin }] of Object.entries(plan.nodes)) {
    if (admin) continue
    const mac = pin['mac']?.toLowerCase()
    const spec = mac === undefined ? undefined : machines.find(machine => machine.nics.some(nic => nic.mac === mac))
    if (os === null || plan.systems[os]?.install !== 'joined') problems.push(`${node} has the os ${os ?? '(none)'}, which is not "install: joined"`)
    else if (mac === undefined || spec === undefined) problems.push(`${node} is not pinned by "machine: { mac: … }"`)
    // The port that pins it is the one that is set up.
    else found.push({ node, os, isStandIn: false, spec: { ...spec, nics: spec.nics.toSorted((a, b) => Number(b.mac === mac) - Number(a.mac === mac)) } })
  }
  const [first] = found
  for (const [node, { admin, os }] of Object.entries(plan.nodes)) {
    if (admin && first !== undefined && Object.values(plan.roles).some(({ members }) => members.some(member => member.node === node))) found.push({ node, os: os ?? first.os, isStandIn: true, spec: standIn(node) })
  }
  if (problems.length > 0) throw new RackError('RACK_NO_CONTAINER', `container nodes are installed already and known by their port: ${problems.join('; ')}. Rehearse this site with --nodes qemu`)
  return found
}

function standIn(node: string): MachineSpec {
  const hex = digestBytes(`admin node ${node}`).slice('sha256:'.length)
  const uuid = `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`
  return { name: node, firmware: 'bios', memory: 512, cores: 1, serial: '', uuid, nics: [{ mac: `52:54:00:${hex.slice(0, 2)}:${hex.slice(2, 4)}:${hex.slice(4, 6)}`, model: 'virtio' }], disks: [] }
}
