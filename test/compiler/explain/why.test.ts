import { describe, expect, test } from 'vitest'
import { chainBetween, why } from '../../../compiler/explain/why.ts'
import { arrange } from '../../../compiler/order/arrange.ts'
import type { Need } from '../../../schemas/plan.ts'
import { compiled } from '../compiling.ts'
import fc from '../../property.ts'

const FILES = {
  'n.yaml': 'kind: nodes\nname: "n[1-3]"\nos: debian-12\nmachine: { where: "true" }\n',
  'barclamps/b/barclamp.yaml': 'kind: barclamp\nname: b\nversion: 1.0.0\nroles:\n  c: { flags: [cluster] }\n  r: { requires: [c] }\n',
  'd.yaml': 'kind: deployment\nname: d\nroles: { c: { nodes: ["n[1-3]"] }, r: { nodes: [n2] } }\n',
}
const steps = new Map(compiled(FILES).ordered.steps.map((step) => [step.id, step]))

describe('why', () => {
  test('gives all direct needs and the longest chain behind them, each link with its kind and place', () => {
    const found = why(steps, 'd/r@n2')
    expect(found.needs.map(({ step, kind, at }) => [step, kind, at])).toEqual([['barrier/d/c', 'cluster', 'barclamps/b/barclamp.yaml:6:19'], ['install@n2', 'lifecycle', 'd.yaml:3:49']])
    expect(found.chain.map(({ step, kind }) => [step, kind])).toEqual([['d/r@n2', null], ['barrier/d/c', 'cluster'], ['d/c@n1', 'cluster'], ['install@n1', 'lifecycle'], ['discover@n1', 'lifecycle']])
    expect(found.cohort).toBe(4)
  })

  test('gives the shortest chain between two steps, and none against the order', () => {
    expect(chainBetween(steps, 'd/r@n2', 'discover@n2')?.map(({ step }) => step)).toEqual(['d/r@n2', 'install@n2', 'discover@n2'])
    expect(chainBetween(steps, 'd/r@n2', 'discover@n3')?.map(({ step }) => step)).toEqual(['d/r@n2', 'barrier/d/c', 'd/c@n3', 'install@n3', 'discover@n3'])
    expect(chainBetween(steps, 'discover@n2', 'd/r@n2')).toBeUndefined()
    expect(chainBetween(steps, 'd/c@n1', 'd/c@n1')).toEqual([{ step: 'd/c@n1', kind: null, at: null }])
  })

  test('every link is a need of the link before, and the chain is as long as the cohort is high', () => {
    const graph = fc.array(fc.tuple(fc.nat(20), fc.nat(20)), { maxLength: 60 })
    fc.assert(fc.property(graph, fc.nat(20), fc.nat(20), (edges, from, to) => {
      const needs = (id: number): Need[] => [...new Set(edges.filter(([a, b]) => a === id && a > b).map(([, b]) => b))].map((b) => ({ step: `s${b}`, kind: 'requires', at: '' }))
      const { steps: placed } = arrange(new Map(Array.from({ length: 21 }, (_, i) => [`s${i}`, { id: `s${i}`, needs: needs(i) }])))
      const all = new Map((placed ?? []).map((step) => [step.id, step]))
      const { chain, cohort } = why(all, `s${from}`)
      expect(chain.length).toBe(cohort + 1)
      for (const links of [chain, chainBetween(all, `s${from}`, `s${to}`) ?? []]) {
        for (const [i, link] of links.entries()) if (i > 0) expect(all.get(links[i - 1]?.step ?? '')?.needs.map(({ step }) => step)).toContain(link.step)
      }
    }))
  })
})
