import { expect, test } from 'vitest'
import { compiled, lockFile, machine } from '../compiling.ts'

test('a node with a new name keeps its machine, address, indexes and place as founder', () => {
  const files = { ...machine('m1'), ...machine('m2'), 'barclamps/b/barclamp.yaml': 'kind: barclamp\nname: b\nversion: 1.0.0\nroles: { r: {} }\n' }
  const node = (name: string, more = '') => `kind: node\nname: ${name}\nos: debian-12\nmachine: { where: "machine.id == 'm2'" }\n${more}`
  const deployment = (name: string) => `kind: deployment\nname: d\nroles: { r: { nodes: [${name}] } }\n`
  const first = compiled({ ...files, 'z.yaml': node('z'), 'd.yaml': deployment('z') })
  const other = 'kind: node\nname: b\nos: debian-12\nmachine: { where: "machine.id == \'m1\'" }\n'
  const second = compiled({ ...files, 'b.yaml': other, 'z.yaml': node('a', 'moved: { from: z }\n'), 'd.yaml': deployment('a'), ...lockFile(first.lock) })
  expect(second.plan.nodes['a']).toMatchObject({ machine: 'm2', addresses: first.plan.nodes['z']?.addresses, index: first.plan.nodes['z']?.index })
  expect(second.plan.roles['d/r']).toMatchObject({ members: [{ node: 'a', index: 0 }], founder: 'a' })
})
