import { expect, test } from 'vitest'
import { codes, compileTexts } from '../compiling.ts'

test('what this version does not act on is said, and not passed over', () => {
  expect(codes(compileTexts({ 'a.yaml': 'kind: node\nname: a\nos: o\nmachine: { serial: S }\n---\nkind: os\nname: o\nfamily: debian\nversion: "1"\narchitecture: amd64\ninstall: preseed\n' }))).toEqual(['UNSUPPORTED a.yaml:11:10'])
})

test('an installer that no agent has yet makes a plan and a warning, not one for each node', () => {
  const os = 'kind: os\nname: rocky-9\nfamily: rhel\nversion: "9"\narchitecture: amd64\ninstall: kickstart\n'
  const result = compileTexts({ 'a.yaml': `${os}---\nkind: nodes\nname: a[1-2]\nos: rocky-9\n---\nkind: node\nname: a1\nmachine: { serial: S }\n---\nkind: node\nname: a2\nmachine: { serial: T }\n` })
  expect(codes(result)).toEqual(['UNSUPPORTED a.yaml:6:10'])
  expect(result.diagnostics[0]).toMatchObject({ severity: 'warning' })
  expect(result.plan?.steps.map(({ id, destructive }) => [id, destructive])).toEqual([['discover@a1', false], ['discover@a2', false], ['install@a1', true], ['install@a2', true]])
})

test('a filesystem on a disk that is kept is an error', () => {
  expect(codes(compileTexts({ 'h.yaml': 'kind: hardware\nname: h\ndisks:\n  system: { choose: {}, onInstall: wipe }\n  data: { choose: {}, onInstall: keep }\nlayout:\n  - { on: data, mount: /data, size: rest }\n' }))).toEqual(['VALUE_INVALID h.yaml:7:11'])
})
