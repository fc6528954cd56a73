import { expect, test } from 'vitest'
import { codes, compiled, compileTexts, documentOf, SITE } from '../compiling.ts'
import type { Texts } from '../compiling.ts'

const barclamp = (provide: string): Texts => ({ 'barclamps/b/barclamp.yaml': `kind: barclamp\nname: b\nversion: 1.0.0\nattributes: { type: object }\nroles:\n  names: { provides: { dns: ${provide} } }\n` })
const deployment = (binding: string): Texts => ({ 'd.yaml': `kind: deployment\nname: d\nroles: { names: ${binding} }\nattributes: { b: { dns: "\${network('admin').subnets[0].dns}" } }\n` })
const NODES = { 'n.yaml': 'kind: nodes\nname: "n[1-2]"\nos: debian-12\nmachine: { where: "true" }\n' }
const ADDRESS = '{ type: string, value: "${node.address(\'admin\')}" }'

function servers(texts: Texts) {
  const { plan } = compiled({ ...NODES, ...texts })
  return { network: plan.networks['admin']?.subnets.map(({ dns }) => dns), node: plan.nodes['n1']?.attachments[0]?.addresses[0]?.dns }
}

test('a subnet that names no servers has those of the role that provides `dns`, ours or somebody else’s', () => {
  expect(servers({ ...barclamp(ADDRESS), ...deployment('{ nodes: [n1, n2] }') })).toEqual({ network: [['10.0.0.50', '10.0.0.51']], node: ['10.0.0.50', '10.0.0.51'] })
  expect(servers({ ...barclamp(ADDRESS), ...deployment('{ external: { addresses: [10.9.9.53] } }') })).toEqual({ network: [['10.9.9.53']], node: ['10.9.9.53'] })
  expect(servers({ ...barclamp('{ type: list, value: [10.8.8.8, "fd00::8"] }'), ...deployment('{ nodes: [n1] }') })).toEqual({ network: [['10.8.8.8', 'fd00::8']], node: ['10.8.8.8', 'fd00::8'] })
  expect(servers(barclamp(ADDRESS))).toEqual({ network: [[]], node: [] })
})

test('a subnet that names its own, or says that it has none, keeps its word', () => {
  const named = (dns: string) => servers({ 'site.yaml': SITE.replace('gateway: 10.0.0.1', `gateway: 10.0.0.1\n    dns: ${dns}`), ...barclamp(ADDRESS), ...deployment('{ nodes: [n1] }') })
  expect(named('[10.1.1.1]')).toEqual({ network: [['10.1.1.1']], node: ['10.1.1.1'] })
  expect(named('[]')).toEqual({ network: [[]], node: [] })
})

test('expressions see them too', () => {
  expect(documentOf(compiled({ ...NODES, ...barclamp(ADDRESS), ...deployment('{ nodes: [n1] }') }).plan, 'd/names@n1')['b']).toEqual({ dns: ['10.0.0.50'] })
})

test('name servers are addresses that are known before anything runs', () => {
  expect(codes(compileTexts({ ...NODES, ...barclamp('{ type: string }'), ...deployment('{ nodes: [n1] }') }))).toEqual(['VALUE_INVALID barclamps/b/barclamp.yaml:6:29'])
  expect(codes(compileTexts({ ...NODES, ...barclamp('{ type: string, value: ns1.example.com }'), ...deployment('{ nodes: [n1, n2] }') }))).toEqual(['ADDRESS_INVALID barclamps/b/barclamp.yaml:6:52'])
})
