import { expect, test } from 'vitest'
import { compileTexts } from '../compiling.ts'
import { coverage } from './coverage.ts'
import { HOSTILE } from './hostile.ts'
import { imported, nodesOf, refusals, textsOf } from './read-back.ts'
import { CHEF, SALT } from './trees.ts'

test.each([['chef', CHEF], ['salt', SALT]] as const)('%s: every value is in the report once, on forty trees and on hostile input', (format, trees) => {
  expect(Object.keys(trees).length).toBeGreaterThanOrEqual(40)
  coverage(format, { ...trees, ...HOSTILE.json('pillar') })
})

test.each([['chef', CHEF['repository 0']], ['chef', CHEF['repository 6']], ['salt', SALT['tree 3']]] as const)('%s: the documents are good but for what is not known', (format, texts) => {
  const result = imported(format, texts ?? {}, 'admin')
  const found = compileTexts({ ...textsOf(result), 'rule.yaml': 'kind: rule\nname: any\nwhen: "true"\nset: { os: debian-12 }\n' })
  expect(found.diagnostics.filter(({ severity, code }) => severity === 'error' && !['CLAIM_UNBOUNDED', 'SECRET_UNKNOWN', 'HARDWARE_UNDECLARED'].includes(code))).toEqual([])
})

test('chef: attributes come in the order of Chef: default under normal under override, roles in roles, the environment last', () => {
  const result = imported('chef', {
    'nodes/a.json': JSON.stringify({ name: 'a.example.com', chef_environment: 'prod', default: { v: 'node default', d: 1 }, normal: { n: { x: 1 }, w: 'normal' }, override: { o: 'node' }, run_list: ['role[outer]'] }),
    'roles/outer.json': JSON.stringify({ name: 'outer', default_attributes: { v: 'outer', w: 'outer' }, override_attributes: { o: 'role', p: 'role' }, run_list: ['role[inner]', 'recipe[x::y]'] }),
    'roles/inner.json': JSON.stringify({ name: 'inner', default_attributes: { v: 'inner', i: 1, n: { x: 0, y: 2 } } }),
    'environments/prod.json': JSON.stringify({ name: 'prod', default_attributes: { v: 'env', e: 1 }, override_attributes: { p: 'env' } }),
    'data_bags/users/ann.json': '{"id": "ann", "uid": 1}',
  })
  const node = nodesOf(result, 'chef')['a.example.com']
  expect(node?.groups).toEqual(['inner', 'outer', 'recipe-x-y'])
  expect(node?.values).toEqual({ v: 'outer', w: 'normal', d: 1, n: { x: 1, y: 2 }, o: 'role', p: 'env', i: 1, e: 1, data_bags: { users: { ann: { id: 'ann', uid: 1 } } } })
  expect(node?.fields).toMatchObject({ 'labels.chef-environment': 'prod' })
  expect(result.report.find(({ file, pointer }) => file === 'roles/inner.json' && pointer.at(-1) === 'v')).toMatchObject({ fate: 'raw', to: ['imported/roles/inner.json.json#/default_attributes/v'], note: 'no host has it: it is hidden everywhere, or its group has no host' })
})

test('chef: attributes of a node stand beside its run list for chef-solo, with an address too as knife-solo writes it', () => {
  const result = imported('chef', {
    'nodes/a.json': JSON.stringify({ run_list: ['role[r]'], automatic: { ipaddress: '10.0.0.60' }, php: { user: 'node' } }), 'nodes/b.json': JSON.stringify({ run_list: [], automatic: { ipaddress: 'b.example.com' }, x: 1 }),
    'nodes/c.json': JSON.stringify({ chef_type: 'node', run_list: [], php: { user: 'typed' } }), 'nodes/d.json': JSON.stringify({ override: { php: { user: 'over' } }, other: 1 }),
    'nodes/e.json': JSON.stringify({ name: 'e', json_class: 'Chef::Node', automatic: { ipaddress: '10.0.0.61' }, _rev: '2-1' }), 'roles/r.json': JSON.stringify({ name: 'r', default_attributes: { php: { user: 'role', v: 7 } } }),
  }, 'admin')
  const nodes = nodesOf(result, 'chef')
  expect(Object.entries(nodes).map(([name, { values, fields }]) => [name, values, fields['networks.admin.address'] || undefined])).toEqual(expect.arrayContaining([
    ['a', { php: { user: 'node', v: 7 } }, '10.0.0.60'], ['b', { x: 1 }, undefined], ['c', { php: { user: 'typed' } }, undefined], ['d', { php: { user: 'over' } }, undefined], ['e', {}, '10.0.0.61'],
  ]))
  expect(refusals(result)).toEqual([])
  expect(result.report.filter(({ fate }) => fate === 'raw').map(({ file, pointer }) => [file, ...pointer])).toEqual([['nodes/b.json', 'automatic', 'ipaddress'], ['nodes/d.json', 'other'], ['nodes/e.json', '_rev'], ['roles/r.json', 'default_attributes', 'php', 'user']])
})

test('chef: encrypted items are secrets, automatic attributes inventory, Ruby is refused, and lists that Chef would join are said', () => {
  const result = imported('chef', CHEF['repository 0'] ?? {})
  expect(Object.keys(textsOf(result)).filter((path) => path.startsWith('inventory/')).length).toBe(1)
  expect(nodesOf(result, 'chef')['n0.example.com']?.values['data_bags']).toMatchObject({ secrets: { db: { password: { secret: 'chef/data_bags/secrets/db/password' } } } })
  expect(refusals(result)).toEqual(['cookbooks.json:2:11 it is neither a node nor a role, environment, policy or data bag item', 'roles/x.rb:1:1 a Ruby program is not run: give what `knife role show NAME -F json` and the like print'])
})

test('chef: lists of one level are joined, a role may run another list in an environment, and a policy stands for run list and roles', () => {
  const json = JSON.stringify
  const lists = imported('chef', {
    'nodes/a.json': json({ name: 'a', chef_environment: 'e', default: { l: [1], m: { k: [] } }, normal: { n: [1] }, run_list: ['role[x]', 'role[y]', 'role[p]'] }),
    'roles/x.json': json({ name: 'x', default_attributes: { l: [2, { a: 1 }], n: [0], m: { k: ['x'] } }, run_list: ['role[none]'], env_run_lists: { e: ['role[z]'] } }),
    'roles/y.json': json({ name: 'y', default_attributes: { l: [1, 3, '{{ t }}'] }, override_attributes: { o: ['y'] } }), 'roles/z.json': json({ name: 'z', default_attributes: { l: [0], z: 1 } }),
    'roles/p.json': json({ name: 'p', default_attributes: { v: 'p' }, run_list: ['role[q]'] }), 'roles/q.json': json({ name: 'q', default_attributes: { v: 'q' }, run_list: ['role[p]'] }),
    'environments/e.json': json({ name: 'e', default_attributes: { l: ['e'] }, override_attributes: { o: ['e'] } }),
  })
  expect([nodesOf(lists, 'chef')['a']?.values, refusals(lists)]).toEqual([{ l: [1, 'e', 0, 2, { a: 1 }, 3, '{{ t }}'], m: { k: ['x'] }, n: [1], o: ['y', 'e'], v: 'p', z: 1 }, []])
  expect(lists.report.filter(({ file, pointer }) => file === 'roles/y.json' && pointer.includes('l')).map(({ fate, to, note }) => [fate, to, note])).toEqual([
    ['mapped', ['nodes.yaml'], 'the list that it is joined to has it already'], ['mapped', ['node a: attributes.chef.l.5'], undefined], ['raw', ['node a: attributes.chef.l.6'], 'a template, kept as text: Crowbar does not evaluate it'],
  ])
  const lost = lists.report.filter(({ note }) => note === 'no node has this run list')
  expect(lost.map(({ file, pointer }) => [file, ...pointer])).toEqual([['roles/x.json', 'run_list', 0]])
  const policy = imported('chef', {
    'nodes/a.json': json({ name: 'a', policy_name: 'web', policy_group: 'prod', normal: { n: 1 }, run_list: [] }), 'acls/nodes/a.json': json({ create: { actors: ['pivotal'] } }),
    'Policyfile.lock.json': json({ revision_id: 'f00', name: 'web', run_list: ['recipe[nginx::default]'], cookbook_locks: {}, default_attributes: { port: 80, n: 0 }, override_attributes: { o: 1 } }),
    'data_bags/b/x.json': json({ name: 'data_bag_item_b_x', json_class: 'Chef::DataBagItem', chef_type: 'data_bag_item', data_bag: 'b', raw_data: { id: 'x' } }),
  })
  expect([nodesOf(policy, 'chef')['a']?.values, nodesOf(policy, 'chef')['a']?.groups]).toEqual([{ n: 1, o: 1, port: 80, data_bags: { b: { x: { id: 'x' } } } }, ['recipe-nginx-default']])
  expect(refusals(policy)).toEqual([expect.stringMatching(/^acls/)])
})

test('salt: the top file, includes and merging are those of Salt; templates and passwords are refused', () => {
  const result = imported('salt', SALT['tree 0'] ?? {}, 'admin')
  const node = nodesOf(result, 'salt')['web0.example.com']
  expect(node?.values).toEqual({
    app: { port: 8080, deep: { x: 0 } }, mode: 644, ntp: { servers: ['a', 'b'] }, yes_no: true, text: 'two\nlines ünd ${more}\n', users: { ann: { uid: 1 } }, more: { ann: { uid: 1 }, bob: { uid: 2 } }, own: 0, t: '{{ kept }}', roster: { user: 'root', sudo: true, host: '10.0.0.60' },
  })
  expect([node?.groups, node?.fields]).toEqual([['web'], { 'labels.imported-name': 'web0.example.com', 'machine.serial': 'S00', 'networks.admin.address': '10.0.0.60' }])
  expect(refusals(result)).toEqual([
    expect.stringMatching(/^pillar\/db\/init\.sls:1:1 a template begins in line 2, column 5, and is not carried out/),
    'pillar/top.sls:10:7 there is no file pillar/db.sls among those that are imported',
    expect.stringMatching(/^roster:5:11 a password in plain text/),
  ])
})

const saltValues = (texts: Readonly<Record<string, string>>, minion: string): unknown => nodesOf(imported('salt', texts), 'salt')[minion]?.values

test('salt: targets are compound, each file counts once and where it is named first, and includes are relative, keyed or seen before', () => {
  const texts = {
    'top.sls': "base:\n  '*': [a, b]\n  'web* and not ( web9 or L@web8 )': [a, compound]\n  'G@os:debian': [grain]\n  'late':\n    - match: list\n    - order: -1\n    - first\n  'x@y*': [none]\n  'E@web.*': [none]\n",
    'a.sls': 'v: a\n', 'b.sls': 'include: [.c, {d: {key: "x:y"}}, "glob.*"]\nv: b\nw: b\n', 'c.sls': 'include: [d]\nv: c\nc: 1\n', 'd.sls': 'd: 1\nw: d\n', 'glob/one.sls': 'one: 1\n',
    'compound.sls': 'compound: 1\n', 'grain.sls': 'grain: 1\n', 'first.sls': 'w: first\nf: 1\n', 'none.sls': 'n: 1\n', 'dir/init.sls': 'x: init\n', 'dir.sls': 'x: file\n',
    'grains/web1.yml': 'os: Debian\nroles: web\n', 'roster': 'web1: 10.0.0.60\nweb8: {host: 10.0.0.61}\nlate: 10.0.0.62\n',
  }
  const result = imported('salt', texts)
  expect(saltValues(texts, 'web1')).toEqual({ v: 'b', w: 'b', c: 1, d: 1, x: { y: { d: 1, w: 'd' } }, one: 1, compound: 1, grain: 1 })
  expect(saltValues(texts, 'late')).toEqual({ v: 'b', w: 'b', c: 1, d: 1, x: { y: { d: 1, w: 'd' } }, one: 1, f: 1 })
  expect(nodesOf(result, 'salt')['web1']?.groups).toEqual(['web'])
  expect(refusals(result)).toEqual([
    'top.sls:4:19 it hangs on grains, and those of some minions are not among the files',
    expect.stringMatching(/^top\.sls:10:15 targets with `E@` are not understood/),
  ])
  expect(result.report.find(({ file }) => file === 'dir/init.sls')?.note).toBe('Salt reads dir.sls instead')
})

test('salt: no minion is made of what is none, and answers one by one are one', () => {
  const of = (texts: Readonly<Record<string, string>>): readonly [readonly string[], readonly string[]] => {
    const result = imported('salt', texts)
    return [Object.keys(nodesOf(result, 'salt')), refusals(result)]
  }
  expect(of({ 'items.json': '{"a": {"x": 1}}\n{\n"b": {}}\n' })).toEqual([['a', 'b'], []])
  expect(of({ 'items.json': '{"a": {"x": 1}, "b": false}' })).toEqual([['a'], ['items.json:1:22 what is said of a minion is a map']])
  expect(of({ 'etc/grains': 'roles: [web]\n' })).toEqual([[], ['etc/grains:1:9 nothing says whose grains these are: call the file `grains/MINION.yml`']])
  expect(of({ 'etc/grains': 'roles: [web]\nid: a\n' })).toEqual([['a'], []])
  expect(of({ 'master.d/f.conf': 'pillar_roots: {base: [/srv]}\n' })).toEqual([[], ['master.d/f.conf:1:23 the configuration of Salt is not read']])
  expect(of({ roster: 'a: [1]\nb:\n' })).toEqual([[], ['roster:1:5 an entry of a roster is a map with `host`', 'roster:2:2 an entry of a roster is a map with `host`']])
  expect(of({ 'srv/salt/top.sls': "base: {'*': [x]}", 'srv/salt/x.sls': 'x: {pkg.installed: []}', 'srv/pillar/top.sls': 'base: {a: [x]}', 'srv/pillar/x.sls': 'x: 1' })[0]).toEqual(['a'])
})

test('salt: what vendors write where there is no number pins no node, since it would be the pin of any such machine', () => {
  const machine = (grains: object): unknown => {
    const { fields } = nodesOf(imported('salt', { 'grains/m.json': JSON.stringify(grains) }), 'salt')['m'] ?? { fields: {} }
    return Object.fromEntries(Object.entries(fields).filter(([key]) => key.startsWith('machine.')))
  }
  const uuid = '4C4C4544-0010-3510-8054-B100004C4D59'
  expect(machine({ uuid, serialnumber: 'AB12' })).toEqual({ 'machine.uuid': uuid.toLowerCase() })
  expect(machine({ uuid: '00000000-0000-0000-0000-000000000000', serialnumber: 'AB12' })).toEqual({ 'machine.serial': 'AB12' })
  expect(machine({ uuid: '03000200-0400-0500-0006-000700080009', serialnumber: '0123456789' })).toEqual({})
  expect(machine({ uuid: 'Not Settable', serialnumber: 'To Be Filled By O.E.M.' })).toEqual({})
})
