import type { ResolvedSite } from '../resolve/resolved-site.ts'
import type { BoundMember, BoundRole } from './bound-site.ts'

export interface RoleQuestion {
  readonly role: string
  /** Looked in first, then in those it comes after, nearest first. */
  readonly deployment: string
  /** Only a binding that has this node; null: any with a member, one whose `where` may find some, or one that somebody else runs. */
  readonly node: string | null
}

/**
 * The bindings of a role that a deployment reaches: all of the nearest distance at which there is one. Empty: none.
 * More than one: ambiguous.
 */
export function findRole({ resolved, roles }: { readonly resolved: ResolvedSite; readonly roles: ReadonlyMap<string, BoundRole> }, { role, deployment, node }: RoleQuestion): { readonly found: readonly BoundRole[] } {
  const fits = (name: string): BoundRole | undefined => {
    const bound = roles.get(`${name}/${role}`)
    if (bound === undefined) return undefined
    const answers = node === null ? bound.members.length > 0 || bound.external !== null || bound.binding.where !== undefined : memberOf(bound, node) !== undefined
    return answers ? bound : undefined
  }
  const here = fits(deployment)
  if (here !== undefined) return { found: [here] }
  for (const level of resolved.deployments.get(deployment)?.reach ?? []) {
    const found = level.flatMap((name) => fits(name) ?? [])
    if (found.length > 0) return { found }
  }
  return { found: [] }
}

const byNode = new WeakMap<BoundRole, ReadonlyMap<string, BoundMember>>()

/** The member that a node is of a role, without a look at all the others. */
export function memberOf(bound: BoundRole, node: string): BoundMember | undefined {
  let known = byNode.get(bound)
  if (known === undefined) {
    known = new Map(bound.members.map((member) => [member.node, member]))
    byNode.set(bound, known)
  }
  return known.get(node)
}
