import { expect, test } from 'vitest'
import { clusterOf } from '../../../compiler/export/cluster.ts'
import type { Cluster } from '../../../compiler/export/cluster.ts'
import { exportCluster } from '../../../compiler/export/export.ts'
import { wordOf } from '../../../compiler/export/names.ts'
import type { Json } from '../../../schemas/shape.ts'
import { compiled, exampleTree, compileTree, success } from '../compiling.ts'
import { EXAMPLE_SITES } from '../../builders/example-sites.ts'
import { imported, nodesOf } from './read-back.ts'
import type { NodeSaid, Values } from './read-back.ts'
import fc from '../../property.ts'

/** import∘export is the identity on what both can say: nodes, groups, variables. */
function exported(cluster: Cluster, target: string, keep: (path: string) => boolean): Readonly<Record<string, string>> {
  return Object.fromEntries((exportCluster(target, { cluster, contentOf: () => [] }) ?? []).filter(({ path }) => keep(path)).map(({ path, text }) => [path, text as string]))
}

const words = (values: Values): Values => Object.fromEntries(Object.entries(values).map(([key, value]) => [wordOf(key), value]))
const word = (name: string): string => name.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-').replaceAll(/^-+|-+$/g, '')
const roleWord = (name: string): string => (/^[a-z]/.test(word(name)) ? word(name) : `g-${word(name)}`)

function expectSame(cluster: Cluster): void {
  const documents = (node: Cluster['nodes'][number]): Values => Object.fromEntries(node.roles.map(({ key, document }) => [key, document ?? {}]))
  const groups = (node: Cluster['nodes'][number]): readonly string[] => {
    const names = [...new Set([...node.roles.flatMap(({ name, deployment }) => [name, deployment]), ...node.tags, ...(node.os === null ? [] : [node.os])].map(wordOf))].filter((name) => name !== 'all' && name !== 'ungrouped')
    return (names.length === 0 ? ['ungrouped'] : names.map(roleWord)).toSorted()
  }
  const address = (said: NodeSaid | undefined): Json => (said?.fields['networks.admin.address'] || null) as Json
  for (const target of ['ansible', 'ansible-json']) {
    const nodes = nodesOf(imported('ansible', exported(cluster, target, (path) => /^(hosts\.yml|host_vars\/.*|inventory\.json)$/.test(path)), 'admin'), 'ansible')
    expect(Object.keys(nodes).toSorted()).toEqual(cluster.nodes.map(({ name }) => name).toSorted())
    for (const node of cluster.nodes) {
      const said = nodes[node.name]
      const byRole = Object.fromEntries(Object.entries(documents(node)).map(([key, document]) => [key, words(document as Values)]))
      expect([said?.groups, said?.values, address(said)]).toEqual([groups(node), { ...words(node.attributes), crowbar_roles: byRole }, node.address])
    }
  }
  const salt = nodesOf(imported('salt', exported(cluster, 'salt', () => true), 'admin'), 'salt')
  const chef = nodesOf(imported('chef', exported(cluster, 'chef', () => true), 'admin'), 'chef')
  for (const node of cluster.nodes) {
    const { roster: _roster, ...pillar } = salt[node.fqdn]?.values ?? {}
    expect([pillar, address(salt[node.fqdn])]).toEqual([{ ...node.attributes, crowbar_roles: documents(node) }, node.address])
    expect(salt[node.fqdn]?.groups).toEqual([...new Set(node.roles.map(({ key }) => roleWord(key)))].toSorted())
    const { crowbar: _crowbar, tags, data_bags: bags, ...normal } = chef[node.fqdn]?.values ?? {}
    expect([normal, tags]).toEqual([node.attributes, node.tags])
    for (const role of node.roles) expect((bags as { readonly crowbar: Values }).crowbar[`${node.name}-${role.deployment}-${role.name}`]).toMatchObject({ node: node.name, role: role.key, document: role.document ?? {} })
  }
}

test.each(EXAMPLE_SITES)('%s: comes back from Ansible, Salt and Chef as it went out', (name) => {
  const { plan, ordered } = success(compileTree(exampleTree(name)))
  expectSame(clusterOf(plan, ordered.injected))
})

/** JSON that a site may have: a whole number without an exponent has to be exact. */
const text19 = (document: unknown): string => JSON.stringify(document).replaceAll('10000000000000000000', '1e19')

test('any small site comes back as it went out', () => {
  const text = fc.oneof(fc.string({ unit: 'grapheme', maxLength: 8 }), fc.constantFrom('{{ x }}', '%{y}', 'yes', '0x10', '1:30', '- a', '#', '"\'\\', '\u0000\u2028', '{% if %}', ' ', '2026-01-01', '~', '<<', '2026-01-01 10:00:00', '.inf', '123456789012345678901', '0755', '=', '? x', '$(id)', '`x`', 'a\r\nb\n\n', '\ufeff', '\t')).filter((value) => !value.includes('${'))
  const { value } = fc.letrec<{ value: unknown }>((tie) => ({ value: fc.oneof({ maxDepth: 3 }, text, fc.integer(), fc.boolean(), fc.constant(null), fc.constantFrom(0.5, 1e19, -1e300, 1e21, -1.5e-7, 9007199254740991), fc.array(tie('value'), { maxLength: 3 }), fc.dictionary(fc.constantFrom('a', 'b-c', 'yes', 'on', 'null', '010', '0x1f', '1', 'ü', 'x.y', '{{ k }}', '%{k}', 'a b', '#', '-'), tie('value'), { maxKeys: 3, noNullPrototype: true })) }))
  const attributes = fc.dictionary(fc.constantFrom('port', 'motd', 'list', 'deep'), value, { maxKeys: 3, noNullPrototype: true })
  const node = fc.record({ tags: fc.uniqueArray(fc.constantFrom('web', 'db', 'rack-1', 'all'), { maxLength: 3 }), roles: fc.uniqueArray(fc.constantFrom('one', 'two'), { maxLength: 2 }), attributes })
  fc.assert(fc.property(fc.array(node, { minLength: 1, maxLength: 3 }), attributes, (nodes, ofRole) => {
    const bound = (role: 'one' | 'two'): string[] => nodes.flatMap(({ roles }, i) => (roles.includes(role) ? [`n-${i}`] : []))
    const roles = Object.fromEntries((['one', 'two'] as const).filter((role) => bound(role).length > 0).map((role) => [role, { nodes: bound(role), ...(role === 'one' ? { attributes: { 'my-app': ofRole } } : {}) }]))
    const documents = [...nodes.map(({ tags, attributes: own }, i) => ({ kind: 'node', name: `n-${i}`, os: 'debian-12', machine: { serial: `s${i}` }, tags, attributes: { 'my-app': own } })), { kind: 'deployment', name: 'd', roles }]
    const { plan, ordered } = compiled({ 'barclamps/my-app/barclamp.yaml': 'kind: barclamp\nname: my-app\nversion: 1.0.0\nattributes: { type: object }\nroles: { one: {}, two: {} }\n', 'd.json': text19(documents[documents.length - 1]), ...Object.fromEntries(documents.slice(0, -1).map((document, i) => [`n${i}.json`, text19(document)])) })
    expectSame(clusterOf(plan, ordered.injected))
  }), { numRuns: 60 })
})
