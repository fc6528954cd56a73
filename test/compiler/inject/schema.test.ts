import { expect, test } from 'vitest'
import { codes, compiled, documentOf, machine } from '../compiling.ts'
import type { Texts } from '../compiling.ts'

const site = (attributes: string, set = ''): Texts => ({
  ...machine('m1'),
  'n.yaml': 'kind: node\nname: n1\nos: debian-12\nmachine: { where: "true" }\n',
  'd.yaml': `kind: deployment\nname: d\nroles: { r: { nodes: [n1] } }\n${set}`,
  'barclamps/b/barclamp.yaml': `kind: barclamp\nname: b\nversion: 1.0.0\nroles: { r: {} }\nattributes:\n  type: object\n${attributes}`,
})

test('a default beside a reference goes before the one that it leads to', () => {
  const { plan, diagnostics } = compiled(site(`  $defs:
    port: { type: integer, default: 80 }
  properties:
    web: { $ref: "#/$defs/port" }
    api: { $ref: "#/$defs/port", default: 8080 }
`))
  expect(documentOf(plan, 'd/r@n1')['b']).toEqual({ web: 80, api: 8080 })
  expect(diagnostics).toEqual([])
})

test('the defaults of properties fill what an outer default leaves out', () => {
  const { plan, diagnostics } = compiled(site(`  properties:
    tls: { type: object, default: { on: { days: 9 } }, properties: { on: { type: object, properties: { days: { type: integer }, bits: { type: integer, default: 2048 } } }, off: { type: boolean, default: false } } }
`))
  expect(documentOf(plan, 'd/r@n1')['b']).toEqual({ tls: { on: { days: 9, bits: 2048 }, off: false } })
  expect(diagnostics).toEqual([])
})

test('a default that is never taken is a warning where it stands, and an attribute may be called default', () => {
  const result = compiled(site(`  properties:
    default: { type: string, default: x }
    hosts: { type: object, additionalProperties: { type: object, properties: { port: { type: integer, default: 80 } } } }
    list: { type: array, items: { type: object, properties: { port: { type: integer, default: 81 } } } }
    either: { anyOf: [{ type: string, default: a }, { type: integer }] }
    over: { type: object, default: { a: 1 }, properties: { a: { type: integer, default: 2 } } }
`, 'attributes: { b: { hosts: { x: {} } } }\n'))
  expect(documentOf(result.plan, 'd/r@n1')['b']).toEqual({ default: 'x', hosts: { x: {} }, over: { a: 1 } })
  expect(codes(result)).toEqual([9, 10, 11, 12].map((line, i) => `BARCLAMP_SCHEMA barclamps/b/barclamp.yaml:${line}:${[112, 95, 48, 89][i]}`))
})
