import { expect, test } from 'vitest'
import { compiled, documentOf, lacks, machine, stepOf } from '../compiling.ts'
import type { Texts } from '../compiling.ts'

const FILES: Texts = {
  'n.yaml': 'kind: nodes\nname: "n[1-2]"\nos: debian-12\nmachine: { where: "true" }\n',
  'r.yaml': 'kind: rule\nname: r\nwhen: "machine.id == \'m2\'"\nset: { tags: [late] }\n',
  'barclamps/b/barclamp.yaml': 'kind: barclamp\nname: b\nversion: 1.0.0\nroles:\n  s: { provides: { name: { type: string, value: "${node.name}" } } }\n  one: { wants: { n: { from: s, provide: name } } }\n  many: { wants: { n: { from: s, provide: name, many: true }, o: { from: s, provide: name, optional: true } } }\n',
  'd.yaml': 'kind: deployment\nname: d\nroles: { s: { where: "\'late\' in node.tags" }, one: { nodes: [n1] }, many: { nodes: [n1] } }\n',
}

test('a role whose `where` finds nobody yet is no error for those who want something of it', () => {
  const { plan, diagnostics } = compiled(FILES)
  expect(diagnostics).toEqual([])
  expect(documentOf(plan, 'd/many@n1')['wants']).toEqual({ n: [], o: null })
  expect(stepOf(plan, 'd/one@n1').attributes).toBeNull()
  expect(plan.missing).toContainEqual({ what: 'attributes', for: 'step/d/one@n1', because: 'they hang on d/s, which has no member yet' })
})

test('they get it when it has found somebody', () => {
  const { plan } = compiled({ ...FILES, ...machine('m1'), ...machine('m2') })
  expect(documentOf(plan, 'd/many@n1')['wants']).toEqual({ n: ['n2'], o: 'n2' })
  expect(documentOf(plan, 'd/one@n1')['wants']).toEqual({ n: 'n2' })
  expect(lacks(plan)).toEqual([])
})
