import { expect, test } from 'vitest'
import { installOf } from '../../../compiler/plan/install.ts'
import type { BoundNode } from '../../../compiler/bind/bound-site.ts'
import { codes, compiled, compileTexts, documentOf, machine, stepOf } from '../compiling.ts'
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

test('an array is warned of, at its level and nowhere else, as long as no node can make one', () => {
  expect(codes(compileTexts(site('  system: { choose: { rotational: false, count: 2 }, raid: 1, onInstall: wipe }\n')))).toEqual(['UNSUPPORTED h.yaml:4:60'])
})

test('several disks of one entry cannot hold a filesystem without being joined', () => {
  expect(codes(compileTexts(site('  system: { choose: { rotational: false, count: 2 }, onInstall: wipe }\n')))).toEqual(['VALUE_INVALID h.yaml:4:49'])
  expect(codes(compileTexts(site(`${SYSTEM}  data: { choose: { rotational: true, count: 2 }, onInstall: wipe }\n`, 'layout: [{ on: system, mount: /, size: rest }, { on: data, mount: /srv, size: rest }]\n')))).toEqual(['VALUE_INVALID h.yaml:5:46'])
})

test('too few disks that match are an error, one array or not', () => {
  expect(codes(compileTexts(site(`${SYSTEM}  data: { choose: { rotational: true, count: 4 }, onInstall: wipe }\n`)))).toEqual(['DISKS_TOO_FEW h.yaml:5:19'])
})
