import type { ChangeOptions } from '../change/change.ts'
import { idOfLocked } from '../../schemas/lock.ts'
import type { Lock } from '../../schemas/lock.ts'
import type { BoundNode, BoundSite } from '../bind/bound-site.ts'
import { provenance } from '../explain/provenance.ts'
import { placeOf, rangeOf } from '../parse/document.ts'
import type { SiteNode } from '../validate/site.ts'
import { layerOfField, rangeOfField } from '../validate/site.ts'
import type { GoodSite } from './compile-site.ts'

/** Answers, for a site that compiled, which line of it says what a step does, or a value that the step is given. */
export function placesOf({ ordered }: GoodSite): NonNullable<ChangeOptions['at']> {
  const { injected, steps } = ordered
  const byId = new Map(steps.map((step) => [step.id, step]))
  return (id, path, rotated) => {
    const versions = rotated === undefined ? undefined : injected.allocated.bound.resolved.secrets.get(rotated)
    if (versions !== undefined) return placeOf(versions.range)
    const step = byId.get(id)
    if (step === undefined) return null
    const node = step.node === null ? undefined : injected.allocated.bound.nodes.get(step.node)
    const nodeRole = injected.nodeRoles.get(id)
    if (nodeRole === undefined && node !== undefined && path === 'claim') return placeOfClaim(node, injected.allocated.bound)
    if (nodeRole === undefined && node !== undefined && path?.startsWith(DISK) === true) return placeOfDisk(node, path.slice(DISK.length), injected.allocated.lock)
    if (nodeRole === undefined) return node === undefined ? null : placeOf(rangeOfNode(node.site, path))
    if (path === null) return placeOf(nodeRole.member.at)
    const keys = path.split('.').map((key) => (/^(?:0|[1-9][0-9]*)$/.test(key) ? Number(key) : key))
    // The nearest thing around the value that some layer speaks of.
    for (let length = keys.length; length > 0; length--) {
      const range = provenance(injected, nodeRole, keys.slice(0, length))?.layers.find(({ wins }) => wins)?.range
      if (range !== undefined) return placeOf(range)
    }
    const { barclamp, name } = nodeRole.role.role
    return placeOf(rangeOf(barclamp.document.source, ['roles', name], 'key'))
  }
}

/** Before the id of a disk. */
const DISK = 'disk:'

/** The rule that hands out a tag which the node's machine is to have, else the selector itself. */
function placeOfClaim(node: BoundNode, { resolved }: BoundSite): string | null {
  const selector = layerOfField(node.site, ['machine'])
  const tags = node.site.value.machine?.tags ?? []
  const rules = [...resolved.site.rules.values()].filter(({ value }) => tags.some((tag) => value.set.tags?.includes(tag) === true))
  const [rule] = rules
  if (rule !== undefined && rules.length === 1) return placeOf(rangeOf(rule.source, ['name']))
  return selector === undefined ? null : placeOf(rangeOfField(node.site, ['machine']))
}

/** The entry of the hardware document that has a disk, as the lock keeps it: what happens to it at an install. */
function placeOfDisk(node: BoundNode, disk: string, { disks }: Lock): string | null {
  if (node.hardware === null) return null
  const prefix = `${node.name}/`
  const entry = Object.entries(disks ?? {}).find(([key, locked]) => key.startsWith(prefix) && locked.some((one) => idOfLocked(one) === disk))?.[0].slice(prefix.length)
  return entry === undefined ? null : placeOf(rangeOf(node.hardware.source, ['disks', entry], 'key'))
}

/** Fields of a node that an install is made from, by the name that they have in its document. */
const FIELDS: Readonly<Record<string, string>> = { os: 'os', machine: 'machine', protect: 'protect', moved: 'moved', targets: 'hardware', disks: 'hardware', layout: 'hardware', raid: 'hardware', attachments: 'networks' }

function rangeOfNode(node: SiteNode, path: string | null): ReturnType<typeof rangeOfField> {
  const field = path?.split('.').map((key) => FIELDS[key]).find((name) => name !== undefined)
  return field === undefined || layerOfField(node, [field]) === undefined ? node.at : rangeOfField(node, [field])
}
