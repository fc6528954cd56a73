import { expect, test } from 'vitest'
import { codes, compileTexts, SITE } from '../compiling.ts'
import type { Texts } from '../compiling.ts'

const NODE = 'kind: node\nname: a\nos: debian-12\nmachine: { serial: s }\n'
const site = (role: string, on = 'a'): Texts => ({
  'n.yaml': NODE,
  'barclamps/b/barclamp.yaml': `kind: barclamp\nname: b\nversion: 1.0.0\nroles:\n  r: { ${role} }\n`,
  'barclamps/b/run.sh': '',
  'd.yaml': `kind: deployment\nname: d\nroles: { r: { nodes: [${on}] } }\n`,
})

test.each<[string, Texts, readonly string[]]>([
  ['an admin node', site('jig: noop', 'adm'), ['UNSUPPORTED d.yaml:3:23']],
  ['an admin node by a flag', { ...site('jig: noop, flags: [bootstrap]'), 'd.yaml': 'kind: deployment\nname: d\nroles: { r: {} }\n' }, ['UNSUPPORTED d.yaml:3:10']],
  ['retries of what destroys', site('flags: [destructive], retries: { max: 1 }'), ['UNSUPPORTED barclamps/b/barclamp.yaml:5:39']],
  ['retries of what does not', site('retries: { max: 1 }'), []],
])('of roles: %s', (_, files, expected) => {
  expect(codes(compileTexts(files))).toEqual(expected)
})

test('modes that are not carried out are warned of; every kind of automation is carried out', () => {
  const files = { 'site.yaml': SITE.replace('barclamps:', 'automation: { apply: safe }\nbarclamps:'), 'agent.yaml': 'kind: agent\nnode: adm\nmode: offline\ninterfaces: { eth0: { network: admin, dhcp: off } }\n' }
  const result = compileTexts(files)
  expect(codes(result)).toEqual(['UNSUPPORTED agent.yaml:3:7'])
  expect(result.plan).not.toBeNull()
})

test('roles on admin nodes are planned, with a warning', () => {
  const result = compileTexts({ ...site('jig: noop, flags: [bootstrap]'), 'd.yaml': 'kind: deployment\nname: d\nroles: { r: {} }\n' })
  expect(result.diagnostics).toMatchObject([{ severity: 'warning', code: 'UNSUPPORTED' }])
  expect(result.plan?.steps.find(({ id }) => id === 'd/r@adm')).toMatchObject({ node: 'adm', needs: [] })
})
