import { expect, test } from 'vitest'
import { codes, compileTexts, SITE } from '../compiling.ts'

test('what this version does not act on is said, and not passed over', () => {
  expect(codes(compileTexts({ 'o.yaml': 'kind: operation\nname: o\ndo: [reboot]\n' }))).toEqual(['UNSUPPORTED o.yaml:1:7'])
  expect(codes(compileTexts({ 'site.yaml': SITE.replace('---', 'rollout: { install: { batches: [1] } }\n---') }))).toEqual(['UNSUPPORTED site.yaml:6:1'])
  expect(codes(compileTexts({ 'h.yaml': 'kind: hardware\nname: h\ndisks:\n  a: { choose: {}, raid: 1, onInstall: wipe }\n  b: { choose: { count: 2 }, onInstall: wipe }\n' }))).toEqual(['UNSUPPORTED h.yaml:4:26', 'UNSUPPORTED h.yaml:5:25'])
  expect(codes(compileTexts({ 'a.yaml': 'kind: node\nname: a\nos: o\nmachine: { serial: S }\n---\nkind: os\nname: o\nfamily: debian\nversion: "1"\narchitecture: amd64\ninstall: preseed\n' }))).toEqual(['UNSUPPORTED a.yaml:11:10'])
})

test('a filesystem on a disk that is kept is an error', () => {
  expect(codes(compileTexts({ 'h.yaml': 'kind: hardware\nname: h\ndisks:\n  system: { choose: {}, onInstall: wipe }\n  data: { choose: {}, onInstall: keep }\nlayout:\n  - { on: data, mount: /data, size: rest }\n' }))).toEqual(['VALUE_INVALID h.yaml:7:11'])
})
