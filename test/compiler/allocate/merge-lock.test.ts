import { describe, expect, test } from 'vitest'
import { lockText } from '../../../compiler/allocate/lock-text.ts'
import { mergeLocks } from '../../../compiler/allocate/merge-lock.ts'
import { readLock } from '../../../compiler/validate/read-lock.ts'
import { EMPTY_LOCK } from '../../../schemas/lock.ts'
import type { Lock } from '../../../schemas/lock.ts'
import fc from '../../property.ts'

const lock = (edit: Partial<Lock>): Lock => ({ ...EMPTY_LOCK, ...edit })
const BASE = lock({ claims: { a: 'm1', b: 'm2' }, nodes: { a: { index: 0 }, b: { index: 1, os: 'debian-12' } }, bindings: { 'd/r': { members: { a: 0, b: 1 }, next: 2, founder: 'a' } }, addresses: { 'admin/a': '10.0.0.1', 'admin/b': '10.0.0.2' }, disks: { 'a/system': ['x'] } })
const merge = (ours: Partial<Lock>, theirs: Partial<Lock>) => mergeLocks({ base: BASE, ours: { ...BASE, ...ours }, theirs: { ...BASE, ...theirs } })

describe('merging two locks', () => {
  test('takes what one side alone changed, and grows `next` to the higher one', () => {
    const ours = { claims: { ...BASE.claims, c: 'm3' }, bindings: { 'd/r': { members: { a: 0, b: 1, c: 4 }, next: 5, founder: 'a' } } }
    const theirs = { claims: { b: 'm2' }, nodes: { ...BASE.nodes, b: { index: 1, os: 'debian-13' } }, bindings: { 'd/r': { members: { b: 1, e: 2 }, next: 3, founder: 'b' } } }
    expect(merge(ours, theirs)).toEqual({
      disagreements: [],
      lock: { ...BASE, claims: { b: 'm2', c: 'm3' }, nodes: { ...BASE.nodes, b: { index: 1, os: 'debian-13' } }, bindings: { 'd/r': { members: { b: 1, c: 4, e: 2 }, next: 5, founder: 'b' } } },
    })
  })

  test('merges the fields of one node', () => {
    const { lock: merged, disagreements } = merge({ nodes: { ...BASE.nodes, b: { index: 1, os: 'debian-12', generation: 1 } } }, { nodes: { ...BASE.nodes, b: { index: 1, os: 'debian-13' } } })
    expect([merged.nodes['b'], disagreements]).toEqual([{ index: 1, os: 'debian-13', generation: 1 }, []])
  })

  test.each<[string, Partial<Lock>, Partial<Lock>, readonly unknown[]]>([
    ['one machine for two nodes', { claims: { ...BASE.claims, c: 'm3' } }, { claims: { ...BASE.claims, d: 'm3' } }, [{ section: 'claims', ours: [['c', 'm3']], theirs: [['d', 'm3']] }]],
    ['one address twice on a network', { addresses: { ...BASE.addresses, 'admin/c': '10.0.0.3' } }, { addresses: { ...BASE.addresses, 'admin/d': '10.0.0.3', 'other/d': '10.0.0.3' } }, [{ section: 'addresses', ours: [['admin/c', '10.0.0.3']], theirs: [['admin/d', '10.0.0.3']] }]],
    ['one index twice', { nodes: { ...BASE.nodes, c: { index: 2 } } }, { nodes: { ...BASE.nodes, d: { index: 2 } } }, [{ section: 'nodes', ours: [['c', { index: 2 }]], theirs: [['d', { index: 2 }]] }]],
    ['one entry changed both ways', { claims: { ...BASE.claims, a: 'm8' } }, { claims: { ...BASE.claims, a: 'm9' } }, [{ section: 'claims', ours: [['a', 'm8']], theirs: [['a', 'm9']] }]],
    ['one entry changed here and gone there', { claims: { b: 'm2' } }, { claims: { a: 'm9', b: 'm2' } }, [{ section: 'claims', ours: [], theirs: [['a', 'm9']] }]],
    ['one disk in two entries of a node', { disks: { 'a/system': ['x'], 'a/data': ['y'] } }, { disks: { 'a/system': ['x'], 'a/log': ['y'] } }, [{ section: 'disks', ours: [['a/data', ['y']]], theirs: [['a/log', ['y']]] }]],
    ['one index of a role', { bindings: { 'd/r': { members: { a: 0, b: 1, c: 2 }, next: 3, founder: 'a' } } }, { bindings: { 'd/r': { members: { a: 0, b: 1, e: 2 }, next: 3, founder: 'a' } } }, [{ section: 'bindings', ours: [['d/r', { members: { a: 0, b: 1, c: 2 }, next: 3, founder: 'a' }]], theirs: [['d/r', { members: { a: 0, b: 1, e: 2 }, next: 3, founder: 'a' }]] }]],
  ])('leaves to a person: %s', (_, ours, theirs, disagreements) => {
    expect(merge(ours, theirs).disagreements).toEqual(disagreements)
  })

  test('writes what is to be decided between marks, and either side can be read when the marks are gone', () => {
    const { lock: merged, disagreements } = merge({ claims: { ...BASE.claims, c: 'm3' } }, { claims: { ...BASE.claims, z: 'm3' } })
    const text = lockText(merged, disagreements)
    expect(text.split('\n').slice(3, 12)).toEqual(['  "claims": {', '    "a": "m1",', '    "b": "m2",', '<<<<<<< ours', '    "c": "m3",', '=======', '    "z": "m3",', '>>>>>>> theirs', '  },'])
    for (const [drop, kept] of [[/=======[^>]*>>>>>>> theirs\n|<<<<<<< ours\n/g, { c: 'm3' }], [/<<<<<<< ours[^=]*=======\n|>>>>>>> theirs\n/g, { z: 'm3' }]] as const) {
      expect(readLock(Buffer.from(text.replace(drop, '')))).toEqual({ lock: { ...BASE, claims: { ...BASE.claims, ...kept } } })
    }
  })
})

/** A lock that gives nothing away twice, as Crowbar writes them. */
const arbitrary = fc.record({
  claims: fc.uniqueArray(fc.tuple(fc.constantFrom('a', 'b', 'c', 'd', 'e'), fc.nat(6)), { selector: ([node]) => node }).map((claims) => Object.fromEntries(claims.filter(([, id], i) => claims.findIndex(([, other]) => other === id) === i).map(([node, id]) => [node, `m${id}`]))),
  addresses: fc.uniqueArray(fc.tuple(fc.constantFrom('n/a', 'n/b', 'n/c', 'o/a', 'o/b'), fc.nat(5)), { selector: ([key]) => key }).map((all) => Object.fromEntries(all.filter(([key, last], i) => all.findIndex(([other, same]) => other[0] === key[0] && same === last) === i).map(([key, last]) => [key, `10.0.0.${last}`]))),
  bindings: fc.record({ 'd/r': fc.uniqueArray(fc.tuple(fc.constantFrom('a', 'b', 'c', 'd'), fc.nat(6)), { selector: ([node]) => node }).map((all) => {
    const members = Object.fromEntries(all.filter(([, index], i) => all.findIndex(([, other]) => other === index) === i))
    return { members, next: Math.max(-1, ...Object.values(members)) + 1 + (all.length % 3) }
  }) }, { requiredKeys: [] }),
}).map(lock)

describe('of any two edits', () => {
  const sides = fc.record({ base: arbitrary, ours: arbitrary, theirs: arbitrary })

  test('nothing is given away twice, nothing gets lost, and nothing is made up', () => {
    fc.assert(fc.property(sides, ({ base, ours, theirs }) => {
      const { lock: merged, disagreements } = mergeLocks({ base, ours, theirs })
      expect(new Set(Object.values(merged.claims)).size).toBe(Object.keys(merged.claims).length)
      const held = Object.entries(merged.addresses).map(([key, address]) => `${key[0]} ${address}`)
      expect(new Set(held).size).toBe(held.length)
      for (const { members, next } of Object.values(merged.bindings)) {
        expect(new Set(Object.values(members)).size).toBe(Object.keys(members).length)
        expect(Math.max(-1, ...Object.values(members))).toBeLessThan(next)
      }
      for (const section of ['claims', 'addresses'] as const) {
        const open = new Set(disagreements.filter((each) => each.section === section).flatMap((each) => [...each.ours, ...each.theirs]).map(([key, value]) => `${key} ${value as string}`))
        for (const [mine, other] of [[ours, theirs], [theirs, ours]] as const) {
          for (const [key, value] of Object.entries(mine[section])) {
            const stays = merged[section][key] === value || open.has(`${key} ${value}`)
            // The other side changed or took away what this one left as it was.
            expect(stays || (base[section][key] === value && other[section][key] !== value)).toBe(true)
          }
        }
        for (const [key, value] of Object.entries(merged[section])) expect([ours[section][key], theirs[section][key]]).toContain(value)
      }
    }), { numRuns: 300 })
  })

  test('next is the highest, and members that only one side added or kept stay', () => {
    fc.assert(fc.property(sides, ({ base, ours, theirs }) => {
      const { lock: merged, disagreements } = mergeLocks({ base, ours, theirs })
      const [before, mine, other] = [base, ours, theirs].map((side) => side.bindings['d/r'])
      if (mine === undefined || other === undefined) return
      const variants = [merged.bindings['d/r'], ...disagreements.filter(({ section }) => section === 'bindings').flatMap((each) => [...each.ours, ...each.theirs]).map(([, value]) => value as Lock['bindings'][string])].flatMap((each) => each ?? [])
      for (const { next } of variants) expect(next).toBeGreaterThanOrEqual(Math.max(mine.next, other.next, before?.next ?? 0))
      for (const [one, two] of [[mine, other], [other, mine]] as const) {
        for (const [node, index] of Object.entries(one.members)) {
          if (before?.members[node] === index && two.members[node] !== index) continue
          expect(variants.some(({ members }) => members[node] === index)).toBe(true)
        }
      }
    }), { numRuns: 300 })
  })

  test('the order of the sides makes no other lock, and a side that changed nothing changes nothing', () => {
    fc.assert(fc.property(sides, ({ base, ours, theirs }) => {
      const [one, two] = [mergeLocks({ base, ours, theirs }), mergeLocks({ base, ours: theirs, theirs: ours })]
      expect(two.lock).toEqual(one.lock)
      expect(two.disagreements).toEqual(one.disagreements.map(({ section, ours: mine, theirs: other }) => ({ section, ours: other, theirs: mine })))
      const grown = (side: Lock): Lock => ({ ...side, bindings: Object.fromEntries(Object.entries(side.bindings).map(([key, each]) => [key, { ...each, next: Math.max(each.next, base.bindings[key]?.next ?? 0) }])) })
      expect(mergeLocks({ base, ours, theirs: base })).toEqual({ lock: grown(ours), disagreements: [] })
    }), { numRuns: 200 })
  })

  test('what is written reads as what was merged', () => {
    fc.assert(fc.property(sides, ({ base, ours, theirs }) => {
      const { lock: merged, disagreements } = mergeLocks({ base, ours, theirs })
      const read = readLock(Buffer.from(lockText(merged, disagreements)))
      expect(read).toEqual(disagreements.length === 0 ? { lock: merged } : { problem: expect.stringContaining('unfinished merge') as string })
    }), { numRuns: 100 })
  })
})
