import { hasFlag } from '../resolve/resolved-site.ts'
import type { ResolvedSite } from '../resolve/resolved-site.ts'
import type { BoundMember, BoundRole } from './bound-site.ts'

export interface RoleQuestion {
  /** Its name, or one that it acts as. */
  readonly role: string
  /** Looked in first, then in those it comes after, nearest first. */
  readonly deployment: string
  /** Looked in instead, and nowhere else. */
  readonly only?: string | undefined
  /** Only a binding that has this node; null: any with a member, one whose `where` may find some, or one that somebody else runs. */
  readonly node: string | null
}

/**
 * The bindings of a role that a deployment reaches: all of the nearest distance at which there is one. Empty: none.
 * More than one: ambiguous.
 */
export function findRole({ resolved, roles }: { readonly resolved: ResolvedSite; readonly roles: ReadonlyMap<string, BoundRole> }, { role, deployment, only, node }: RoleQuestion): { readonly found: readonly BoundRole[] } {
  const answering = resolved.answering.get(role) ?? []
  const fits = (name: string): readonly BoundRole[] => {
    const found: BoundRole[] = []
    for (const each of answering) {
      const bound = roles.get(`${name}/${each.name}`)
      if (bound === undefined) continue
      if (node === null ? bound.members.length > 0 || bound.external !== null || bound.binding.where !== undefined : memberOf(bound, node) !== undefined) found.push(bound)
    }
    return found
  }
  const here = fits(only ?? deployment)
  if (here.length > 0 || only !== undefined) return { found: here }
  for (const level of resolved.deployments.get(deployment)?.reach ?? []) {
    const found = level.flatMap(fits)
    if (found.length > 0) return { found }
  }
  return { found: [] }
}

/** Whether who requires a role of this name waits for all its members, wherever they are, and not for one on the same node. */
export function isClusterWide({ answering }: ResolvedSite, name: string): boolean {
  return (answering.get(name) ?? []).some((role) => role.declaration.scope === 'cluster' || hasFlag(role, 'milestone'))
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
