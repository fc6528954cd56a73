import { expect, test } from 'vitest'
import { graphDot, graphMermaid, graphOf } from '../../../compiler/print/graph.ts'
import { compiled, compileTree, exampleTree, success } from '../compiling.ts'

const FILES = {
  'n.yaml': 'kind: nodes\nname: "n[1-3]"\nos: debian-12\nmachine: { where: "true" }\n',
  'barclamps/b/barclamp.yaml': 'kind: barclamp\nname: b\nversion: 1.0.0\nroles:\n  c: { flags: [cluster] }\n  r: { requires: [c] }\n',
  'd.yaml': 'kind: deployment\nname: d\nroles: { c: { nodes: ["n[1-3]"] }, r: { nodes: [n2] } }\n',
}

test('folds the nodes of a role into one box, and says what needs stand for', () => {
  const graph = graphOf(compiled(FILES).plan)
  expect(graph.nodes.map(({ id, steps, nodes }) => [id, steps, nodes.join()])).toEqual([['discover', 3, 'n1,n2,n3'], ['stage/rootfs-debian-12', 1, ''], ['install debian-12', 3, 'n1,n2,n3'], ['d/c', 3, 'n1,n2,n3'], ['barrier/d/c', 1, ''], ['d/r', 1, 'n2']])
  expect(graph.edges).toContainEqual({ from: 'd/c', to: 'barrier/d/c', kinds: ['cluster'], needs: 3 })
  expect(graph.edges).toContainEqual({ from: 'barrier/d/c', to: 'd/r', kinds: ['cluster'], needs: 1 })
  expect(graphDot(graph)).toContain('"d/c" [shape=box, label="d/c\\n3: n[1-3]"];')
  expect(graphMermaid(graph).split('\n').slice(0, 2)).toEqual(['flowchart LR', '  s0["discover<br>3: n[1-3]"]'])
})

test('is as small with many nodes as with few', () => {
  const large = success(compileTree(exampleTree('austin'))).plan
  expect(Object.keys(large.nodes).length).toBeGreaterThan(50)
  const graph = graphOf(large)
  expect(graph.nodes.length).toBeLessThan(60)
  expect(graph.nodes.reduce((sum, { steps }) => sum + steps, 0)).toBe(large.steps.length)
})
