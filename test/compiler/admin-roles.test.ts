import { expect, test } from 'vitest'
import { change } from '../../compiler/change/change.ts'
import { adminMachine } from '../../schemas/incarnation.ts'
import type { Ledger } from '../../schemas/ledger.ts'
import { applied } from '../builders/ledger.ts'
import { compiled, SITE } from './compiling.ts'
import type { Texts } from './compiling.ts'

const site = (roles = '{ dns: {} }'): Texts => ({
  'barclamps/b/barclamp.yaml': 'kind: barclamp\nname: b\nversion: 1.0.0\nroles:\n  dns: { jig: script, run: run.sh, remove: { run: run.sh, deletesData: false }, flags: [bootstrap] }\n',
  'barclamps/b/run.sh': '#!/bin/sh\n',
  'd.yaml': `kind: deployment\nname: d\nroles: ${roles}\n`,
})
/** As the agent leaves it: an admin node's own node agent is no machine of the inventory. */
const onAdmin = (ledger: Ledger): Ledger => ({ ...ledger, nodes: { ...ledger.nodes, adm: { ...(ledger.nodes['adm'] as NonNullable<Ledger['nodes'][string]>), machine: adminMachine('adm') } } })
const before = compiled(site()).plan
const ledger = onAdmin(applied(before))
const of = (texts: Texts) => change(ledger, compiled(texts).plan).changes.map(({ step, consequence }) => [step.id, step.runsOn, step.entry, consequence])

test('what ran on an admin node stands, and is undone there when it is taken off', () => {
  expect(of(site())).toEqual([])
  expect(of(site('{}'))).toEqual([['d/dns@adm#remove', 'node', 'run.sh', 'remove']])
})

test('an admin node that leaves the site is forgotten, and nothing is released or undone', () => {
  expect(of({ ...site('{}'), 'site.yaml': SITE.replace('name: adm\n', 'name: adm2\n') })).toEqual([['release@adm', 'admin', null, 'none']])
})
