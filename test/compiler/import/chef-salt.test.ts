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

test('chef: encrypted items are secrets, automatic attributes inventory, Ruby is refused, and lists that Chef would join are said', () => {
  const result = imported('chef', CHEF['repository 0'] ?? {})
  expect(Object.keys(textsOf(result)).filter((path) => path.startsWith('inventory/')).length).toBe(1)
  expect(nodesOf(result, 'chef')['n0.example.com']?.values['data_bags']).toMatchObject({ secrets: { db: { password: { secret: 'chef/data_bags/secrets/db/password' } } } })
  expect(refusals(result)).toEqual(['cookbooks.json:2:11 it is neither a node nor a role, environment or data bag item', 'roles/x.rb:1:1 a Ruby program is not run: give what `knife role show NAME -F json` and the like print'])
  const lists = imported('chef', { 'nodes/a.json': '{"name": "a", "run_list": ["role[x]", "role[y]"]}', 'roles/x.json': '{"name": "x", "default_attributes": {"l": [1]}}', 'roles/y.json': '{"name": "y", "default_attributes": {"l": [2]}}' })
  expect([nodesOf(lists, 'chef')['a']?.values, refusals(lists)]).toEqual([{ l: [2] }, ['roles/x.json:1:44 Chef joins this list with that of another role; here the other one counts']])
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
    expect.stringMatching(/^pillar\/top\.sls:12:14 targets by compound/), expect.stringMatching(/^pillar\/top\.sls:13:7 targets by compound/),
    expect.stringMatching(/^roster:5:11 a password in plain text/),
  ])
})
