import { expect, test } from 'vitest'
import { compileTree } from '../compiling.ts'
import { treeOf } from '../../../compiler/tree/tree.ts'
import { coverage } from './coverage.ts'
import { CROWBAR1, networkJson, proposal } from './crowbar1-files.ts'
import { HOSTILE } from './hostile.ts'
import { documentsOf, expectWhole, imported, leavesOf, refusals, textsOf } from './read-back.ts'

test('crowbar1: every value is in the report once, on forty sets of files and on hostile input', () => {
  expect(Object.keys(CROWBAR1).length).toBeGreaterThanOrEqual(40)
  coverage('crowbar1', { ...CROWBAR1, ...HOSTILE.json('network') })
  for (const texts of Object.values(CROWBAR1)) {
    if (Object.keys(texts).every((path) => path.endsWith('.json'))) expectWhole(imported('crowbar1', texts), Object.entries(texts).flatMap(([path, text]) => leavesOf(path, JSON.parse(text) as never)))
  }
})

test.each([0, 1, 3, 7])('set %i: with a site and an admin node the documents are good but for nodes that name no machine', (i) => {
  const texts = textsOf(imported('crowbar1', CROWBAR1[`set ${i}`] ?? {}))
  const site = 'kind: site\nname: t\ndomain: t.example.com\nadmin: { network: admin, address: 10.0.0.10 }\nbarclamps: [builtin, { path: barclamps }]\n'
  const found = compileTree(treeOf({ 'site.yaml': site, 'more.yaml': 'kind: rule\nname: any\nwhen: "true"\nset: { os: debian-12 }\n', ...texts }))
  expect(found.diagnostics.filter(({ severity, code }) => severity === 'error' && code !== 'CLAIM_UNBOUNDED')).toEqual([])
})

test('networks, ranges and conduits of a team of ports', () => {
  const documents = documentsOf(imported('crowbar1', { 'network.json': JSON.stringify(networkJson(2)) }))
  expect(documents.find(({ name }) => name === 'admin')).toEqual({
    kind: 'network', name: 'admin', conduit: 'intf0', mtu: 1500,
    subnets: [{ cidr: '10.0.0.0/24', gateway: '10.0.0.1', ranges: { admin: '10.0.0.10-10.0.0.11', dhcp: '10.0.0.21-10.0.0.80', host: '10.0.0.81-10.0.0.160', switch: '10.0.0.241-10.0.0.250' } }],
  })
  expect(documents.find(({ name }) => name === 'nova-fixed')).toEqual({ kind: 'network', name: 'nova-fixed', vlan: 102, mtu: 1500, conduit: 'intf1', bridge: 'br-fixed', subnets: [{ cidr: '10.2.0.0/24', ranges: { host: '10.2.0.81-10.2.0.160' } }] })
  expect(documents.find(({ kind, name }) => kind === 'conduit' && name === 'intf0')).toEqual({
    kind: 'conduit', name: 'intf0', ports: [
      { when: 'machine.dmi.product.matches("PowerEdge R[67]..") && machine.nics.size() == 4', use: [{ bus: '0000:01:00.0' }, { bus: '0000:01:00.1' }], bond: { mode: '802.3ad', miimon: 100, hash: 'layer2+3' } },
      { when: 'machine.nics.size() == 4', use: [{ index: 0, speed: '10g' }, { index: 1, speed: '10g' }], bond: { mode: '802.3ad', miimon: 100, hash: 'layer2+3' } },
      { when: 'machine.dmi.product.matches("PowerEdge R[67]..")', use: [{ bus: '0000:01:00.0' }, { bus: '0000:01:00.1' }], bond: { mode: 'balance-xor', miimon: 100, hash: 'layer2+3' } },
      { use: [{ index: 0, speed: '1g+' }, { index: 1, speed: '1g+' }], bond: { mode: 'balance-xor', miimon: 100, hash: 'layer2+3' } },
    ],
  })
})

test('a proposal becomes a deployment and a barclamp whose roles wait as the batches did', () => {
  const result = imported('crowbar1', { 'dns.json': JSON.stringify(proposal('dns', 4)), 'network.json': JSON.stringify(networkJson(1)) })
  const documents = documentsOf(result)
  expect(documents.find(({ kind }) => kind === 'site')).toEqual({ kind: 'site', name: 'cloud', domain: 'cloud.example.com', admin: { network: 'admin', address: '10.0.0.10' }, barclamps: ['builtin', { path: 'barclamps' }] })
  expect(documents.find(({ kind }) => kind === 'deployment')).toEqual({
    kind: 'deployment', name: 'dns', roles: { 'dns-client': { nodes: ['d52-54-00-00-00-04', 'controller1'] }, 'dns-server': { nodes: ['controller1'] } },
    attributes: { dns: { domain: 'cloud.example.com', forwarders: ['10.1.1.1'], db: { password: 'p4', '${x}': '{{ y }}' }, list: [1, { a: null }], debug: true } },
  })
  expect(documents.find(({ name }) => name === 'd52-54-00-00-00-04')).toEqual({ kind: 'node', name: 'd52-54-00-00-00-04', machine: { mac: '52:54:00:00:00:04' }, labels: { 'imported-name': 'd52-54-00-00-00-04.cloud.example.com' } })
  expect(documents.find(({ kind }) => kind === 'barclamp')).toMatchObject({ roles: { 'dns-server': { scope: 'cluster' }, 'dns-client': { requires: ['dns-server'] }, 'dns-empty': { jig: 'noop' } } })
  expect(refusals(result).filter((line) => line.startsWith('dns'))).toEqual([expect.stringContaining('a cluster is no node: name its nodes')])
  expect(result.remarks.join('\n')).toContain('password looks like a password in plain text')
})

test('what cannot be is refused at its place', () => {
  const { attributes } = networkJson(30) as { attributes: { network: object } }
  expect(refusals(imported('crowbar1', { 'network.json': JSON.stringify(attributes.network, null, 1) })).map((line) => line.replace(/^network\.json:\d+:\d+ /, ''))).toEqual(expect.arrayContaining([
    'each line of a bus order has to end with a whole PCI address, its function too: a slot may have several ports', 'a conduit cannot hang on a role: choose by what the machine is', 'the pattern of an entry is `mode/number of ports/role`',
    'the subnet overlaps that of admin, and no two networks may', 'the broadcast address of this subnet is 10.9.0.255', 'the router is not in the subnet', 'a range has `start` and `end` in the subnet', 'a VLAN is a number up to 4094',
  ]))
})

test('the subnet of admin is that of admin, wherever bmc stands; modes may be several, and roles of two barclamps are two', () => {
  const { attributes } = networkJson(1) as { attributes: { network: { networks: Record<string, object>; conduit_map: { pattern: string }[] } } }
  const { bmc, ...others } = attributes.network.networks
  const [first, ...rest] = attributes.network.conduit_map
  const result = imported('crowbar1', {
    'network.json': JSON.stringify({ ...attributes.network, networks: { bmc, ...others }, conduit_map: [...rest.slice(0, 2), { ...first, pattern: '^(single|dual)$/.*/.*' }] }),
    'a.json': JSON.stringify({ id: 'a', attributes: { a: {} }, deployment: { a: { elements: { server: ['n1.example.com', '@@@@'] } } } }), 'b.json': JSON.stringify({ id: 'b', attributes: { b: {} }, deployment: { b: { elements: { server: ['n1.example.com'] } } } }),
  })
  const documents = documentsOf(result)
  expect(documents.filter(({ kind, subnets }) => kind === 'network' && subnets !== undefined).map(({ name }) => name)).toEqual(['admin', 'storage', 'nova-fixed', 'public'])
  expect(documents.find(({ kind, name }) => kind === 'conduit' && name === 'intf0')).toMatchObject({ ports: [{ use: [{ bus: '0000:01:00.0' }] }, { use: [{ index: 0, speed: '1g' }] }] })
  expect(documents.filter(({ kind }) => kind === 'barclamp').map(({ roles }) => Object.keys(roles ?? {}))).toEqual([['server'], ['b-server']])
  expect(refusals(result).filter((line) => line.startsWith('a.json'))).toEqual([expect.stringContaining('a node is named by text')])
})
