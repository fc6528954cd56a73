type Texts = Readonly<Record<string, string>>
const json = (value: unknown): string => JSON.stringify(value, null, 2)
const BARCLAMPS = ['dns', 'ntp', 'database', 'rabbitmq', 'keystone', 'nova', 'swift_proxy'] as const

function net(third: number, more: object): object {
  return { subnet: `10.${third}.0.0`, netmask: '255.255.255.0', broadcast: `10.${third}.0.255`, vlan: 100 + third, use_vlan: third !== 0, add_bridge: false, mtu: 1500, ranges: { host: { start: `10.${third}.0.81`, end: `10.${third}.0.160` } }, ...more }
}

/** A network.json as templates have it, with what varies between sites. */
export function networkJson(i: number): object {
  const mode = ['single', 'dual', 'team'][i % 3] ?? 'single'
  return {
    id: 'network', description: 'Instantiates network interfaces', attributes: { network: {
      start_up_delay: 30, mode, enable_rx_offloading: true, teaming: { mode: i % 7, miimon: 100, ...(i % 2 === 0 ? { xmit_hash_policy: 'layer2+3' } : {}) },
      interface_map: [{ pattern: 'PowerEdge R[67]..', bus_order: ['0000:00/0000:00:01.0/0000:01:00.0', '0000:00/0000:00:01.0/0000:01:00.1', '0000:00/0000:00:02.0/0000:02:00.0'] }, { pattern: 'X9.*', bus_order: ['0000:00/0000:00:1c'] }],
      conduit_map: [
        { pattern: 'dual/.*/.*', conduit_list: { intf0: { if_list: ['1g1'] }, intf1: { if_list: ['1g2'] }, intf2: { if_list: ['1g2'] } } },
        { pattern: 'team/4/.*', conduit_list: { intf0: { if_list: ['10g1', '10g2'], team_mode: 4 }, intf1: { if_list: ['10g3', '10g4'] }, intf2: { if_list: ['10g3', '10g4'] } } },
        { pattern: 'team/.*/.*', conduit_list: { intf0: { if_list: ['+1g1', '+1g2'] }, intf1: { if_list: ['+1g1', '+1g2'] }, intf2: { if_list: ['+1g1', '+1g2'] } } },
        { pattern: 'single/.*/.*', conduit_list: { intf0: { if_list: ['?1g1'] }, intf1: { if_list: ['?1g1'] }, intf2: { if_list: ['?1g1'] } } },
        ...(i % 5 === 0 ? [{ pattern: `${mode}/.*/nova`, conduit_list: { intf0: { if_list: ['-1g1'] } } }, { pattern: 'broken', conduit_list: {} }] : []),
      ],
      networks: {
        admin: net(0, { conduit: 'intf0', router: '10.0.0.1', router_pref: 10, ranges: { admin: { start: '10.0.0.10', end: '10.0.0.11' }, dhcp: { start: '10.0.0.21', end: '10.0.0.80' }, host: { start: '10.0.0.81', end: '10.0.0.160' }, switch: { start: '10.0.0.241', end: '10.0.0.250' } } }),
        storage: net(1, { conduit: 'intf1', mtu: 9000 }), nova_fixed: net(2, { conduit: 'intf1', add_bridge: true, add_ovs_bridge: i % 4 === 0, bridge_name: 'br-fixed' }), public: net(3, { conduit: 'intf2', netmask: 24 }),
        bmc: net(0, { conduit: 'bmc', ranges: { host: { start: '10.0.0.162', end: '10.0.0.240' } } }), ...(i % 6 === 0 ? { bad: net(9, { broadcast: '10.9.0.1', router: '10.8.0.1', ranges: { host: { start: '10.9.0.200', end: '10.9.0.100' } }, vlan: 5000 }) } : {}),
      },
    } }, deployment: { network: { 'crowbar-revision': 1, element_states: { 'network-server': ['readying'] }, elements: {}, element_order: [['network-server'], ['network-client']], config: { mode: 'full', transitions: true } } },
  }
}

export function proposal(barclamp: string, i: number): object {
  const nodes = [`d52-54-00-00-00-0${i % 9}.cloud.example.com`, `controller${i % 3}.cloud.example.com`]
  return {
    id: i % 2 === 0 ? `bc-${barclamp}-default` : `${barclamp}-default`, description: 'ü', attributes: { [barclamp]: { ...(barclamp === 'dns' ? { domain: 'cloud.example.com', forwarders: ['10.1.1.1'] } : {}), db: { password: `p${i}`, '${x}': '{{ y }}' }, list: [1, { a: null }], debug: i % 2 === 0 } },
    deployment: { [barclamp]: { 'crowbar-revision': i, 'crowbar-applied': false, 'schema-revision': 100, element_states: { [`${barclamp}-server`]: ['all'] }, elements: { [`${barclamp}-server`]: nodes.slice(1), [`${barclamp}_client`]: i % 4 === 0 ? [...nodes, 'cluster:services'] : nodes, [`${barclamp}-empty`]: [] }, element_order: [[`${barclamp}-server`], [`${barclamp}_client`, `${barclamp}-server`]], element_run_list_order: { [`${barclamp}-server`]: 30 }, config: { environment: `${barclamp}-config-default`, mode: 'full', transition_list: ['all'] } } },
  }
}

/** Forty-five sets of files of Crowbar 1. */
export const CROWBAR1: Readonly<Record<string, Texts>> = Object.fromEntries(Array.from({ length: 45 }, (_, i): [string, Texts] => {
  const barclamp = BARCLAMPS[i % BARCLAMPS.length] ?? 'dns'
  const files: readonly Texts[] = [
    { 'network.json': json(networkJson(i)), 'dns.json': json(proposal('dns', i)) },
    { 'network.json': json((networkJson(i) as { attributes: { network: object } }).attributes.network), [`${barclamp}.json`]: json(proposal(barclamp, i)), 'crowbar.yml': `barclamp:\n  name: ${barclamp}\n  display: A thing\n  version: ${i % 2 === 0 ? 0 : '"2.E"'}\n  user_managed: yes\n  requires:\n    - dns\n    - "@crowbar"\n  member: [crowbar]\ncrowbar:\n  layout: 1\n  order: ${i}\ndebs:\n  ubuntu-12.04:\n    repos: [deb http://x y z]\n  pkgs: [a]\n` },
    { 'batch.yaml': `---\nglobal_options:\n  action_for_existing_proposals: overwrite\nproposals:\n- barclamp: ${barclamp}\n  name: default\n  wipe_attributes:\n${i % 2 === 0 ? '    []' : '  - a.b'}\n  attributes:\n    port: ${i}\n    on: yes\n    path: 0755\n  deployment:\n    elements:\n      ${barclamp}-server:\n      - "@@controller${i % 3}@@"\n- barclamp: ${barclamp}\n  name: second\n  attributes: {}\n  deployment: {elements: {${barclamp}-server: ["@@other@@"], x: not-a-list}}\n` },
  ]
  return [`set ${i}`, files[i % 3] ?? {}]
}))
