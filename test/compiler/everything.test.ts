import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { placeOf } from '../../compiler/parse/document.ts'
import { readFolder } from '../../compiler/tree/folder.ts'
import { secretFiles } from '../builders/secrets.ts'
import { codes, compileTree, documentOf, lacks, machine, stepOf, success, withFiles } from './compiling.ts'
import type { Texts } from './compiling.ts'

/** A site that says every field of every kind of document, and a barclamp with every field of a role. */
const WRITTEN = readFolder(fileURLToPath(new URL('fixtures/everything', import.meta.url)), () => {})

/** A machine with three ports, the second and third of them quick; `storage`: with four NVMe and twelve other disks. */
function box(id: string, { serial, product, storage = false }: { readonly serial: string; readonly product: string; readonly storage?: boolean }): Texts {
  const disk = { model: 'disk', wwn: '' }
  const disks = [
    ...Array.from({ length: 4 }, (_, n) => ({ ...disk, bytes: 1e12, rotational: false, serial: `${id}-N${n}`, bus: 'nvme', path: `pci-0000:0${n}:00.0` })),
    ...Array.from({ length: 12 }, (_, n) => ({ ...disk, bytes: 4e12, rotational: true, serial: `${id}-H${String(n).padStart(2, '0')}`, bus: 'sas', path: `pci-0001:${String(n).padStart(2, '0')}:00.0` })),
  ]
  const nics = [1000, 10_000, 25_000].map((speed, n) => ({ mac: `52:54:00:00:${id}:0${n + 1}`, driver: 'e', bus: `0000:0${n}:00.0`, speed, lldp: { system: 'tor-b', port: '1' } }))
  return Object.fromEntries(Object.entries(machine(id, { serial, product })).map(([path, text]) => {
    const file = JSON.parse(text) as { readonly facts: object }
    return [path, JSON.stringify({ ...file, facts: { ...file.facts, nics, ...(storage ? { disks } : {}) } })]
  }))
}

const SEEN: Texts = {
  ...secretFiles({ 'bmc/db1': '1-a1', 'database/root': ['2-b2', '1-b1'] }),
  ...box('01', { serial: '4XK2', product: 'PowerEdge R640' }),
  ...box('02', { serial: 'S2', product: 'PowerEdge R740', storage: true }),
  ...box('03', { serial: 'S3', product: 'Box', storage: true }),
  ...machine('04', { serial: 'C1', macs: ['52:54:00:00:04:01'] }),
  ...machine('05', { serial: 'C2', macs: ['52:54:00:00:05:01'] }),
  ...box('00', { serial: 'DEAD', product: 'PowerEdge R740', storage: true }),
}

const SITE = success(compileTree(withFiles(WRITTEN, SEEN)))
const { plan, lock } = SITE
const DNS = ['10.1.1.53', '10.1.2.53']

describe('a site that says everything', () => {
  test('is told once of each thing that this version does not carry out', () => {
    expect(SITE.diagnostics.filter(({ code }) => code !== 'UNSUPPORTED')).toEqual([])
    expect(codes(SITE)).toEqual(['UNSUPPORTED nodes.yaml:8:1', 'UNSUPPORTED site.yaml:22:24'])
  })

  test('has its machines by serial, by tags that a rule gives, and not the retired one', () => {
    expect(lock.claims).toEqual({ 'compute-001': '04', 'compute-002': '05', db1: '01', db2: '02', db3: '03' })
    expect(lacks(plan)).toEqual([{ what: 'machine', for: 'node/compute-003', because: 'no machine with serial C3 has been seen' }])
  })

  test('gives each node what it, its table, its rules and who refines it say', () => {
    expect(Object.fromEntries(Object.entries(plan.nodes).map(([name, { os, hardware, tags, labels, addresses, protect, admin }]) => [name, [os, hardware, tags, labels, addresses, [protect, admin]]]))).toEqual({
      adm1: [null, null, [], {}, { admin: '192.168.124.10' }, [false, true]],
      'compute-001': ['debian-12', null, ['compute', 'seen'], { bay: 'none', rack: 'a' }, { admin: '192.168.124.82', storage: '10.1.0.10' }, [false, false]],
      'compute-002': ['debian-12', null, ['compute', 'gpu', 'seen'], { bay: 'none', rack: 'b' }, { admin: '192.168.124.83', storage: '10.1.0.11' }, [false, false]],
      'compute-003': ['debian-12', null, ['compute'], { rack: 'c' }, { admin: '192.168.124.84', storage: '10.1.0.12' }, [false, false]],
      db1: ['debian-12', null, ['control', 'seen'], { bay: 'none', rack: 'a' }, { admin: '192.168.124.81', storage: '10.1.0.13' }, [true, false]],
      db2: ['debian-13', 'storage', ['seen', 'storage'], { bay: 'tor-b', rack: 'b' }, { admin: '192.168.124.85', storage: '10.1.0.14' }, [false, false]],
      db3: ['debian-13', 'storage', ['seen', 'storage'], { bay: 'tor-b', rack: 'b' }, { admin: '192.168.124.86', storage: '10.1.0.15' }, [false, false]],
    })
  })

  test('attaches nodes by conduit: bonded where the machine is of that make, else over the first port', () => {
    const bond = { mode: '802.3ad', lacpRate: 'fast', hash: 'layer3+4' }
    const attachments = (ports: readonly string[], bonded: object | null, last: string): unknown => [
      {
        network: 'admin', ports, bond: bonded, vlan: 0, mtu: 1500, bridge: 'br-admin',
        addresses: [
          { address: plan.nodes[last]?.addresses['admin'], prefix: 24, gateway: '192.168.124.1', dns: ['192.168.124.10'] },
          { address: lock.addresses[`admin/${last}/6`], prefix: 64, gateway: 'fd00:124::1', dns: DNS },
        ],
      },
      { network: 'storage', ports, bond: bonded, vlan: 120, mtu: 9000, bridge: null, addresses: [{ address: plan.nodes[last]?.addresses['storage'], prefix: 24, gateway: null, dns: DNS }] },
    ]
    const quick = (id: string): readonly string[] => [`52:54:00:00:${id}:02`, `52:54:00:00:${id}:03`]
    expect(plan.nodes['db1']?.attachments).toEqual(attachments(quick('01'), bond, 'db1'))
    expect(plan.nodes['db2']?.attachments).toEqual(attachments(quick('02'), bond, 'db2'))
    expect(plan.nodes['db3']?.attachments).toEqual(attachments(['52:54:00:00:03:01'], null, 'db3'))
    expect(Object.entries(lock.addresses).filter(([key]) => key.endsWith('/6') || key.includes(':'))).toEqual([
      ['admin/adm1/6', 'fd00:124::10'], ['admin/compute-001/6', 'fd00:124::100'], ['admin/compute-002/6', 'fd00:124::101'], ['admin/compute-003/6', 'fd00:124::102'],
      ['admin/db1/6', 'fd00:124::103'], ['admin/db2/6', 'fd00:124::104'], ['admin/db3/6', 'fd00:124::105'], ['admin/openstack:api', '192.168.124.170'],
    ])
  })

  test('installs by hardware document, and keeps what that keeps', () => {
    const { install } = documentOf(plan, 'install@db2') as { readonly install: { readonly targets: readonly { readonly id: string }[] } }
    expect({ ...install, attachments: 0 }).toEqual({
      method: 'image', machine: '02', hostname: 'db2', domain: 'austin.example.com', os: 'debian-13', architecture: 'amd64', firmware: 'bios', rootfs: 'rootfs-debian-13',
      targets: [{ entry: 'system', id: 'serial:02-N0', serial: '02-N0', bytes: 1e12 }],
      layout: [{ on: 'system', mount: '/', fs: 'ext4', size: 'rest' }], attachments: 0, generation: 0,
    })
    expect(lock.disks?.['db2/data']).toEqual(Array.from({ length: 12 }, (_, n) => `serial:02-H${String(n).padStart(2, '0')}`))
    expect(plan.artifacts['rootfs-debian-12']?.packages).toEqual(['htop'])
    expect(plan.sources['debian-bookworm']).toEqual({ type: 'apt', upstream: 'system', suites: ['bookworm'], components: ['main'] })
  })

  test('gives roles their attributes from every layer, and what they want', () => {
    const secret = (part: 'value' | 'previous', version: string): unknown => ({ deferred: { type: 'string', expression: `\${wants.password.${part}}`, scope: {}, inputs: { [`wants.password.${part}`]: { secret: 'database/root', version } }, sensitive: true } })
    const token = { 'wants.token': { step: 'openstack/database-server@db1', provide: 'token' } }
    expect(documentOf(plan, 'openstack/database-server@db2')).toEqual({
      database: { port: 3313, datadir: '/srv/mysql', engine: 'mariadb' },
      wants: { peers: ['10.1.0.13', '10.1.0.14', '10.1.0.15'], seed: '10.1.0.13', password: { value: secret('value', '2-b2'), previous: secret('previous', '1-b1') }, ntp: ['0.pool.example.com', 'rule.example.com'], dns: DNS },
    })
    expect(documentOf(plan, 'openstack/database-server@db1')['database']).toEqual({ port: 3306, datadir: '/srv/mysql', engine: 'mariadb' })
    expect(documentOf(plan, 'openstack/nova-compute@compute-001')['nova']).toMatchObject({ workers: 4 })
    expect(documentOf(plan, 'openstack/nova-compute@compute-002')).toEqual({
      nova: {
        workers: 8,
        api: 'http://192.168.124.170:8774/',
        url: { deferred: { type: 'string', expression: 'mysql://${wants.token}@${wants.database[0]}/', scope: { wants: { database: ['10.1.0.13', '10.1.0.14', '10.1.0.15'] } }, inputs: token, sensitive: true } },
      },
      wants: { database: ['10.1.0.13', '10.1.0.14', '10.1.0.15'], token: { deferred: { type: 'string', expression: '${wants.token}', scope: {}, inputs: token, sensitive: true } } },
    })
  })

  test('carries what a role says into its steps', () => {
    const { jig, entry, entries, packages, provides, timeout, retries, onChange, removal, once, destructive } = stepOf(plan, 'openstack/database-server@db2')
    expect({ jig, entry, entries, packages, provides, timeout, retries, onChange, removal, once, destructive }).toEqual({
      jig: 'ansible', entry: 'playbooks/server.yml', entries: { check: 'playbooks/check.yml' }, packages: ['ansible-core', 'mariadb-server', 'galera-4'], provides: { token: { type: 'string', sensitive: true } },
      timeout: 1200, retries: { max: 2, backoff: 10 }, onChange: { default: 'run', port: 'restart', datadir: 'wipe' }, removal: { entry: 'playbooks/remove.yml', deletesData: false }, once: null, destructive: false,
    })
    expect(stepOf(plan, 'openstack/nova-compute@compute-001').entries).toEqual({ check: 'check.sh', drain: 'drain.sh', resume: 'resume.sh' })
  })

  test('binds roles by name, by `where`, outside, and by themselves, the first node as founder', () => {
    expect(Object.fromEntries(Object.entries(plan.roles).map(([key, { members, founder, min, cluster }]) => [key, [members.map(({ node }) => node).join(' '), founder, min, cluster]]))).toEqual({
      'openstack/database-server': ['db1 db2 db3', 'db1', 1, true],
      'openstack/dns-server': ['', null, 0, false],
      'openstack/hosts-file': ['db1 db2 db3', 'db1', 0, false],
      'openstack/nova-compute': ['compute-001 compute-002 compute-003', 'compute-001', 3, false],
      'storage/ntp-client': ['compute-001 compute-002 compute-003 db1 db2 db3', 'compute-001', 0, false],
    })
  })

  test('orders steps, and says who asked for it', () => {
    const needs = (id: string): readonly string[] => stepOf(plan, id).needs.map(({ step, kind, at }) => `${kind} ${step} ${at}`)
    expect(needs('openstack/database-server@db1')).toEqual([
      'deployment barrier/storage deployments.yaml:8:9',
      'lifecycle install@db1 deployments.yaml:11:30',
      'requires openstack/hosts-file@db1 barclamps/database/barclamp.yaml:16:28',
      'lifecycle stage/packages-debian-12 barclamps/database/barclamp.yaml:32:15',
      'requires storage/ntp-client@db1 barclamps/database/barclamp.yaml:16:16',
    ])
    expect(needs('openstack/nova-compute@compute-001')).toEqual([
      'deployment barrier/storage deployments.yaml:8:9',
      'lifecycle install@compute-001 deployments.yaml:12:26',
      'data openstack/database-server@db1 barclamps/nova/barclamp.yaml:17:14',
      'lifecycle stage/packages-debian-12 barclamps/nova/barclamp.yaml:18:15',
    ])
    expect(needs('barrier/storage').length).toBe(5)
  })

  test('has operations, rollouts, agents and automation as they are written', () => {
    expect(plan.operations.map(({ name, do: actions, steps }) => [name, actions, steps.map(({ id }) => id)])).toEqual([['2026-12-kernel', ['drain', 'packages', 'reboot', 'resume'], ['compute-001', 'compute-002'].flatMap((node) => ['drain', 'packages', 'reboot', 'resume'].map((action) => `operation/2026-12-kernel/${action}@${node}`))]])
    expect(plan.rollouts.map(({ id, batches, maxFailures, spreadBy, gate, pause }) => ({ id, batches, maxFailures, spreadBy, gate, pause }))).toEqual([
      { id: 'rollout/install', batches: ['1', '10%'], maxFailures: '0', spreadBy: 'rack', gate: null, pause: 'never' },
      { id: 'rollout/reboot', batches: ['2'], maxFailures: '0', spreadBy: null, gate: null, pause: 'never' },
      { id: 'rollout/openstack/nova-compute', batches: ['1', '10%'], maxFailures: '5%', spreadBy: 'rack', gate: { role: 'openstack/nova-compute', timeout: 600 }, pause: 'after-first' },
      { id: 'operation/2026-12-kernel', batches: ['1', '10%'], maxFailures: '1', spreadBy: 'rack', gate: null, pause: 'never' },
    ])
    expect(plan.agents).toEqual({ adm1: { kind: 'agent', node: 'adm1', interfaces: { eth1: { network: 'admin', dhcp: 'server' }, eth2: { network: 'storage', dhcp: 'listen' } }, mode: 'online', limits: { install: 20, bmc: 4 } } })
    expect(plan.site.automation).toEqual({ discovery: 'propose', apply: 'automatic' })
  })
})

test('a role may not be on the node of one that it conflicts with', () => {
  const text = new TextDecoder().decode(WRITTEN.files.get('deployments.yaml')?.bytes())
  const result = compileTree(withFiles(WRITTEN, { ...SEEN, 'deployments.yaml': text.replace("'compute' in node.tags", "'compute' in node.tags || node.name == 'db2'") }))
  expect(result.diagnostics.filter(({ severity }) => severity === 'error').map(({ code, range }) => `${code} ${range === undefined ? '' : placeOf(range)}`)).toEqual(['ROLE_CONFLICT deployments.yaml:11:35'])
})

test('an array stands in the plan', () => {
  const text = new TextDecoder().decode(WRITTEN.files.get('rules.yaml')?.bytes())
  const result = compileTree(withFiles(WRITTEN, { ...SEEN, 'rules.yaml': text.replace('bus: nvme }', 'bus: nvme, count: 2 }, raid: 1') }))
  expect(codes(result)).toEqual(['UNSUPPORTED nodes.yaml:8:1', 'UNSUPPORTED site.yaml:22:24'])
  const { install } = documentOf(success(result).plan, 'install@db2') as { readonly install: { readonly raid: unknown; readonly targets: readonly { readonly id: string }[] } }
  expect([install.raid, install.targets.map(({ id }) => id)]).toEqual([{ system: 1 }, ['serial:02-N0', 'serial:02-N1']])
})
