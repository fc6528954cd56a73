import { expect, test } from 'vitest'
import { codes, compiled, compileTexts, lockFile, machine } from '../compiling.ts'

const NODE = 'kind: node\nname: a\nmachine: { serial: S }\ntags: [own]\n'
const RULES = `kind: rule
name: second
when: "true"
set: { os: debian-11, tags: [x], labels: { p: late, q: "\${machine.dmi.product}-q" } }
---
kind: rule
name: first
order: 10
when: machine.dmi.product == 'Big'
set: { os: debian-13, tags: [y], labels: { p: early } }
`

test('the first rule that sets a field wins, and tags add up', () => {
  const { plan } = compiled({ 'a.yaml': NODE, 'r.yaml': RULES, ...machine('m1', { serial: 'S', product: 'Big' }) })
  expect(plan.nodes['a']).toMatchObject({ os: 'debian-13', tags: ['own', 'x', 'y'], labels: { p: 'early', q: 'Big-q' } })
})

test('the lock keeps the operating system that rules chose', () => {
  const { lock } = compiled({ 'a.yaml': NODE, 'r.yaml': RULES, ...machine('m1', { serial: 'S', product: 'Big' }) })
  expect(lock.nodes['a']?.os).toBe('debian-13')
  const again = compiled({ 'a.yaml': NODE, 'r.yaml': RULES, ...lockFile(lock), ...machine('m1', { serial: 'S', product: 'Small' }) })
  expect(again.plan.nodes['a']?.os).toBe('debian-13')
  expect(codes(again)).toEqual(['RULE_STALE r.yaml:4:12'])
  expect(again.plan.warnings).toEqual(['r.yaml:4:12: RULE_STALE: a keeps debian-13, which a rule chose for it before, and not debian-11.'])
})

test('a claimed machine without an operating system is an error', () => {
  expect(codes(compileTexts({ 'a.yaml': NODE, ...machine('m1', { serial: 'S' }) }))).toEqual(['OS_UNDECIDED a.yaml:2:7'])
})

test('a rule sees the node that is pinned to a machine, and null else', () => {
  const rules = 'kind: rule\nname: r\nwhen: "node != null && \'own\' in node.tags"\nset: { os: debian-12 }\n'
  expect(compiled({ 'a.yaml': NODE, 'r.yaml': rules, ...machine('m1', { serial: 'S' }), ...machine('m2') }).plan.nodes['a']?.os).toBe('debian-12')
})

test('a rule that fails on one machine is a warning, and does not match there', () => {
  const rules = 'kind: rule\nname: r\nwhen: machine.bmc.address != ""\nset: { tags: [bmc] }\n'
  const result = compiled({ 'a.yaml': `${NODE}os: debian-12\n`, 'r.yaml': rules, ...machine('m1', { serial: 'S' }) })
  expect(codes(result)).toEqual(['EXPRESSION_FAILED r.yaml:3:15'])
  expect(result.plan.nodes['a']?.tags).toEqual(['own'])
})

test('what follows from a condition that is none is not told as well', () => {
  const files = { 'n.yaml': 'kind: nodes\nname: "n[1-2]"\nmachine: { where: "true" }\n', 'r.yaml': 'kind: rule\nname: r\nwhen: machine.memry.bytes > 1\nset: { os: debian-12 }\n', ...machine('m1'), ...machine('m2') }
  expect(codes(compileTexts(files))).toEqual(['EXPRESSION_INVALID r.yaml:3:15'])
  const bound = { 'n.yaml': 'kind: nodes\nname: "n[1-2]"\nos: debian-12\nmachine: { where: "true" }\n', 'barclamps/b/barclamp.yaml': 'kind: barclamp\nname: b\nversion: 1.0.0\nroles: { r: { count: { min: 2 } } }\n' }
  const deployment = (where: string) => ({ 'd.yaml': `kind: deployment\nname: d\nroles: { r: { where: ${where} } }\n` })
  const { lock } = compiled({ ...bound, ...deployment('"true"') })
  expect(codes(compileTexts({ ...bound, ...deployment('node.nam == "x"'), ...lockFile(lock) }))).toEqual(['EXPRESSION_INVALID d.yaml:3:27'])
  expect(codes(compileTexts({ ...bound, ...deployment('"false"'), ...lockFile(lock) }))).toEqual(['BINDING_STALE d.yaml:3:22', 'BINDING_STALE d.yaml:3:22'])
})
