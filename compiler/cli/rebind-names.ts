import { suggest } from '../../schemas/cel/suggest.ts'
import { NO_REBIND } from '../bind/rebind.ts'
import type { Rebind } from '../bind/rebind.ts'
import type { BoundSite } from '../bind/bound-site.ts'

const FIELDS = ['os', 'hardware', 'machine', 'disks'] as const

/**
 * What names on the command line ask for: `deployment/role`, `node:field`, or `node`, which stands for its os, its
 * hardware, and every role that it no longer matches; never for its machine or its disks.
 *
 * @returns what is wrong with a name, as a sentence.
 */
export function rebindOf(names: readonly string[]): Rebind | string {
  const sets = Object.fromEntries(Object.keys(NO_REBIND).map((key) => [key, new Set<string>()])) as { readonly [K in keyof Rebind]: Set<string> }
  for (const name of names) {
    const colon = name.indexOf(':')
    if (name.includes('/')) sets.roles.add(name)
    else if (colon < 0) for (const key of ['nodes', 'os', 'hardware'] as const) sets[key].add(name)
    else {
      const field = FIELDS.find((each) => each === name.slice(colon + 1))
      if (field === undefined) return `${name}: what a node can rebind is ${FIELDS.join(', ')}`
      sets[field].add(name.slice(0, colon))
    }
  }
  return sets
}

/** The first name that nothing in the site has, in a sentence; undefined: every one has. */
export function strangerOf(rebind: Rebind, { nodes, roles }: BoundSite): string | undefined {
  const unknown = (what: string, names: Iterable<string>, known: ReadonlyMap<string, unknown>): string | undefined => {
    for (const name of names) {
      if (known.has(name)) continue
      const near = suggest(name, known.keys())
      return `there is no ${what} ${name}${near === undefined ? '' : `; did you mean ${near}?`}`
    }
    return undefined
  }
  return unknown('role', rebind.roles, roles) ?? unknown('node', [...rebind.nodes, ...rebind.os, ...rebind.hardware, ...rebind.machine, ...rebind.disks], nodes)
}
