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
  const fits = (name: string): BoundRole | undefined => {
    const bound = roles.get(`${name}/${role}`)
    if (bound === undefined) return undefined
    const answers = node === null ? bound.members.length > 0 || bound.external !== null : memberNames(bound).has(node)
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

const names = new WeakMap<BoundRole, ReadonlySet<string>>()

function memberNames(bound: BoundRole): ReadonlySet<string> {
  let known = names.get(bound)
  if (known === undefined) {
    known = new Set(bound.members.map((member) => member.node))
    names.set(bound, known)
  }
  return known
}
