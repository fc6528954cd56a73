import { describe, expect, test } from 'vitest'
import { arrange } from '../../../compiler/order/arrange.ts'
import { change } from '../../../compiler/change/change.ts'
import { EMPTY_LEDGER } from '../../../schemas/ledger.ts'
import type { Ledger } from '../../../schemas/ledger.ts'
import { applied } from '../../builders/ledger.ts'
import { codes, compiled, compileTexts, lockFile, machine, stepOf } from '../compiling.ts'
import fc from '../../property.ts'

const NODES = 'kind: nodes\nname: "n[1-3]"\nos: debian-12\nmachine: { where: "true" }\n'
const barclamp = (roles: string) => ({ 'n.yaml': NODES, 'barclamps/b/barclamp.yaml': `kind: barclamp\nname: b\nversion: 1.0.0\nroles:\n${roles}` })
const needs = (plan: Parameters<typeof stepOf>[0], id: string) => stepOf(plan, id).needs.map((need) => `${need.kind} ${need.step}`)

describe('needs', () => {
  test('a node is discovered, installed, and then given its roles, whose packages are staged', () => {
    const { plan } = compiled({ ...barclamp('  r: { packages: { debian: [x], debian-11: [y] } }\n'), 'd.yaml': 'kind: deployment\nname: d\nroles: { r: { nodes: [n1] } }\n' })
    expect(needs(plan, 'discover@n1')).toEqual([])
    expect(needs(plan, 'install@n1')).toEqual(['lifecycle discover@n1', 'lifecycle stage/rootfs-debian-12'])
    expect(needs(plan, 'd/r@n1')).toEqual(['lifecycle install@n1', 'lifecycle stage/packages-debian-12'])
    expect(stepOf(plan, 'd/r@n1')).toMatchObject({ packages: ['x'], artifacts: ['packages-debian-12'] })
    expect(plan.artifacts).toEqual({ 'packages-debian-12': { kind: 'packages', os: 'debian-12', packages: ['x'] }, 'rootfs-debian-12': { kind: 'rootfs', os: 'debian-12', packages: [] } })
  })

  test('an admin node is neither discovered nor installed', () => {
    const { plan } = compiled({ ...barclamp('  r: {}\n'), 'd.yaml': 'kind: deployment\nname: d\nroles: { r: { nodes: [n1] } }\n' })
    expect(plan.nodes['adm']?.admin).toBe(true)
    expect(plan.steps.filter((step) => step.node === 'adm')).toEqual([])
  })

  test('who requires a cluster role waits for all of its members, through one barrier', () => {
    const { plan } = compiled({ ...barclamp('  c: { flags: [cluster] }\n  r: { requires: [c] }\n'), 'd.yaml': 'kind: deployment\nname: d\nroles: { c: { nodes: ["n[1-3]"] }, r: { nodes: [n2] } }\n' })
    expect(needs(plan, 'd/r@n2')).toEqual(['cluster barrier/d/c', 'lifecycle install@n2'])
    expect(needs(plan, 'barrier/d/c')).toEqual(['cluster d/c@n1', 'cluster d/c@n2', 'cluster d/c@n3'])
  })

  test('a founder comes first where its role says so: in the plan, and in what is done as long as it is not bootstrapped', () => {
    const files = { ...barclamp('  c: { flags: [cluster, founder-first] }\n  r: { requires: [c] }\n'), ...machine('m1'), ...machine('m2'), ...machine('m3'), 'd.yaml': 'kind: deployment\nname: d\nroles: { c: { nodes: [n2, n1, n3] } }\n' }
    const { plan } = compiled(files)
    const needed = (steps: readonly { readonly id: string; readonly needs: readonly { readonly kind: string; readonly step: string }[] }[]) => Object.fromEntries(steps.filter(({ id }) => id.startsWith('d/c@')).map(({ id, needs: all }) => [id, all.flatMap(({ kind, step }) => (kind === 'founder' ? [step] : []))]))
    expect(needed(plan.steps)).toEqual({ 'd/c@n1': ['d/c@n2'], 'd/c@n2': [], 'd/c@n3': ['d/c@n2'] })
    expect(stepOf(plan, 'd/c@n1').needs.find(({ kind }) => kind === 'founder')?.at).toBe('barclamps/b/barclamp.yaml:5:15')
    const due = (roles: Ledger['roles']) => needed(change({ ...EMPTY_LEDGER, ...(roles === undefined ? {} : { roles }) }, plan).changes.map(({ step }) => step))
    expect(due(undefined)).toEqual(needed(plan.steps))
    expect(due({ 'd/other': { bootstrapped: true } })).toEqual(needed(plan.steps))
    expect(due({ 'd/c': { bootstrapped: true } })).toEqual({ 'd/c@n1': [], 'd/c@n2': [], 'd/c@n3': [] })
  })

  test('members are undone each by itself: one that is lost does not keep the founder', () => {
    const files = { ...barclamp('  c: { jig: script, run: r.sh, remove: { run: r.sh, deletesData: false }, flags: [cluster, founder-first] }\n'), 'barclamps/b/r.sh': '#!/bin/sh\n', ...machine('m1'), ...machine('m2'), ...machine('m3') }
    const before = compiled({ ...files, 'd.yaml': 'kind: deployment\nname: d\nroles: { c: { nodes: [n1, n2] } }\n' })
    const after = compiled({ ...files, ...lockFile(before.lock) })
    const removals = change(applied(before.plan), after.plan).changes.filter(({ step }) => step.action === 'remove')
    expect(removals.map(({ step }) => [step.id, step.needs])).toEqual([['d/c@n1#remove', []], ['d/c@n2#remove', []]])
  })

  test('a role of the scope cluster is found on any node', () => {
    const { plan } = compiled({ ...barclamp('  c: { scope: cluster }\n  r: { requires: [c] }\n'), ...machine('m1'), ...machine('m2'), 'd.yaml': 'kind: deployment\nname: d\nroles: { c: { nodes: [n1] }, r: { nodes: [n2] } }\n' })
    expect(needs(plan, 'd/r@n2')).toEqual(['cluster barrier/d/c', 'lifecycle install@n2'])
    expect(needs(plan, 'barrier/d/c')).toEqual(['cluster d/c@n1'])
  })

  test('what a deployment comes after counts through one that has no machine yet', () => {
    const late = (name: string, after: string, node: string): string => `---\nkind: deployment\nname: ${name}\nafter: [${after}]\nroles: { s: { nodes: [${node}] } }\n`
    const { plan } = compiled({ ...barclamp('  r: {}\n  s: {}\n'), ...machine('m1'), 'd.yaml': `kind: deployment\nname: d\nroles: { r: { nodes: [n1] } }\n${late('e', 'd', 'n2')}${late('f', 'e', 'n1')}` })
    expect(needs(plan, 'd/r@n1')).toEqual(['lifecycle install@n1'])
    expect(needs(plan, 'f/s@n1')).toEqual(['deployment barrier/e', 'lifecycle install@n1'])
    expect(needs(plan, 'barrier/e')).toEqual(['deployment barrier/d'])
  })

  test('a deployment comes after another as far as that has machines', () => {
    const { plan } = compiled({ ...barclamp('  r: {}\n  s: {}\n'), ...machine('m1'), 'd.yaml': 'kind: deployment\nname: d\nroles: { r: { nodes: [n1, n2] } }\n---\nkind: deployment\nname: e\nafter: [d]\nroles: { s: { nodes: [n1] } }\n' })
    expect(needs(plan, 'e/s@n1')).toEqual(['deployment barrier/d', 'lifecycle install@n1'])
    expect(stepOf(plan, 'e/s@n1').needs[0]?.at).toBe('d.yaml:7:9')
    expect(needs(plan, 'barrier/d')).toEqual(['deployment d/r@n1'])
  })

  test('a circle is one diagnostic that names every edge with its line', () => {
    const result = compileTexts({ ...barclamp('  a:\n    provides: { x: { type: string } }\n    wants: { y: { from: b, provide: y } }\n  b:\n    provides: { y: { type: string } }\n    wants: { x: { from: a, provide: x } }\n'), 'd.yaml': 'kind: deployment\nname: d\nroles: { a: { nodes: [n1] }, b: { nodes: [n2] } }\n' })
    expect(codes(result)).toEqual(['CYCLE barclamps/b/barclamp.yaml:7:17'])
    expect(result.diagnostics[0]?.summary).toBe('Steps need each other in a circle: d/a@n1 → d/b@n2 → d/a@n1.')
    expect(result.diagnostics[0]?.related.map((each) => [each.message, each.range.start.line])).toEqual([['d/a@n1 needs d/b@n2 (data)', 7], ['d/b@n2 needs d/a@n1 (data)', 10]])
  })
})

const graph = fc.integer({ min: 1, max: 40 }).chain((size) =>
  fc.array(fc.tuple(fc.nat(size - 1), fc.nat(size - 1)), { maxLength: 120 }).map((edges) => {
    const needed = new Map<string, Set<string>>(Array.from({ length: size }, (_, i) => [`s${i}`, new Set<string>()]))
    for (const [a, b] of edges) if (a > b) needed.get(`s${a}`)?.add(`s${b}`)
    return needed
  }),
)
const steps = (needed: ReadonlyMap<string, ReadonlySet<string>>, reversed = false) => {
  const entries = [...needed].map(([id, others]) => [id, { id, needs: [...others].map((step) => ({ step, kind: 'data' as const, at: '' })) }] as const)
  return new Map(reversed ? entries.toReversed() : entries)
}

describe('order', () => {
  test('everything comes after what it needs, one cohort higher, and the order of arrival does not matter', () => {
    fc.assert(
      fc.property(graph, (needed) => {
        const arranged = arrange(steps(needed)).steps
        expect(arranged).not.toBeNull()
        const places = new Map((arranged ?? []).map((step, i) => [step.id, i]))
        const cohorts = new Map((arranged ?? []).map((step) => [step.id, step.cohort]))
        for (const [id, others] of needed) {
          for (const other of others) expect(places.get(other)).toBeLessThan(places.get(id) as number)
          expect(cohorts.get(id)).toBe(others.size === 0 ? 0 : 1 + Math.max(...[...others].map((other) => cohorts.get(other) as number)))
        }
        expect(arrange(steps(needed, true)).steps?.map((step) => step.id)).toEqual(arranged?.map((step) => step.id))
      }),
    )
  })

  test('a graph with a circle gives one that really is a circle', () => {
    fc.assert(
      fc.property(graph, fc.nat(39), fc.nat(39), (needed, a, b) => {
        const size = needed.size
        const from = `s${Math.min(a % size, b % size)}`
        const to = `s${Math.max(a % size, b % size)}`
        needed.get(from)?.add(to)
        needed.get(to)?.add(from)
        const { cycle } = arrange(steps(needed))
        expect(cycle?.length).toBeGreaterThan(0)
        for (const [i, step] of (cycle ?? []).entries()) expect(step.needs.map((need) => need.step)).toContain(cycle?.[(i + 1) % cycle.length]?.id)
      }),
    )
  })
})
