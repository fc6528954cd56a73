import { byCodePoint, canonical } from '../../schemas/canonical.ts'
import { EMPTY_LOCK, idOfLocked } from '../../schemas/lock.ts'
import type { Lock, LockedDisk } from '../../schemas/lock.ts'
import { own } from '../../schemas/own.ts'
import type { Json } from '../../schemas/shape.ts'
import type { LockSection } from '../allocate/lock-text.ts'
import { safe } from './layout.ts'

/** One thing that is otherwise in a lock than it was. */
export interface LockChange {
  readonly section: LockSection
  readonly key: string
  /** The node that it is about; null: none. */
  readonly node: string | null
  /** For people: "d/compute: n3 leaves". */
  readonly text: string
}

/** What became of a lock, section by section, keys in code point order. */
export function lockChanges(before: Lock | null, after: Lock): readonly LockChange[] {
  const was = { ...EMPTY_LOCK, ...before }
  const changes: LockChange[] = []
  const add = (section: LockSection, key: string, node: string | null, text: string): void => void changes.push({ section, key, node, text: safe(text) })
  for (const [key, a, b] of differing(was.claims, after.claims)) {
    add('claims', key, key, a === undefined ? `${key} claims machine ${b}` : b === undefined ? `${key} lets machine ${a} go` : `${key} claims machine ${b}, and lets ${a} go`)
  }
  for (const [key, a, b] of differing(was.nodes, after.nodes)) {
    if (a === undefined || b === undefined) {
      add('nodes', key, key, b === undefined ? `${key} has no line any more` : `${key} has index ${b.index}${b.os === undefined ? '' : `, os ${b.os}`}${b.hardware === undefined ? '' : `, hardware ${b.hardware}`}`)
      continue
    }
    for (const [field, x, y] of differing(a as Values, b as Values)) add('nodes', key, key, `${key}: ${field} ${shown(x)} -> ${shown(y)}`)
  }
  for (const [key, a, b] of differing(was.bindings, after.bindings)) {
    const [old, now] = [a ?? { members: {}, next: 0 }, b ?? { members: {}, next: 0 }]
    for (const [node, x, y] of differing(old.members, now.members)) {
      add('bindings', key, node, y === undefined ? `${key}: ${node} leaves, and its index ${x} is never given again` : x === undefined ? `${key}: ${node} joins as ${y}` : `${key}: ${node} has index ${y} instead of ${x}`)
    }
    if (old.founder !== undefined && old.founder !== now.founder) add('bindings', key, now.founder ?? null, `${key}: its founder is ${now.founder ?? 'nobody'} instead of ${old.founder}`)
  }
  for (const [key, a, b] of differing(was.addresses, after.addresses)) {
    const [network = '', holder = ''] = key.split('/')
    add('addresses', key, holder.includes(':') ? null : holder, `${holder} on ${network}: ${shown(a)} -> ${shown(b)}`)
  }
  for (const [key, a, b] of differing(was.disks ?? {}, after.disks ?? {})) add('disks', key, key.slice(0, key.indexOf('/')), `${key}: ${disksShown(a)} -> ${disksShown(b)}`)
  for (const section of ['barclamps', 'artifacts'] as const) {
    for (const [key, a, b] of differing(was[section] as Values, after[section] as Values)) add(section, key, null, `${key}: ${shown(a)} -> ${shown(b)}`)
  }
  return changes
}

type Values = { readonly [key: string]: Json }

function* differing<T extends Json>(before: { readonly [key: string]: T }, after: { readonly [key: string]: T }): Generator<readonly [string, T | undefined, T | undefined]> {
  for (const key of [...new Set([...Object.keys(before), ...Object.keys(after)])].toSorted(byCodePoint)) {
    const [a, b] = [own(before, key), own(after, key)]
    if (a === undefined || b === undefined ? a !== b : canonical(a) !== canonical(b)) yield [key, a, b]
  }
}

function disksShown(disks: readonly LockedDisk[] | undefined): string {
  return shown(disks?.map(idOfLocked).join(', '))
}

function shown(value: Json | undefined): string {
  return value === undefined ? 'none' : typeof value === 'string' ? value : canonical(value)
}
