import type { ChangeOptions } from '../change/change.ts'
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

/** Fields of a node that an install is made from, by the name that they have in its document. */
const FIELDS: Readonly<Record<string, string>> = { os: 'os', machine: 'machine', protect: 'protect', moved: 'moved', targets: 'hardware', disks: 'hardware', layout: 'hardware', attachments: 'networks' }

function rangeOfNode(node: SiteNode, path: string | null): ReturnType<typeof rangeOfField> {
  const field = path?.split('.').map((key) => FIELDS[key]).find((name) => name !== undefined)
  return field === undefined || layerOfField(node, [field]) === undefined ? node.at : rangeOfField(node, [field])
}
