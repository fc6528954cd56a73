import type { Lock } from '../../schemas/lock.ts'
import type { Site } from '../validate/site.ts'

/** The lock with the lines of nodes that have a new name (`moved`) under that name, when the old one is gone. */
export function movedLock(lock: Lock, nodes: Site['nodes']): Lock {
  const renamed = new Map<string, string>()
  for (const node of nodes.values()) {
    const from = node.value.moved?.from
    if (from !== undefined && !nodes.has(from) && Object.hasOwn(lock.nodes, from) && !Object.hasOwn(lock.nodes, node.name)) renamed.set(from, node.name)
  }
  if (renamed.size === 0) return lock
  const rename = (name: string): string => renamed.get(name) ?? name
  const keys = <T>(section: { readonly [key: string]: T }, key: (key: string) => string): Record<string, T> => Object.fromEntries(Object.entries(section).map(([name, value]) => [key(name), value]))
  return {
    ...lock,
    claims: keys(lock.claims, rename),
    nodes: keys(lock.nodes, rename),
    bindings: Object.fromEntries(
      Object.entries(lock.bindings).map(([key, { members, next, founder }]) => [key, { members: keys(members, rename), next, ...(founder === undefined ? {} : { founder: rename(founder) }) }]),
    ),
    // `node/entry`.
    disks: keys(lock.disks ?? {}, (key) => key.split('/').map((part, i) => (i === 0 ? rename(part) : part)).join('/')),
    // `network/node`, and `network/node/6`.
    addresses: keys(lock.addresses, (key) => key.split('/').map((part, i) => (i === 1 ? rename(part) : part)).join('/')),
  }
}
