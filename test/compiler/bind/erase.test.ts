import { expect, test } from 'vitest'
import { codes, compileTexts, machine } from '../compiling.ts'
import type { Texts } from '../compiling.ts'

const OS = 'kind: os\nname: here\nfamily: debian\nversion: "12"\narchitecture: amd64\ninstall: joined\n'
const site = (actions: string, nodes = 'a'): Texts => ({
  'n.yaml': 'kind: node\nname: a\nos: debian-12\nmachine: { serial: A }\n---\nkind: node\nname: j\nos: here\nmachine: { serial: J }\n',
  'os.yaml': OS,
  'o.yaml': `kind: operation\nname: gone\ndo: [${actions}]\nnodes: [${nodes}]\n`,
  'site.lock.json': JSON.stringify({ kind: 'lock', version: 1, claims: {}, nodes: { a: { index: 1, generation: 1 } }, bindings: {}, addresses: {}, artifacts: {}, barclamps: {} }),
})

test.each<[string, string, readonly string[]]>([
  ['alone', 'erase', []],
  ['after what takes the node out of service', 'drain, reboot, erase', []],
  ['and then another installation', 'erase, reinstall', []],
  ['and then a restart', 'erase, reboot', ['OPERATION_ERASE o.yaml:3:13 `reboot` comes after `erase`, when nothing is installed on the node.']],
  ['and what belongs behind the installation', 'erase, reboot, reinstall', ['OPERATION_ERASE o.yaml:3:13 `reboot` comes after `erase`, when nothing is installed on the node.']],
  ['of what was just installed', 'reinstall, erase', ['OPERATION_ERASE o.yaml:3:6 What gone installs here it erases again.']],
  ['twice', 'erase, reinstall, erase', ['OPERATION_ERASE o.yaml:3:24 gone erases twice.']],
])('an operation that erases: %s', (_, actions, expected) => {
  const { diagnostics } = compileTexts(site(actions))
  expect(diagnostics.filter(({ code }) => code !== 'OPERATION_ROLE').map(({ code, range, summary }) => `${code} ${range?.path}:${range?.start.line}:${range?.start.column} ${summary}`)).toEqual(expected)
  for (const { fix } of diagnostics) expect(fix).toMatch(/./)
})

test('a machine that joined is not erased', () => {
  expect(codes(compileTexts(site('erase', 'a, j')))).toEqual(['OPERATION_ERASE o.yaml:3:6'])
})

test('it names the disks that an installation writes and no other, once the machine is known', () => {
  const hardware = 'kind: hardware\nname: two\ndisks:\n  system: { choose: { rotational: false }, onInstall: wipe }\n  data: { choose: { rotational: true }, onInstall: keep }\n'
  const files = { ...site('erase'), 'h.yaml': hardware, 'n.yaml': 'kind: node\nname: a\nos: debian-12\nhardware: two\nmachine: { serial: A }\n' }
  const of = (texts: Texts) => compileTexts(texts).plan?.operations[0]?.steps ?? []
  expect(of(files)).toEqual([])
  const seen = machine('ma', { serial: 'A', disks: [{ serial: 'fast', rotational: false }, { serial: 'slow', rotational: true }] })
  const [step] = of({ ...files, ...seen })
  const { plan } = compileTexts({ ...files, ...seen })
  expect(step).toMatchObject({ id: 'operation/gone/erase@a', runsOn: 'discovery', destructive: true, needs: [{ step: 'install@a' }] })
  const values = plan?.values as Record<string, { parts?: Record<string, string>; targets?: unknown }>
  expect(values[values[step?.attributes ?? '']?.parts?.['operation'] ?? '']).toMatchObject({ do: 'erase', targets: [{ entry: 'system', serial: 'fast' }], holds: 1 })
})
