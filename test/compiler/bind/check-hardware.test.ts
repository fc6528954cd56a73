import { describe, expect, test } from 'vitest'
import { codes, compiled, compileTexts, machine } from '../compiling.ts'
import type { Texts } from '../compiling.ts'

const NODE: Texts = { 'n.yaml': 'kind: node\nname: a\nos: debian-12\nmachine: { serial: serial-m1 }\n' }
const ARM = 'kind: os\nname: arm\nfamily: debian\nversion: "12"\narchitecture: arm64\ninstall: image\n'

describe('an operating system for another architecture', () => {
  test('is an error where the node says so', () => {
    const files = { 'n.yaml': 'kind: node\nname: a\nos: arm\nmachine: { serial: serial-m1 }\n', 'os.yaml': ARM }
    expect(codes(compileTexts(files))).toEqual([])
    expect(codes(compileTexts({ ...files, ...machine('m1') }))).toEqual(['OS_ARCHITECTURE n.yaml:3:5'])
  })

  test('is an error where a rule says so, once for all its machines', () => {
    const files = { 'n.yaml': 'kind: nodes\nname: "n[1-2]"\nmachine: { where: "true" }\n', 'os.yaml': ARM, 'r.yaml': 'kind: rule\nname: r\nwhen: "true"\nset: { os: arm }\n' }
    expect(codes(compileTexts({ ...files, ...machine('m1'), ...machine('m2') }))).toEqual(['OS_ARCHITECTURE r.yaml:4:12'])
  })
})

describe('a layout', () => {
  test.each<[string, string, readonly string[]]>([
    ['without /', '[{ on: system, mount: /srv, size: rest }]', ['VALUE_INVALID h.yaml:4:1']],
    ['of nothing', '[]', ['VALUE_INVALID h.yaml:4:1']],
    ['with two rests on one disk', '[{ on: system, mount: /, size: rest }, { on: system, mount: /srv, size: rest }]', ['VALUE_INVALID h.yaml:4:81']],
    ['with a rest on each disk', '[{ on: system, mount: /, size: rest }, { on: data, mount: /srv, size: rest }]', []],
    ['of more than all', '[{ on: system, mount: /, size: 60% }, { on: system, mount: /srv, size: 41% }]', ['VALUE_INVALID h.yaml:4:80']],
    ['of all of two disks', '[{ on: system, mount: /, size: 60% }, { on: data, mount: /srv, size: 100% }]', []],
    ['with one place twice', '[{ on: system, mount: /, size: 1GiB }, { on: data, mount: /, size: rest }]', ['VALUE_INVALID h.yaml:4:67']],
    ['with two swaps', '[{ on: system, mount: /, size: rest }, { on: system, mount: swap, size: 1GiB }, { on: data, mount: swap, size: rest }]', []],
    ['with a filesystem for swap', '[{ on: system, mount: /, size: rest }, { on: system, mount: swap, fs: ext4, size: 1GiB }]', ['VALUE_INVALID h.yaml:4:79']],
    ['with its own boot partition', '[{ on: system, mount: /, size: rest }, { on: system, mount: /boot/efi, size: 1GiB }]', ['VALUE_INVALID h.yaml:4:69']],
  ])('%s', (_, layout, expected) => {
    const hardware = `kind: hardware\nname: h\ndisks: { system: { choose: {}, onInstall: wipe }, data: { choose: {}, onInstall: wipe } }\nlayout: ${layout}\n`
    expect(codes(compileTexts({ ...NODE, 'h.yaml': hardware }))).toEqual(expected)
  })
})

const MACHINE = machine('m1', { macs: ['52:54:00:00:00:01', '52:54:00:00:00:02'] })
const WITH_TWO = { 'n.yaml': 'kind: node\nname: a\nos: debian-12\nmachine: { serial: serial-m1 }\nnetworks: { one: {}, two: {} }\n' }
const network = (name: string, conduit: string, more = ''): string => `kind: network\nname: ${name}\nconduit: ${conduit}\n${more}---\n`
const conduit = (name: string, ports: string): string => `kind: conduit\nname: ${name}\nports: [${ports}]\n---\n`
const BOND = '{ use: [{ index: 0 }, { index: 1 }], bond: { mode: active-backup } }'

describe('ports', () => {
  test('several need a bond', () => {
    expect(codes(compileTexts({ ...NODE, 'c.yaml': conduit('c', '{ use: [{ index: 0 }, { index: 1 }] }') }))).toEqual(['VALUE_INVALID c.yaml:3:31'])
    expect(codes(compileTexts({ ...NODE, 'c.yaml': conduit('c', BOND) }))).toEqual([])
  })

  test('are not used by themselves and in a bond', () => {
    const files = { ...WITH_TWO, ...MACHINE, 'c.yaml': `${network('one', 'bond')}${network('two', 'plain')}${conduit('bond', BOND)}${conduit('plain', '{ use: [{ index: 1 }] }')}` }
    // The admin network has no conduit, so it is on the port that the machine boots from, which is in the bond.
    const result = compileTexts(files)
    expect(codes(result)).toEqual(['PORT_CONFLICT c.yaml:3:10', 'PORT_CONFLICT c.yaml:7:10'])
    expect(result.diagnostics[0]?.summary).toContain('52:54:00:00:00:01')
  })

  test('carry several networks, as long as each VLAN is one', () => {
    const files = (vlan: string): Texts => ({ ...WITH_TWO, ...MACHINE, 'c.yaml': `${network('one', 'c', 'vlan: 5\n')}${network('two', 'c', vlan)}${conduit('c', '{ use: [{ index: 1 }] }')}` })
    compiled(files('vlan: 6\n'))
    compiled(files(''))
    expect(codes(compileTexts(files('vlan: 5\n')))).toEqual(['VLAN_CONFLICT c.yaml:9:7'])
  })
})
