import type { Report } from '../../schemas/diagnostic.ts'
import type { Lock } from '../../schemas/lock.ts'
import { own } from '../../schemas/own.ts'
import { warning } from '../diagnostics/diagnostic.ts'
import { rangeOfField } from '../validate/site.ts'
import type { Site, SiteNode } from '../validate/site.ts'

/**
 * The lock with the lines of nodes that have a new name (`moved`) under that name. Names may be swapped, and passed on
 * from node to node, in one commit; each line says whose it `was`, so that a `moved` which stays in the site is carried
 * out once. One that would take the lines of a node that stays, or put two nodes into one, is not carried out.
 */
export function movedLock(lock: Lock, nodes: Site['nodes'], report: Report): Lock {
  const renamed = renamings(lock, nodes, report)
  const rename = (name: string): string => renamed.get(name) ?? name
  const keys = <T>(section: { readonly [key: string]: T }, key: (key: string) => string): Record<string, T> => Object.fromEntries(Object.entries(section).map(([name, value]) => [key(name), value]))
  const part = (index: number) => (key: string): string => key.split('/').map((text, i) => (i === index ? rename(text) : text)).join('/')
  const lines = Object.entries(lock.nodes).map(([before, { was, ...line }]) => {
    const name = rename(before)
    const from = renamed.has(before) ? before : was
    return [name, { ...line, ...(from !== undefined && nodes.get(name)?.value.moved?.from === from ? { was: from } : {}) }] as const
  })
  if (renamed.size === 0) return { ...lock, nodes: Object.fromEntries(lines) }
  return {
    ...lock,
    claims: keys(lock.claims, rename),
    nodes: Object.fromEntries(lines),
    bindings: Object.fromEntries(
      Object.entries(lock.bindings).map(([key, { members, next, founder }]) => [key, { members: keys(members, rename), next, ...(founder === undefined ? {} : { founder: rename(founder) }) }]),
    ),
    // `node/entry`.
    disks: keys(lock.disks ?? {}, part(0)),
    // `network/node`, and `network/node/6`.
    addresses: keys(lock.addresses, part(1)),
  }
}

/** Old name → new name, of all that can be carried out together. */
function renamings(lock: Lock, nodes: Site['nodes'], report: Report): ReadonlyMap<string, string> {
  const wanted = new Map<string, SiteNode>()
  const refused: { readonly node: SiteNode; readonly why: string }[] = []
  for (const node of nodes.values()) {
    const from = node.value.moved?.from
    if (from === undefined || from === node.name || !Object.hasOwn(lock.nodes, from) || own(lock.nodes, node.name)?.was === from) continue
    const other = wanted.get(from)
    if (other === undefined) wanted.set(from, node)
    else refused.push({ node, why: `${other.name} moved from it too` })
  }
  const live = liveNodes(lock)
  // A name that is passed on once more, and comes from the same node as the last time: c<b, b<a after b<a.
  for (const [name] of wanted) {
    const node = nodes.get(name)
    const from = node?.value.moved?.from
    if (node !== undefined && from !== undefined && live.has(from) && !wanted.has(from) && ![...wanted.values()].includes(node)) wanted.set(from, node)
  }
  for (let again = true; again; ) {
    again = false
    const coming = new Set(wanted.values().map((node) => node.name))
    for (const [from, node] of wanted) {
      const why = nodes.has(from) && !coming.has(from) ? `${from} is still a node of the site` : live.has(node.name) && !wanted.has(node.name) ? `${node.name} has lines of its own in the lock` : undefined
      if (why === undefined) continue
      wanted.delete(from)
      refused.push({ node, why })
      again = true
    }
  }
  for (const { node, why } of refused) {
    report(warning('MOVED_IGNORED', rangeOfField(node, ['moved', 'from']), `${node.name} does not take over what ${node.value.moved?.from} has: ${why}.`, { fix: 'Take `moved` away, or the other node.' }))
  }
  const renamed = new Map([...wanted].map(([from, node]) => [from, node.name]))
  const origin = new Map([...renamed].map(([from, name]) => [name, from]))
  for (const name of renamed.values()) {
    if (renamed.has(name) || !Object.hasOwn(lock.nodes, name)) continue
    // The name was that of a node that is gone, whose line moves to the name that is free now: its index is given to nobody.
    let free = name
    for (let from = origin.get(free); from !== undefined; from = origin.get(free)) free = from
    renamed.set(name, free)
  }
  return renamed
}

/** The nodes that the site had when the lock was written; of those that were gone by then only a line in `nodes` is there. */
function liveNodes(lock: Lock): ReadonlySet<string> {
  const live = new Set(Object.keys(lock.claims))
  for (const { members } of Object.values(lock.bindings)) for (const name of Object.keys(members)) live.add(name)
  for (const key of Object.keys(lock.addresses)) live.add(key.split('/')[1] as string)
  return live
}
