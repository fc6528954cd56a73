import type { Plan } from '../../schemas/plan.ts'
import type { MachineSpec } from './machines.ts'
import { RackError } from './rack-error.ts'

/**
 * The nodes that containers can stand for: those whose os is `install: joined` and that a port of a machine pins.
 *
 * @param machines of the rack, as `rackMachines` gives them.
 * @throws {RackError} RACK_NO_CONTAINER naming each node for which a container cannot stand, and why.
 */
export function containerSpecs(plan: Plan, machines: readonly MachineSpec[]): { readonly node: string; readonly os: string; readonly spec: MachineSpec }[] {
  const found: { node: string; os: string; spec: MachineSpec }[] = []
  const problems: string[] = []
  for (const [node, { admin, os, pin }] of Object.entries(plan.nodes)) {
    if (admin) continue
    const mac = pin['mac']?.toLowerCase()
    const spec = mac === undefined ? undefined : machines.find(machine => machine.nics.some(nic => nic.mac === mac))
    if (os === null || plan.systems[os]?.install !== 'joined') problems.push(`${node} has the os ${os ?? '(none)'}, which is not "install: joined"`)
    else if (mac === undefined || spec === undefined) problems.push(`${node} is not pinned by "machine: { mac: … }"`)
    // The port that pins it is the one that is set up.
    else found.push({ node, os, spec: { ...spec, nics: spec.nics.toSorted((a, b) => Number(b.mac === mac) - Number(a.mac === mac)) } })
  }
  if (problems.length > 0) throw new RackError('RACK_NO_CONTAINER', `container nodes are installed already and known by their port: ${problems.join('; ')}. Rehearse this site with --nodes qemu`)
  return found
}
