import { describe, expect, test } from 'vitest'
import { explain } from '../../../compiler/explain/explain.ts'
import { explainText } from '../../../compiler/explain/explain-text.ts'
import { placeOf } from '../../../compiler/parse/document.ts'
import { compiled, compileTree, exampleTree, machine, success } from '../compiling.ts'

describe('explain', () => {
  test('names each layer of a value, the winner first in rank and the losers, with places', () => {
    const { ordered } = success(compileTree(exampleTree('first-light')))
    const explained = explain(ordered.injected, { node: 'web', role: 'hello-server', path: 'hello.port' })
    if (!('roles' in explained)) throw new Error(explained.problem)
    expect(explained.roles).toHaveLength(1)
    expect(explained.roles[0]?.values.map(({ path, value }) => [path, value])).toEqual([['hello.port', 8080]])
    expect(explained.roles[0]?.values[0]?.layers.map(({ layer, value, range, wins }) => [layer, value, placeOf(range), wins])).toEqual([
      ['deployment', 8080, 'deployment.yaml:8:18', true],
      ['default', 80, 'barclamps/hello/barclamp.yaml:9:65', false],
    ])
    expect(explainText(explained.roles)).toBe(`hello/hello-server@web
  hello.port = 8080
    > deployment  deployment.yaml:8:18  8080
      default     barclamps/hello/barclamp.yaml:9:65  80
`)
  })

  test('the place of the winner holds the value, whatever the layer', () => {
    const { ordered } = compiled({
      'n.yaml': 'kind: nodes\nname: "n[1-2]"\nos: debian-12\nmachine: { where: "true" }\nattributes: { b: { list: { $append: [z] } } }\n',
      ...machine('m1'),
      'r.yaml': 'kind: rule\nname: r\nwhen: "true"\nset: { attributes: { b: { rule: 1 } } }\n',
      'barclamps/b/barclamp.yaml': 'kind: barclamp\nname: b\nversion: 1.0.0\nattributes: { type: object, properties: { list: { type: array, default: [a] }, in: { type: object, properties: { deep: { default: x } } } } }\nosAttributes: { debian: { os: 2 } }\nroles: { r: {} }\n',
      'd.yaml': 'kind: deployment\nname: d\nroles: { r: { nodes: [n1], attributes: { b: { role: "${node.name}" } } } }\n',
    })
    const explained = explain(ordered.injected, { node: 'n1' })
    if (!('roles' in explained)) throw new Error(explained.problem)
    const winners = explained.roles[0]?.values.map(({ path, value, layers }) => [path, value, ...layers.filter(({ wins }) => wins).map(({ layer, range }) => `${layer} ${placeOf(range)}`)])
    expect(winners?.toSorted()).toEqual([
      ['b.in.deep', 'x', 'default barclamps/b/barclamp.yaml:4:131'],
      ['b.list.0', 'a', 'default barclamps/b/barclamp.yaml:4:74'],
      ['b.list.1', 'z', 'nodes n.yaml:5:38'],
      ['b.os', 2, 'os barclamps/b/barclamp.yaml:5:31'],
      ['b.role', 'n1', 'role d.yaml:3:53'],
      ['b.rule', 1, 'rule r.yaml:4:33'],
    ])
    expect(explained.roles[0]?.values.find(({ path }) => path === 'b.role')?.inputs).toEqual([{ path: 'node.name', value: 'n1', deferred: false }])
  })

  test('what is not there has a suggestion', () => {
    const { ordered } = success(compileTree(exampleTree('first-light')))
    expect(explain(ordered.injected, { node: 'wbe' })).toEqual({ problem: 'there is no node wbe', near: 'web' })
    expect(explain(ordered.injected, { node: 'web', role: 'hello-sever' })).toEqual({ problem: 'web has no role hello-sever', near: 'hello-server' })
    expect(explain(ordered.injected, { node: 'web', path: 'hello.prt' })).toEqual({ problem: 'no role of web is given hello.prt', near: 'hello.port' })
  })
})
