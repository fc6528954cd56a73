import type { ResolvedSite } from '../resolve/resolved-site.ts'
import type { BoundRole } from './bound-site.ts'

export interface RoleQuestion {
  readonly role: string
  /** Looked in first, then in those it comes after, nearest first. */
  readonly deployment: string
  /** Only a binding that has this node; null: any with a member, or one that somebody else runs. */
  readonly node: string | null
}

/**
 * The bindings of a role that a deployment reaches: all of the nearest distance at which there is one. Empty: none.
 * More than one: ambiguous.
 */
export function findRole({ resolved, roles }: { readonly resolved: ResolvedSite; readonly roles: ReadonlyMap<string, BoundRole> }, { role, deployment, node }: RoleQuestion): { readonly found: readonly BoundRole[] } {
  const fits = (name: string): readonly BoundRole[] => {
    const bound = roles.get(`${name}/${role}`)
    if (bound === undefined) return []
    if (node !== null) return memberNames(bound).has(node) ? [bound] : []
    return bound.members.length > 0 || bound.external !== null ? [bound] : []
  }
  const levels = [[deployment], ...(resolved.deployments.get(deployment)?.reach ?? [])]
  for (const level of levels) {
    const found = level.flatMap(fits)
    if (found.length > 0) return { found }
  }
  return { found: [] }
}

const names = new WeakMap<BoundRole, ReadonlySet<string>>()

function memberNames(bound: BoundRole): ReadonlySet<string> {
  let known = names.get(bound)
  if (known === undefined) {
    known = new Set(bound.members.map((member) => member.node))
    names.set(bound, known)
  }
  return known
}
