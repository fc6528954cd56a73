import { expect, test } from 'vitest'
import { compileTexts, compileTree } from '../compiling.ts'
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
    subnets: [{ cidr: '10.0.0.0/24', gateway: '10.0.0.1', ranges: { admin: '10.0.0.10-10.0.0.11', dhcp: '10.0.0.21-10.0.0.80', host: '10.0.0.81-10.0.0.160', switch: '10.0.0.241-10.0.0.250', bmc: '10.0.0.162-10.0.0.240' } }],
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
  expect(refusals(result).filter((line) => line.startsWith('dns'))).toEqual([expect.stringContaining('no proposal for pacemaker among the files says which nodes these are: name them')])
  expect(result.remarks.join('\n')).toContain('password looks like a password in plain text')
})

test('aliases stand in a batch with and without quotes, and a cluster is the nodes that pacemaker has under its name', () => {
  const result = imported('crowbar1', { 'batch.yaml': `---
proposals:
- barclamp: pacemaker
  name: services
  attributes:
    peer: "@@controller1@@"
    other: @@controller2@@
    note: "two
      @@lines@@
      long"
    sbd:
      nodes:
        @@controller1@@:
          devices: ['']
        "@@controller2@@": { @@compute1@@: 1 }
  deployment:
    elements:
      pacemaker-cluster-member: [ @@controller1@@, "@@controller2@@" ]
      pacemaker-remote:
      - @@compute1@@ # the first one
- barclamp: keystone
  attributes:
  deployment:
    elements:
      keystone-none:
      keystone-server:
      - cluster:services
      - @@controller1@@
- barclamp: nova
  deployment:
    elements:
      nova-compute-kvm: [ remotes:services ]
      nova-controller: [ 'cluster:data' ]
` })
  const documents = documentsOf(result)
  expect(documents.filter(({ kind }) => kind === 'deployment').map(({ name, roles }) => [name, roles])).toEqual([
    ['pacemaker', { 'pacemaker-cluster-member': { nodes: ['controller1', 'controller2'] }, 'pacemaker-remote': { nodes: ['compute1'] } }],
    ['keystone', { 'keystone-server': { nodes: ['controller1', 'controller2'] } }],
    ['nova', { 'nova-compute-kvm': { nodes: ['compute1'] } }],
  ])
  expect(documents.find(({ kind, name }) => kind === 'deployment' && name === 'pacemaker')).toMatchObject({ attributes: { pacemaker: { peer: '@@controller1@@', other: '@@controller2@@', note: 'two @@lines@@ long', sbd: { nodes: { '@@controller1@@': { devices: [''] }, '@@controller2@@': { '@@compute1@@': 1 } } } } } })
  expect(result.report.filter(({ pointer }) => pointer.includes('sbd')).map(({ pointer, range, to }) => [pointer.slice(-2), range.start.line, range.start.column, to])).toEqual([
    [['devices', 0], 14, 21, ['deployment pacemaker: attributes.pacemaker.sbd.nodes.@@controller1@@.devices.0']],
    [['@@controller2@@', '@@compute1@@'], 15, 44, ['deployment pacemaker: attributes.pacemaker.sbd.nodes.@@controller2@@.@@compute1@@']],
  ])
  expect(refusals(result)).toEqual(['batch.yaml:33:26 no proposal for pacemaker among the files says which nodes these are: name them'])
})

test('what cannot be is refused at its place', () => {
  const { attributes } = networkJson(30) as { attributes: { network: object } }
  expect(refusals(imported('crowbar1', { 'network.json': JSON.stringify(attributes.network, null, 1) })).map((line) => line.replace(/^network\.json:\d+:\d+ /, ''))).toEqual(expect.arrayContaining([
    'each line of a bus order has to end with a whole PCI address, its function too: a slot may have several ports', 'a conduit cannot hang on a role: choose by what the machine is', 'the pattern of an entry is `mode/number of ports/role`',
    'the broadcast address of this subnet is 10.9.0.255', 'the router is not in the subnet', 'a range has `start` and `end` in the subnet', 'a VLAN is a number up to 4094',
  ]))
})

test('an item of a data bag is what it holds, also as Chef writes it', () => {
  const item = { id: 'ntp-default', attributes: { ntp: { servers: ['a'] } }, deployment: { ntp: { elements: { 'ntp-server': ['n1.example.com'] } } } }
  const written = { name: 'data_bag_item_crowbar_ntp-default', json_class: 'Chef::DataBagItem', chef_type: 'data_bag_item', data_bag: 'crowbar', raw_data: item }
  const [plain, wrapped] = [item, written].map((one) => imported('crowbar1', { 'ntp.json': JSON.stringify(one) }))
  expect(refusals(wrapped as never)).toEqual([])
  expect(documentsOf(wrapped as never)).toEqual(documentsOf(plain as never))
  expectWhole(wrapped as never, leavesOf('ntp.json', written))
})

test('a network without ports for its conduit is left without one, so that the documents compile', () => {
  const network = (conduit: string, third: number): object => ({ conduit, vlan: 1, use_vlan: false, subnet: `10.70.${third}.0`, netmask: '255.255.255.0', ranges: { host: { start: `10.70.${third}.9`, end: `10.70.${third}.20` } } })
  const result = imported('crowbar1', { 'network.json': JSON.stringify({
    mode: 'single', networks: { racks: network('intf0', 1), storage: network('intf1', 2), other: network('intf2', 3) },
    conduit_map: [{ pattern: 'single/.*/.*', conduit_list: { intf0: { if_list: ['1g1'] }, intf2: { if_list: ['-1g1'] } } }],
  }) })
  expect(documentsOf(result).filter(({ kind }) => kind === 'network').map(({ name, conduit }) => [name, conduit])).toEqual([['racks', 'intf0'], ['storage', undefined], ['other', undefined]])
  expect(refusals(result).map((line) => line.replace(/^\S+ /, ''))).toEqual(['no conduit of this name has ports: the network is left without one', 'no conduit of this name has ports: the network is left without one', 'a port that may be slower cannot be asked for'])
  expect(compileTexts(textsOf(result)).diagnostics.filter(({ severity }) => severity === 'error')).toEqual([])
})

test('a network inside of another one is a range of it, wherever it stands; one that is not wholly inside is refused', () => {
  const subnet = (cidr: string, ranges: object, more: object = {}): object => ({ conduit: 'intf1', vlan: 300, use_vlan: true, add_bridge: false, subnet: cidr.split('/')[0], netmask: cidr.split('/')[1], ranges, ...more })
  const result = imported('crowbar1', { 'network.json': JSON.stringify({ networks: {
    nova_floating: subnet('10.6.0.128/255.255.255.192', { host: { start: '10.6.0.129', end: '10.6.0.190' } }, { broadcast: '10.6.0.191', router: '10.6.0.1' }),
    ironic: subnet('10.6.0.192/26', { host: { start: '10.6.0.193', end: '10.6.0.200' }, dhcp: { start: '10.6.0.201', end: '10.6.0.210' } }, { router: '10.6.0.193' }),
    late: subnet('10.6.0.0/25', { host: { start: '10.6.0.2', end: '10.6.0.9' } }, { router: '10.6.0.1' }),
    public: subnet('10.6.0.0/24', { host: { start: '10.6.0.5', end: '10.6.0.127' } }, { router: '10.6.0.1' }),
    bmc: { vlan: 1, use_vlan: false, subnet: '10.0.0.0/16', ranges: { host: { start: '10.0.0.9', end: '10.0.0.20' } } },
    admin: { vlan: 1, use_vlan: false, subnet: '10.0.0.0/24', ranges: { host: { start: '10.0.0.9', end: '10.0.0.20' } } },
    odd: { subnet: '10.9.0.0/24', netmask: '255.255.0.0' },
  }, conduit_map: [
    { pattern: 'single/.*/.*', conduit_list: { intf1: { if_list: ['1g1'] } } },
    { pattern: '.*/.*/.*', conduit_list: { intf1: { if_list: ['1g2'] }, intf2: { if_list: ['1g3'] } } },
  ] }, null, 1) })
  const documents = documentsOf(result)
  expect(Object.fromEntries(documents.filter(({ kind }) => kind === 'network').map(({ name, subnets }) => [name, subnets ?? null]))).toEqual({
    admin: [{ cidr: '10.0.0.0/24', ranges: { host: '10.0.0.9-10.0.0.20' } }],
    public: [{ cidr: '10.6.0.0/24', gateway: '10.6.0.1', ranges: { host: '10.6.0.5-10.6.0.127', 'nova-floating': '10.6.0.129-10.6.0.190', 'ironic-host': '10.6.0.193-10.6.0.200', 'ironic-dhcp': '10.6.0.201-10.6.0.210' } }],
    'nova-floating': null, ironic: null, late: null, bmc: null, odd: null,
  })
  expect(refusals(result).map((line) => line.replace(/^network\.json:\d+:\d+ /, ''))).toEqual(expect.arrayContaining([
    'the router is not in the subnet', 'the router of public, whose subnet this is a part of, is 10.6.0.1', 'it overlaps the range host of public',
    'the subnet overlaps that of admin, and no two networks may', '`subnet` and `netmask` are no subnet',
  ]))
  // An entry that comes after one for every machine would never count.
  expect(documents.filter(({ kind }) => kind === 'conduit')).toEqual([{ kind: 'conduit', name: 'intf1', ports: [{ use: [{ index: 0, speed: '1g' }] }] }, { kind: 'conduit', name: 'intf2', ports: [{ use: [{ index: 2, speed: '1g' }] }] }])
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
