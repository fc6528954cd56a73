import { describe, expect, test } from 'vitest'
import { change } from '../../../compiler/change/change.ts'
import { placesOf } from '../../../compiler/cli/places.ts'
import { applied } from '../../builders/ledger.ts'
import { codes, compiled, lockFile, machine, SITE } from '../compiling.ts'
import type { Texts } from '../compiling.ts'

test('a node with a new name keeps its machine, address, indexes and place as founder', () => {
  const files = { ...machine('m1'), ...machine('m2'), 'barclamps/b/barclamp.yaml': 'kind: barclamp\nname: b\nversion: 1.0.0\nroles: { r: {} }\n' }
  const node = (name: string, more = '') => `kind: node\nname: ${name}\nos: debian-12\nmachine: { where: "machine.id == 'm2'" }\n${more}`
  const deployment = (name: string) => `kind: deployment\nname: d\nroles: { r: { nodes: [${name}] } }\n`
  const first = compiled({ ...files, 'z.yaml': node('z'), 'd.yaml': deployment('z') })
  const other = 'kind: node\nname: b\nos: debian-12\nmachine: { where: "machine.id == \'m1\'" }\n'
  const second = compiled({ ...files, 'b.yaml': other, 'z.yaml': node('a', 'moved: { from: z }\n'), 'd.yaml': deployment('a'), ...lockFile(first.lock) })
  expect(second.plan.nodes['a']).toMatchObject({ machine: 'm2', addresses: first.plan.nodes['z']?.addresses, index: first.plan.nodes['z']?.index, was: 'z' })
  expect(second.plan.roles['d/r']).toMatchObject({ members: [{ node: 'a', index: 0 }], founder: 'a' })
})

const MACHINES = { ...machine('m1'), ...machine('m2'), ...machine('m3'), ...machine('m4') }
const nodes = (...names: string[]): Texts => ({
  ...MACHINES,
  'n.yaml': names.map((text) => {
    const [name = '', from] = text.split('<')
    return `kind: node\nname: ${name}\nos: debian-12\nmachine: { where: "true" }\n${from === undefined ? '' : `moved: { from: ${from} }\n`}`
  }).join('---\n'),
})
// One node after the other, so that each could have claimed any machine.
const first = ['a', 'b', 'c'].reduce<ReturnType<typeof compiled> | undefined>((before, _, i) => compiled({ ...nodes(...['a', 'b', 'c'].slice(0, i + 1)), ...(before === undefined ? {} : lockFile(before.lock)) }), undefined) as ReturnType<typeof compiled>
const has = (name: string, site: ReturnType<typeof compiled>) => {
  const { machine: id, addresses, index } = site.plan.nodes[name] ?? {}
  return { machine: id, addresses, index }
}

describe('nodes that move together', () => {
  test.each<[string, readonly string[], Readonly<Record<string, string>>]>([
    ['swap names', ['a<b', 'b<a', 'c'], { a: 'b', b: 'a', c: 'c' }],
    ['pass names on', ['b<a', 'c<b', 'd<c'], { b: 'a', c: 'b', d: 'c' }],
    ['go round', ['a<c', 'b<a', 'c<b'], { a: 'c', b: 'a', c: 'b' }],
    ['make way for a new one', ['d<a', 'b', 'c'], { d: 'a', b: 'b', c: 'c' }],
  ])('%s, and each takes all it had along; once, however often it is compiled', (_, names, origin) => {
    let site = compiled({ ...nodes(...names), ...lockFile(first.lock) })
    for (let again = 0; again < 2; again++) {
      for (const [name, was] of Object.entries(origin)) expect([name, has(name, site)]).toEqual([name, has(was, first)])
      expect(codes(site)).toEqual([])
      site = compiled({ ...nodes(...names), ...lockFile(site.lock) })
      expect(site.lockChanged).toBe(false)
    }
  })

  test('stay when `moved` goes, and may then move back', () => {
    const swapped = compiled({ ...nodes('a<b', 'b<a', 'c'), ...lockFile(first.lock) })
    const settled = compiled({ ...nodes('a', 'b', 'c'), ...lockFile(swapped.lock) })
    expect(['a', 'b', 'c'].map((name) => has(name, settled))).toEqual(['b', 'a', 'c'].map((name) => has(name, first)))
    expect(Object.values(settled.lock.nodes).some(({ was }) => was !== undefined)).toBe(false)
    const back = compiled({ ...nodes('a<b', 'b<a', 'c'), ...lockFile(settled.lock) })
    expect(['a', 'b', 'c'].map((name) => has(name, back))).toEqual(['a', 'b', 'c'].map((name) => has(name, first)))
  })

  test.each<[string, readonly string[], readonly string[]]>([
    ['the old name stays a node', ['a', 'b', 'c', 'd<a'], ['MOVED_IGNORED n.yaml:20:16']],
    ['the new name was a node', ['b<a', 'c'], ['MOVED_IGNORED n.yaml:5:16']],
    ['two come from one', ['d<a', 'e<a', 'b', 'c'], ['MOVED_IGNORED n.yaml:11:16']],
  ])('are told when it cannot be: %s', (_, names, expected) => {
    expect(codes(compiled({ ...nodes(...names), ...lockFile(first.lock) }))).toEqual(expected)
  })

  test('onto the name of one that is gone, whose index nobody else gets', () => {
    const without = compiled({ ...nodes('b', 'c'), ...lockFile(first.lock) })
    const site = compiled({ ...nodes('a<b', 'c'), ...lockFile(without.lock) })
    expect([has('a', site), codes(site)]).toEqual([has('b', first), []])
    const again = compiled({ ...nodes('a<b', 'c', 'd'), ...lockFile(site.lock) })
    expect([has('a', again), has('d', again).index]).toEqual([has('b', first), 4])
  })

  test('with a range that changed at the same time get addresses of the new one, and nothing else moves', () => {
    const moved = compiled({ ...nodes('d<a', 'b', 'c'), ...lockFile(first.lock), 'site.yaml': SITE.replace('10.0.0.0/24', '10.0.0.0/16').replace('host: 10.0.0.50-10.0.0.99', 'host: 10.0.1.50-10.0.1.99') })
    expect(has('d', moved)).toEqual(has('a', first))
    expect(has('b', moved)).toEqual(has('b', first))
  })
})

describe('an installed node', () => {
  const ledger = applied(first.plan)

  test('has its new name in the changes, with the place of `moved`, and nothing else happens', () => {
    const site = compiled({ ...nodes('d<a', 'b', 'c'), ...lockFile(first.lock) })
    const { renamed, changes, violations } = change(ledger, site.plan, { at: placesOf(site) })
    expect({ renamed, violations }).toEqual({ renamed: [{ from: 'a', to: 'd', machine: first.plan.nodes['a']?.machine, at: 'n.yaml:5:8' }], violations: [] })
    expect(changes).toEqual([])
  })

  test('may be installed anew under another name by who does not say `moved`, and a renamed one that never was installed is no matter', () => {
    expect(change(ledger, compiled({ ...nodes('d', 'b', 'c'), ...lockFile(first.lock) }).plan).violations).toEqual([])
    const only = applied(first.plan, { only: ({ node }) => node !== 'a' })
    expect(change(only, compiled({ ...nodes('d<a', 'b', 'c'), ...lockFile(first.lock) }).plan).violations).toEqual([])
  })
})
