import { expect, test } from 'vitest'
import { discoveryProblems } from '../../compiler/bind/discovery-role.ts'
import { change } from '../../compiler/change/change.ts'
import type { Changes } from '../../schemas/changes.ts'
import { EMPTY_LEDGER } from '../../schemas/ledger.ts'
import type { Plan } from '../../schemas/plan.ts'
import { applied, folded, wasSent } from '../builders/ledger.ts'
import { secretFiles } from '../builders/secrets.ts'
import { codes, compiled, compileTexts, lockFile, machine, SITE, stepOf } from './compiling.ts'
import type { Texts } from './compiling.ts'

const NODES = `kind: node
name: a
os: debian-12
machine: { serial: A }
---
kind: node
name: j
os: own
machine: { serial: J }
---
kind: os
name: own
family: debian
version: "12"
architecture: amd64
install: joined
`
const barclamp = (role: string, more = ''): Texts => ({
  'barclamps/hw/barclamp.yaml': `kind: barclamp\nname: hw\nversion: 1.0.0\nattributes: { type: object, properties: { hours: { type: integer, default: 1 }, key: {} } }\nroles:\n  burn-in: { ${role} }\n  web: { jig: script, run: run.sh${more} }\n`,
  'barclamps/hw/run.sh': '#!/bin/sh\n',
})
const site = (role = 'jig: script, run: run.sh, flags: [discovery]', deployment = 'roles: { burn-in: {} }', more = ''): Texts => ({ 'nodes.yaml': NODES, ...barclamp(role, more), 'd.yaml': `kind: deployment\nname: d\n${deployment}\n` })

test('it is bound to every node that is installed by us, runs on the discovered machine, and the install waits for it', () => {
  const { plan } = compiled({ ...site(undefined, 'roles: { burn-in: {}, web: { nodes: [a] } }'), ...machine('m1', { serial: 'A' }) })
  expect(plan.roles['d/burn-in']?.members).toEqual([{ node: 'a', index: 0 }])
  const step = (id: string) => plan.steps.find((one) => one.id === id)
  expect(step('d/burn-in@a')).toMatchObject({ kind: 'role', runsOn: 'discovery', destructive: false, packages: [], needs: [{ step: 'discover@a', kind: 'lifecycle', at: 'd.yaml:3:10' }] })
  expect(step('d/burn-in@a')?.once).toMatch(/^sha256:/)
  expect(step('install@a')?.needs).toContainEqual({ step: 'd/burn-in@a', kind: 'lifecycle', at: 'd.yaml:3:10' })
  expect(step('d/web@a')).toMatchObject({ runsOn: 'node', needs: [{ step: 'install@a' }] })
  expect(plan.steps.filter(({ node }) => node === 'a').map(({ id }) => id)).toEqual(['discover@a', 'd/burn-in@a', 'install@a', 'd/web@a'])
})

test('by `where` it comes to no joined node, and without any node it is no mistake', () => {
  expect(compiled(site(undefined, 'roles: { burn-in: { where: "true" } }')).plan.roles['d/burn-in']?.members.map(({ node }) => node)).toEqual(['a'])
  expect(codes(compileTexts({ ...site(), 'nodes.yaml': NODES.slice(NODES.indexOf('---') + 4) }))).toEqual([])
})

const ROLE = 'barclamps/hw/barclamp.yaml:6:'
test.each<[string, Texts, readonly string[]]>([
  ['a joined node', site(undefined, 'roles: { burn-in: { nodes: [a, j] } }'), ['ROLE_DISCOVERY d.yaml:3:32']],
  ['an admin node', site(undefined, 'roles: { burn-in: { nodes: [adm] } }'), ['ROLE_DISCOVERY d.yaml:3:29']],
  ['a tool that the image lacks', site('jig: ansible, run: run.sh, flags: [discovery]'), [`ROLE_DISCOVERY ${ROLE}19`]],
  ['packages', site('jig: script, run: run.sh, flags: [discovery], packages: { debian: [memtester] }'), [`ROLE_DISCOVERY ${ROLE}70`]],
  ['a removal', site('jig: script, run: run.sh, remove: run.sh, flags: [discovery]'), [`ROLE_DISCOVERY ${ROLE}48`]],
  ['a check', site('jig: script, run: run.sh, check: run.sh, flags: [discovery]'), [`ROLE_DISCOVERY ${ROLE}47`]],
  ['bootstrap', site('jig: script, run: run.sh, flags: [discovery, bootstrap]', 'roles: { burn-in: { nodes: [a] } }'), [`ROLE_DISCOVERY ${ROLE}59`]],
  ['a script for something else', { ...site(), 'barclamps/hw/run.sh': '#!/usr/bin/env python3\n' }, [`ROLE_DISCOVERY ${ROLE}32`]],
  ['an ending of something else', { ...site('jig: script, run: run.pl, flags: [discovery]'), 'barclamps/hw/run.pl': 'print 1' }, [`ROLE_DISCOVERY ${ROLE}32`]],
  ['waves of its own', site(undefined, 'roles: { burn-in: {} }\nrollout: { burn-in: { batches: [1] } }'), ['ROLE_DISCOVERY d.yaml:4:12']],
  ['an operation', { ...site(), 'o.yaml': 'kind: operation\nname: o\ndo: [run]\nrole: burn-in\n' }, ['OPERATION_ROLE o.yaml:3:6']],
  ['what comes after the install of its own node', site('jig: script, run: run.sh, requires: [web], flags: [discovery]', 'roles: { burn-in: { nodes: [a] }, web: { nodes: [a] } }'), [`CYCLE ${ROLE}51`]],
])('refused: %s', (_, files, expected) => {
  const result = compileTexts(files)
  expect(codes(result)).toEqual(expected)
  expect(result.diagnostics.every(({ fix }) => fix !== undefined)).toBe(true)
})

const SECRETS = secretFiles({ 'bmc/a': '1-00000000cc' })
test.each<[string, Texts, string]>([
  ['a want', site('jig: script, run: run.sh, flags: [discovery], wants: { p: { secret: bmc/a, generate: {} } }'), `ROLE_DISCOVERY ${ROLE}72`],
  ['an attribute', site(undefined, 'roles: { burn-in: {} }\nattributes: { hw: { key: { secret: bmc/a } } }'), 'ROLE_DISCOVERY d.yaml:4:26'],
  ['what is computed from one', site('jig: script, run: run.sh, flags: [discovery], wants: { t: { from: web, provide: token, deployment: e } }', 'roles: { burn-in: { nodes: [a] } }\n---\nkind: deployment\nname: e\nroles: { web: { nodes: [j] } }', ', provides: { token: { type: string, sensitive: true } }'), `ROLE_DISCOVERY ${ROLE}72`],
])('no secret is ever for the discovery image: %s', (_, files, expected) => {
  expect(codes(compileTexts({ ...SECRETS, ...files }))).toEqual([expected])
})

// What the ledger makes of it.
const SEEN = machine('m1', { serial: 'A' })
const sure = (texts: Texts) => compiled({ ...SEEN, ...texts })
const planOf = (texts: Texts): Plan => sure(texts).plan
const of = (changes: Changes) => Object.fromEntries(changes.changes.filter(({ step }) => step.node === 'a').map(({ step, consequence }) => [step.id, consequence]))
const EDITED = site(undefined, 'roles: { burn-in: {} }\nattributes: { hw: { hours: 48 } }')

test('it runs once an installation: before the next one again, and not because it was edited', () => {
  const { plan, lock } = sure(site())
  expect(of(change(EMPTY_LEDGER, plan))).toEqual({ 'discover@a': 'none', 'd/burn-in@a': 'run', 'install@a': 'wipe' })
  const done = applied(plan)
  expect(Object.keys(done.nodes['a']?.steps ?? {}).toSorted()).toEqual(['d/burn-in@a', 'discover@a', 'install@a'])
  expect(of(change(done, plan))).toEqual({})
  expect(of(change(done, planOf(EDITED)))).toEqual({})
  const again = planOf({ ...EDITED, ...lockFile({ ...lock, nodes: { ...lock.nodes, a: { ...lock.nodes['a'], index: 0, generation: 1 } } }) })
  expect(of(change(done, again))).toEqual({ 'd/burn-in@a': 'run', 'install@a': 'wipe' })
  const between = applied(again, { onto: done, only: ({ id }) => id === 'd/burn-in@a' })
  // The install that it was for is still to come, and it need not run twice for it.
  expect(of(change(between, again))).toEqual({ 'install@a': 'wipe' })
  expect(of(change(applied(again, { onto: between, only: ({ id }) => id === 'install@a' }), again))).toEqual({})
})

test('edited before its installation has begun it runs as it is now, and after an attempt that did not end well again', () => {
  const plan = planOf(site())
  const ran = applied(plan, { only: ({ id }) => id === 'discover@a' || id === 'd/burn-in@a' })
  expect(of(change(ran, plan))).toEqual({ 'install@a': 'wipe' })
  expect(of(change(ran, planOf(EDITED)))).toEqual({ 'd/burn-in@a': 'run', 'install@a': 'wipe' })
  const begun = folded(ran, [wasSent(stepOf(plan, 'd/burn-in@a'), plan)])
  expect(of(change(begun, plan))).toEqual({ 'd/burn-in@a': 'run', 'install@a': 'wipe' })
})

test('on a node that is installed already it waits for the next installation, and diff says so; taken off it leaves nothing behind', () => {
  const before = planOf({ ...site(undefined, 'roles: { web: { nodes: [a] } }') })
  const plan = planOf(site(undefined, 'roles: { burn-in: {}, web: { nodes: [a] } }'))
  const late = change(applied(before), plan)
  expect(of(late)).toEqual({})
  expect(late.missing).toContainEqual({ what: 'a run in the discovery image', for: 'd/burn-in on a', because: 'installed already: it runs before the next installation there' })
  const off = change(applied(plan), before)
  expect(off.changes.filter(({ step }) => step.node === 'a').map(({ step, consequence }) => [step.id, step.runsOn, step.jig, consequence])).toEqual([['d/burn-in@a#remove', 'node', 'noop', 'none']])
})

test('one that destroys is a wipe of whatever disks the machine shows, and approved for exactly those', () => {
  const plan = planOf(site('jig: script, run: run.sh, flags: [discovery, destructive]'))
  const disk = { id: 'serial:S1', serial: 'S1', model: 'x', bytes: 1000, blank: true, signature: '', summary: 'blank', stamp: null }
  const seen = applied(plan, { only: ({ id }) => id === 'discover@a', machines: [{ id: 'm1', seen: '', disks: [disk] }] })
  expect(change(seen, plan).changes.find(({ step }) => step.id === 'd/burn-in@a')).toMatchObject({ consequence: 'wipe', needsApproval: true, disks: [{ id: 'serial:S1', fate: 'wiped', serial: 'S1' }] })
})

test('it goes out with the waves of installations, and after what drains the node', () => {
  const texts: Texts = { ...site(), 'site.yaml': SITE.replace('barclamps:', 'rollout: { install: { batches: [1] } }\nbarclamps:'), 'nodes.yaml': NODES.replace('name: j\nos: own', 'name: b\nos: debian-12'), ...SEEN, ...machine('m2', { serial: 'J' }) }
  const { plan } = compiled(texts)
  const [rollout] = change(EMPTY_LEDGER, plan).rollouts
  expect(rollout).toMatchObject({ id: 'rollout/install', steps: ['d/burn-in@a', 'd/burn-in@b', 'install@a', 'install@b'], batches: [['a'], ['b']] })
  const { lock } = compiled(texts)
  const drained = compiled({ ...texts, 'barclamps/hw/barclamp.yaml': texts['barclamps/hw/barclamp.yaml']?.replace('web: { jig: script, run: run.sh', 'web: { jig: script, run: run.sh, drain: run.sh') ?? '', 'd.yaml': 'kind: deployment\nname: d\nroles: { burn-in: {}, web: { nodes: [a, b] } }\n', 'o.yaml': 'kind: operation\nname: o\ndo: [drain, reinstall]\nnodes: [a]\n', ...lockFile({ ...lock, nodes: { ...lock.nodes, a: { ...lock.nodes['a'], index: 0, generation: 1 } } }) }).plan
  const changed = change(applied(compiled({ ...texts, 'd.yaml': 'kind: deployment\nname: d\nroles: { burn-in: {}, web: { nodes: [a, b] } }\n' }).plan), drained)
  expect(changed.changes.find(({ step }) => step.id === 'd/burn-in@a')?.step.needs).toContainEqual(expect.objectContaining({ step: 'operation/o/drain@a' }))
  expect(changed.rollouts.find(({ id }) => id === 'operation/o')?.steps).toContain('d/burn-in@a')
})

test('barclamp lint says the same', () => {
  const problems = discoveryProblems('burn-in', { jig: 'puppet', run: 'x.pp', packages: { debian: ['x'] }, flags: ['discovery', 'service'] }, { files: new Map() } as never)
  expect(problems.map(({ pointer }) => pointer)).toEqual([['jig'], ['packages'], ['flags', 1]])
})
