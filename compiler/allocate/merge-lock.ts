import { byCodePoint, canonical } from '../../schemas/canonical.ts'
import { EMPTY_LOCK, idOfLocked } from '../../schemas/lock.ts'
import type { Lock, LockedDisk } from '../../schemas/lock.ts'
import { own } from '../../schemas/own.ts'
import type { Json } from '../../schemas/shape.ts'
import { LOCK_SECTIONS } from './lock-text.ts'
import type { Disagreement, LockSection } from './lock-text.ts'

/** What two locks come to that began as one. */
export interface MergedLock {
  /** All that both sides agree on. */
  readonly lock: Lock
  /** What a person has to decide; empty: the merge is done. */
  readonly disagreements: readonly Disagreement[]
}

export interface LockSides {
  /** Where both began; null: they began apart. */
  readonly base: Lock | null
  readonly ours: Lock
  readonly theirs: Lock
}

type Entries = { readonly [key: string]: Json }
/** An entry as each side would have it after the merge; undefined: without it. Equal where the sides agree. */
interface Entry {
  readonly ours: Json | undefined
  readonly theirs: Json | undefined
}

/**
 * Merges two locks entry by entry, and within an entry field by field and member by member. What only one side changed
 * is as that side has it; the next index of a role is the higher one. An entry that both changed in different ways, and
 * two entries that together give one machine, address, index or disk away twice, are disagreements: nothing is decided
 * and nothing is lost.
 */
export function mergeLocks({ base, ours, theirs }: LockSides): MergedLock {
  const start = base ?? EMPTY_LOCK
  const disagreements: Disagreement[] = []
  const lock: Record<string, unknown> = { kind: 'lock', version: 1 }
  for (const section of LOCK_SECTIONS) {
    const sides = [start, ours, theirs].map((side) => (side[section] ?? {}) as Entries) as [Entries, Entries, Entries]
    const entries = new Map<string, Entry>()
    for (const key of [...new Set(sides.flatMap((side) => Object.keys(side)))].toSorted(byCodePoint)) {
      const [was, mine, other] = sides.map((side) => own(side, key)) as [Json | undefined, Json | undefined, Json | undefined]
      entries.set(key, section === 'bindings' ? mergeBinding(was, mine, other) : mergeValue(was, mine, other))
    }
    const open = groups(section, entries, sides)
    const disputed = new Set(open.flat())
    lock[section] = Object.fromEntries([...entries].flatMap(([key, { ours: value }]) => (disputed.has(key) || value === undefined ? [] : [[key, value]])))
    disagreements.push(...open.map((keys) => disagreementOf(section, keys, { entries, sides })))
  }
  return { lock: lock as unknown as Lock, disagreements }
}

function same(a: Json | undefined, b: Json | undefined): boolean {
  return a === undefined || b === undefined ? a === b : canonical(a) === canonical(b)
}

function mergeValue(was: Json | undefined, ours: Json | undefined, theirs: Json | undefined): Entry {
  if (same(ours, theirs) || same(was, theirs)) return { ours, theirs: ours }
  if (same(was, ours)) return { ours: theirs, theirs }
  return isMap(ours) && isMap(theirs) ? mergeMap(isMap(was) ? was : {}, ours, theirs) : { ours, theirs }
}

function mergeMap(was: Entries, ours: Entries, theirs: Entries): { readonly ours: Entries; readonly theirs: Entries } {
  const sides: { ours: Record<string, Json>; theirs: Record<string, Json> } = { ours: {}, theirs: {} }
  for (const key of [...new Set([...Object.keys(ours), ...Object.keys(theirs)])].toSorted(byCodePoint)) {
    const merged = mergeValue(own(was, key), own(ours, key), own(theirs, key))
    if (merged.ours !== undefined) sides.ours[key] = merged.ours
    if (merged.theirs !== undefined) sides.theirs[key] = merged.theirs
  }
  return sides
}

type Binding = Lock['bindings'][string]

/** Members one by one; an index that both sides gave to different nodes leaves each side with its own. */
function mergeBinding(was: Json | undefined, ours: Json | undefined, theirs: Json | undefined): Entry {
  if (!isMap(ours) || !isMap(theirs)) return mergeValue(was, ours, theirs)
  const [before, mine, other] = [(was ?? { members: {}, next: 0 }) as Binding, ours as unknown as Binding, theirs as unknown as Binding]
  const members = mergeMap(before.members, mine.members, other.members) as { readonly ours: Binding['members']; readonly theirs: Binding['members'] }
  const founder = mergeValue(before.founder, mine.founder, other.founder) as { readonly ours: string | undefined; readonly theirs: string | undefined }
  const highest = Math.max(-1, ...[members.ours, members.theirs].flatMap((side) => Object.values(side)))
  const next = Math.max(before.next, mine.next, other.next, highest + 1)
  const side = (kept: Binding['members'], held: Binding, first: string | undefined): Json => {
    const byIndex = new Map<number, string[]>()
    for (const [node, index] of Object.entries(kept)) byIndex.set(index, [...(byIndex.get(index) ?? []), node])
    const holds = (node: string): boolean => own(held.members, node) === kept[node]
    const rest = Object.fromEntries(Object.entries(kept).filter(([node, index]) => {
      const rivals = byIndex.get(index) ?? []
      return rivals.length < 2 || holds(node) || !rivals.some(holds)
    }))
    return { members: rest, next, ...(first !== undefined && Object.hasOwn(rest, first) ? { founder: first } : {}) }
  }
  return { ours: side(members.ours, mine, founder.ours), theirs: side(members.theirs, other, founder.theirs) }
}

/** Keys that have to be decided together: those with two answers, and those that together give one thing away twice. */
function groups(section: LockSection, entries: ReadonlyMap<string, Entry>, [, ours, theirs]: readonly [Entries, Entries, Entries]): readonly (readonly string[])[] {
  const groupOf = new Map<string, string[]>()
  const join = (keys: readonly string[]): void => {
    const all = [...new Set(keys.flatMap((key) => groupOf.get(key) ?? [key]))].toSorted(byCodePoint)
    for (const key of all) groupOf.set(key, all)
  }
  const holders = new Map<string, Set<string>>()
  for (const [key, entry] of entries) {
    if (!same(entry.ours, entry.theirs)) join([key])
    for (const value of [entry.ours, entry.theirs]) {
      for (const thing of value === undefined ? [] : THINGS[section](key, value)) holders.set(thing, (holders.get(thing) ?? new Set()).add(key))
    }
  }
  for (const keys of holders.values()) {
    // What both sides have as it is was no good before, and is no disagreement of theirs.
    if (keys.size > 1 && ![...keys].every((key) => same(own(ours, key), own(theirs, key)))) join([...keys])
  }
  return [...new Set(groupOf.values())]
}

/** What an entry gives away, that no other entry of its section may. */
const THINGS: { readonly [section in LockSection]: (key: string, value: Json) => readonly string[] } = {
  claims: (_, machine) => [canonical(machine)],
  nodes: (_, value) => (isMap(value) ? [canonical(value['index'] ?? null)] : []),
  bindings: () => [],
  addresses: (key, address) => [`${key.slice(0, key.indexOf('/'))} ${canonical(address)}`],
  disks: (key, disks) => (Array.isArray(disks) ? disks.map((disk: Json) => `${key.slice(0, key.indexOf('/'))} ${idOfLocked(disk as unknown as LockedDisk)}`) : []),
  barclamps: () => [],
  artifacts: () => [],
}

interface Merging {
  readonly entries: ReadonlyMap<string, Entry>
  readonly sides: readonly [Entries, Entries, Entries]
}

/** Of entries that collide each side shows those that it has itself. */
function disagreementOf(section: LockSection, keys: readonly string[], { entries, sides: [, ours, theirs] }: Merging): Disagreement {
  const lines = (side: 'ours' | 'theirs', held: Entries): Disagreement['ours'] =>
    keys.flatMap((key) => {
      const entry = entries.get(key) as Entry
      const value = entry[side]
      const its = !same(entry.ours, entry.theirs) || same(own(held, key), value) || THINGS[section](key, value ?? null).some((thing) => THINGS[section](key, own(held, key) ?? null).includes(thing))
      return value === undefined || !its ? [] : [[key, value] as const]
    })
  return { section, ours: lines('ours', ours), theirs: lines('theirs', theirs) }
}

function isMap(value: Json | undefined): value is Entries {
  return value !== undefined && value !== null && typeof value === 'object' && !Array.isArray(value)
}
