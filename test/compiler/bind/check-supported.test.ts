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
  ['an admin node', site('jig: noop', 'adm'), []],
  ['packages for an admin node of no known os', site('jig: noop, packages: { debian: [x] }', 'adm'), ['UNSUPPORTED d.yaml:3:23']],
  ['a tool for one', site('jig: ansible, run: run.sh', 'adm'), ['UNSUPPORTED d.yaml:3:23']],
  ['an admin node by a flag', { ...site('jig: noop, flags: [bootstrap]'), 'd.yaml': 'kind: deployment\nname: d\nroles: { r: {} }\n' }, []],
  ['retries of what destroys', site('flags: [destructive], retries: { max: 1 }'), ['UNSUPPORTED barclamps/b/barclamp.yaml:5:39']],
  ['retries of what does not', site('retries: { max: 1 }'), []],
])('of roles: %s', (_, files, expected) => {
  expect(codes(compileTexts(files))).toEqual(expected)
})

test('every mode of the agent and every kind of automation is carried out', () => {
  const files = { 'site.yaml': SITE.replace('barclamps:', 'automation: { apply: safe }\nbarclamps:'), 'agent.yaml': 'kind: agent\nnode: adm\nmode: offline\ninterfaces: { eth0: { network: admin, dhcp: off } }\n' }
  const result = compileTexts(files)
  expect(codes(result)).toEqual([])
  expect(result.plan).not.toBeNull()
  expect(codes(compileTexts({ ...files, 'agent.yaml': `${files['agent.yaml']}limits: { install: 2, bmc: 4 }\n` }))).toEqual(['UNSUPPORTED agent.yaml:5:23'])
})

test('roles on admin nodes need nothing of an installation, and bring packages where their os is known', () => {
  const adm = SITE.replace('admin: true\n', 'admin: true\nos: debian-12\n')
  const result = compileTexts({ ...site('jig: noop, flags: [bootstrap], packages: { debian: [x] }'), 'site.yaml': adm, 'd.yaml': 'kind: deployment\nname: d\nroles: { r: {} }\n' })
  expect(codes(result)).toEqual([])
  expect(result.plan?.steps.find(({ id }) => id === 'd/r@adm')).toMatchObject({ node: 'adm', runsOn: 'node', packages: ['x'], needs: [{ step: 'stage/packages-debian-12' }] })
  expect(result.plan?.steps.map(({ id }) => id).filter((id) => id.endsWith('@adm'))).toEqual(['d/r@adm'])
})

test('what of a machine nobody sets is said once, by name, with who has to', () => {
  const files: Texts = {
    'n.yaml': 'kind: nodes\nname: "n[1-3]"\nos: debian-12\nhardware: box\nmachine: { where: "true" }\nbmc: { type: redfish }\n',
    'h.yaml': 'kind: hardware\nname: box\nfirmware: { boot-mode: uefi, hyper-threading: "off" }\n',
  }
  const { diagnostics } = compileTexts(files)
  expect(diagnostics.filter(({ code }) => code === 'UNSUPPORTED').map(({ range, summary }) => [range?.path, range?.start.line, summary])).toEqual([
    ['h.yaml', 3, 'No agent of this version changes firmware settings: boot-mode, hyper-threading stay as each machine has them.'],
    ['n.yaml', 6, 'No agent of this version talks to a BMC: this one (redfish) is in no plan, and its machine is switched on and off by hand.'],
  ])
})
