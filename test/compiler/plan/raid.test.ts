import { expect, test } from 'vitest'
import { installOf } from '../../../compiler/plan/install.ts'
import type { BoundNode } from '../../../compiler/bind/bound-site.ts'
import { change } from '../../../compiler/change/change.ts'
import { applied } from '../../builders/ledger.ts'
import { codes, compiled, compileTexts, documentOf, machine, stepOf, success } from '../compiling.ts'
import type { Texts } from '../compiling.ts'

const DISKS = [{ serial: 's1' }, { serial: 's2' }, ...[1, 2, 3].map((n) => ({ serial: `d${n}`, rotational: true }))]
const site = (disks: string, layout = ''): Texts => ({
  'n.yaml': 'kind: node\nname: n\nos: debian-12\nhardware: h\nmachine: { where: "true" }\n',
  'h.yaml': `kind: hardware\nname: h\ndisks:\n${disks}${layout}`,
  ...machine('m1', { disks: DISKS }),
})
const SYSTEM = '  system: { choose: { rotational: false }, onInstall: wipe }\n'

test('an install has every disk of each entry that it writes, and the levels of arrays', () => {
  const { plan, ordered } = compiled(site(`${SYSTEM}  data: { choose: { rotational: true, count: 3 }, onInstall: wipe }\n  spare: { choose: { rotational: false }, onInstall: keep }\n`))
  const { install } = documentOf(plan, 'install@n') as { readonly install: { readonly targets: readonly { readonly entry: string; readonly serial: string }[] } }
  expect(install.targets.map(({ entry, serial }) => `${entry} ${serial}`)).toEqual(['system s1', 'data d1', 'data d2', 'data d3'])
  expect(install).not.toHaveProperty('raid')
  const { allocated } = ordered.injected
  const node = allocated.bound.nodes.get('n') as BoundNode
  const hardware = node.hardware as NonNullable<BoundNode['hardware']>
  const disks = hardware.value.disks ?? {}
  const joined = installOf(allocated, { ...node, hardware: { ...hardware, value: { ...hardware.value, disks: { ...disks, data: { ...disks['data'], choose: {}, onInstall: 'wipe', raid: 5 } } } } })
  expect(joined?.document.raid).toEqual({ data: 5 })
  expect(joined?.once).not.toBe(stepOf(plan, 'install@n').once)
})

test('a mirror is planned with all its disks by serial, and once for both', () => {
  const mirror = compileTexts(site('  system: { choose: { rotational: false, count: 2 }, raid: 1, onInstall: wipe }\n'))
  expect(codes(mirror)).toEqual([])
  const { install } = documentOf(success(mirror).plan, 'install@n') as { readonly install: { readonly raid: unknown; readonly targets: readonly { readonly serial: string }[] } }
  expect([install.raid, install.targets.map(({ serial }) => serial)]).toEqual([{ system: 1 }, ['s1', 's2']])
})

test('to make a mirror of a system is to wipe both its disks, by serial', () => {
  const base = applied(compiled(site(SYSTEM)).plan, { machines: [] })
  const mirror = success(compileTexts(site('  system: { choose: { rotational: false, count: 2 }, raid: 1, onInstall: wipe }\n'))).plan
  const install = change(base, mirror).changes.find(({ step }) => step.id === 'install@n')
  expect([install?.consequence, install?.needsApproval, install?.disks.flatMap(({ serial, fate }) => (fate === 'wiped' ? [serial] : []))]).toEqual(['wipe', true, ['s1', 's2']])
  expect(install?.causes.map(({ kind, path, before, after }) => [kind, path, before, after])).toEqual([
    ['disks', 'disks', ['system: s1'], ['system: s1', 'system: s2']],
    ['layout', 'raid', {}, { system: 1 }],
  ])
})

test('a machine starts from one disk or a mirror: other levels are for data', () => {
  const wide = '  system: { choose: { rotational: true, count: 3 }, raid: 5, onInstall: wipe }\n'
  expect(codes(compileTexts(site(wide)))).toEqual(['VALUE_INVALID h.yaml:4:59'])
  expect(codes(compileTexts(site(`${SYSTEM}  boot: { choose: { rotational: true, count: 2 }, raid: 0, onInstall: wipe }\n`, 'layout: [{ on: system, mount: /, size: rest }, { on: boot, mount: /boot, size: rest }]\n')))).toEqual(['VALUE_INVALID h.yaml:5:57'])
  expect(codes(compileTexts(site(`${SYSTEM}  data: { choose: { rotational: true, count: 3 }, raid: 5, onInstall: wipe }\n`, 'layout: [{ on: system, mount: /, size: rest }, { on: data, mount: /srv, size: 50% }, { on: data, mount: swap, size: 1GiB }]\n')))).toEqual([])
})

test('an entry whose name is too long for an array is an error at the name', () => {
  expect(codes(compileTexts(site(`${SYSTEM}  a-very-long-name-for-an-array: { choose: { rotational: true, count: 2 }, raid: 1, onInstall: wipe }\n`)))).toEqual(['VALUE_INVALID h.yaml:5:3'])
})

test('several disks of one entry cannot hold a filesystem without being joined', () => {
  expect(codes(compileTexts(site('  system: { choose: { rotational: false, count: 2 }, onInstall: wipe }\n')))).toEqual(['VALUE_INVALID h.yaml:4:49'])
  expect(codes(compileTexts(site(`${SYSTEM}  data: { choose: { rotational: true, count: 2 }, onInstall: wipe }\n`, 'layout: [{ on: system, mount: /, size: rest }, { on: data, mount: /srv, size: rest }]\n')))).toEqual(['VALUE_INVALID h.yaml:5:46'])
})

test('too few disks that match are an error, one array or not', () => {
  expect(codes(compileTexts(site(`${SYSTEM}  data: { choose: { rotational: true, count: 4 }, onInstall: wipe }\n`)))).toEqual(['DISKS_TOO_FEW h.yaml:5:19'])
})
