import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { clusterOf } from '../../../compiler/export/cluster.ts'
import type { Cluster } from '../../../compiler/export/cluster.ts'
import { EXPORT_TARGETS, exportCluster, keptBy } from '../../../compiler/export/export.ts'
import { isDeferred } from '../../../schemas/deferred.ts'
import type { Json } from '../../../schemas/shape.ts'
import { stepDocument } from '../../../schemas/step-values.ts'
import { EXAMPLE_SITES } from '../../builders/example-sites.ts'
import { compiled, compileTree, exampleTree, success } from '../compiling.ts'

const clusterFrom = ({ plan, ordered }: ReturnType<typeof success>): Cluster => clusterOf(plan, ordered.injected)
const filesOf = (cluster: Cluster, target: string): ReadonlyMap<string, string> =>
  new Map((exportCluster(target, { cluster, contentOf: () => [] }) ?? []).map(({ path, text }) => [path, String(text)]))
const ansible = { customTags: [{ tag: '!unsafe', resolve: (text: string) => text }] }

/** Every scalar of a document that is known at compile time, by path; lists that hold one that is not are left out whole. */
function known(value: Json, path: string, into: Map<string, Json>): boolean {
  if (value === null || typeof value !== 'object') {
    into.set(path, value)
    return true
  }
  if (isDeferred(value)) return false
  const inside = new Map<string, Json>()
  const whole = Object.entries(value).map(([key, child]) => known(child as Json, `${path}/${key}`, inside)).every(Boolean)
  if (whole || !Array.isArray(value)) for (const [key, leaf] of inside) into.set(key, leaf)
  return whole || !Array.isArray(value)
}

test.each(EXAMPLE_SITES)('%s: each tool is given every value that the plan knows, and no other', (name) => {
  const result = success(compileTree(exampleTree(name)))
  const cluster = clusterFrom(result)
  const inventory = JSON.parse(filesOf(cluster, 'ansible-json').get('inventory.json') ?? '') as { _meta: { hostvars: Record<string, { crowbar_roles?: Record<string, Record<string, Json>> }> } }
  const tree = filesOf(cluster, 'ansible')
  const hiera = filesOf(cluster, 'puppet')
  const salt = filesOf(cluster, 'salt')
  for (const step of result.plan.steps.filter(({ kind }) => kind === 'role')) {
    const document = stepDocument(step, result.plan.values)
    if (document === null) continue
    const expected = new Map<string, Json>()
    known(document, '', expected)
    const node = step.node ?? ''
    const key = `${step.deployment}/${step.role}`
    const barclamp = (step.barclamp ?? '').replaceAll('-', '_')
    const given = [
      [inventory._meta.hostvars[node]?.crowbar_roles?.[key], barclamp],
      [(parse(tree.get(`host_vars/${node}.yml`) ?? '', ansible) as { crowbar_roles: Record<string, Json> }).crowbar_roles[key], barclamp],
      [(parse((hiera.get(`data/nodes/${node}.${result.plan.site.domain}.yaml`) ?? '').replaceAll("%{literal('%')}", '%')) as { crowbar_roles: Record<string, Json> }).crowbar_roles[key], step.barclamp],
      [(JSON.parse((salt.get(`pillar/nodes/${node.replaceAll('-', '_')}.sls`) ?? '').slice('#!json\n'.length)) as { crowbar_roles: Record<string, Json> }).crowbar_roles[key], step.barclamp],
    ] as const
    for (const [value, word] of given) {
      const { crowbar: _crowbar, ...parts } = value as Record<string, Json>
      const found = new Map<string, Json>()
      known(Object.fromEntries(Object.entries(parts).map(([part, child]) => [part === word ? step.barclamp ?? '' : part, child])), '', found)
      expect(found).toEqual(expected)
    }
  }
})

test.each(EXPORT_TARGETS)('%s: the same cluster gives the same bytes, sorted by path', (target) => {
  const [first, second] = [0, 1].map(() => filesOf(clusterFrom(success(compileTree(exampleTree('first-light')))), target))
  expect(first).toEqual(second)
  expect([...first?.keys() ?? []]).toEqual([...first?.keys() ?? []].toSorted())
})

const TEXTS = {
  'n.yaml': 'kind: node\nname: n-1\nos: debian-12\nmachine: { serial: s }\ntags: [all, rack-1]\n',
  'barclamps/my-db/barclamp.yaml': `kind: barclamp
name: my-db
version: 1.0.0
attributes: { type: object, properties: { motto: { type: string, default: "" }, list: { type: array, default: [] } } }
roles:
  maker: { jig: script, run: run.sh, provides: { token: { type: string, sensitive: true } } }
  db: { jig: ansible, run: db.yml, wants: { token: { from: maker, provide: token } } }
`,
  'barclamps/my-db/run.sh': '#!/bin/sh\n',
  'barclamps/my-db/db.yml': '[]\n',
  'd.yaml': `kind: deployment
name: d
roles:
  maker: { nodes: [n-1] }
  db: { nodes: [n-1], attributes: { my-db: { motto: "{{ x }} %{y}", list: [1, "\${wants.token}"] } } }
`,
}
test('a role that differs stands by itself, what is secret is left out and said, and no value becomes a template', () => {
  const cluster = clusterFrom(compiled(TEXTS))
  expect(cluster.nodes.map(({ name, differing }) => [name, differing])).toEqual([['adm', []], ['n-1', ['my-db']]])
  expect(cluster.leftOut).toEqual([
    { node: 'n-1', role: 'd/db', path: 'my-db.list.1', because: 'what d/maker@n-1 reports' }, { node: 'n-1', role: 'd/db', path: 'wants.token', because: 'what d/maker@n-1 reports' },
  ])
  const vars = filesOf(cluster, 'ansible').get('host_vars/n-1.yml') ?? ''
  expect(vars.split('\n').filter((line) => line.startsWith('#'))).toEqual([
    '# left out: d/db my-db.list.1: what d/maker@n-1 reports', '# left out: d/db wants.token: what d/maker@n-1 reports', '# my-db differs between roles of this node: see crowbar_roles',
  ])
  expect(vars).toContain('motto: !unsafe "{{ x }} %{y}"  # d.yaml:5:53 role')
})

test('Ansible groups: role, deployment, tags and os as words, never a name that Ansible has taken', () => {
  const inventory = JSON.parse(filesOf(clusterFrom(compiled(TEXTS)), 'ansible-json').get('inventory.json') ?? '') as Record<string, unknown>
  expect(Object.keys(inventory)).toEqual(['_meta', 'all', 'ungrouped', 'd', 'db', 'debian_12', 'maker', 'rack_1'])
  expect(inventory['ungrouped']).toEqual({ hosts: ['adm'] })
})

test('hosts and ssh_config name every address', () => {
  const cluster = clusterFrom(compiled(TEXTS))
  expect(filesOf(cluster, 'hosts').get('hosts')).toBe('# Nodes of test.\n10.0.0.2\tadm.test.example.com adm adm-admin\n10.0.0.50\tn-1.test.example.com n-1 n-1-admin\n')
  expect(filesOf(cluster, 'ssh').get('ssh_config')).toContain('Host n-1 n-1.test.example.com\n    HostName 10.0.0.50\n')
})

test('what cf-agent would change is left out and said, and Hiera has no key that a lookup takes apart', () => {
  const cluster = clusterFrom(compiled({
    'n.json': JSON.stringify({ kind: 'node', name: 'n-1', os: 'debian-12', machine: { serial: 's' } }), 'barclamps/app/barclamp.yaml': 'kind: barclamp\nname: app\nversion: 1.0.0\nattributes: { type: object }\nroles: { app: {} }\n',
    'd.json': JSON.stringify({ kind: 'deployment', name: 'd', roles: { app: { nodes: ['n-1'] } }, attributes: { app: { path: 'C:\\x', ref: '$(sys.host)', small: 1e-7, list: ['fine', '@(x)'], fine: 1.25, 'net.ipv4': 1, '': 2 } } }),
  }))
  const def = JSON.parse(filesOf(cluster, 'cfengine').get('n-1.test.example.com/def.json') ?? '') as { vars: { app: object; crowbar_roles: Record<string, { app: object }> } }
  expect([def.vars.app, def.vars.crowbar_roles['d/app']?.app]).toEqual([{ '': 2, fine: 1.25, 'net.ipv4': 1 }, { '': 2, fine: 1.25, 'net.ipv4': 1 }])
  expect(keptBy('cfengine', cluster).leftOut.map(({ node, role, path }) => [node, role, path])).toEqual([['n-1', 'd/app', 'app.path'], ['n-1', 'd/app', 'app.ref'], ['n-1', 'd/app', 'app.small'], ['n-1', 'd/app', 'app.list.1']])
  expect(keptBy('ansible', cluster).leftOut).toEqual([])
  const keys = Object.keys(parse(filesOf(cluster, 'puppet').get('data/nodes/n-1.test.example.com.yaml') ?? '') as object)
  expect(keys.toSorted()).toEqual(['app', 'app::fine', 'app::list', 'app::path', 'app::ref', 'app::small', 'crowbar_roles'])
})
