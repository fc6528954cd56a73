import { expect, test } from 'vitest'
import type { InventoryDocument } from '../../../schemas/inventory.ts'
import { compileTexts } from '../compiling.ts'
import { coverage } from './coverage.ts'
import { HOSTILE } from './hostile.ts'
import { facter, flatFacter, MACHINES, macOf, ohai } from './machines.ts'
import type { Machine } from './machines.ts'
import { expectWhole, imported, leavesOf, nodesOf, refusals, textsOf } from './read-back.ts'
import fc from '../../property.ts'

type Texts = Readonly<Record<string, string>>
const json = (value: unknown): string => JSON.stringify(value, null, 1)
const FORMS = {
  facter: Object.fromEntries(MACHINES.flatMap((machine): [string, Texts][] => [[`${machine.index} v4`, { [`${machine.name}.json`]: json(facter(machine, 4)) }], [`${machine.index} v3`, { 'x.json': json(facter(machine, 3)) }], [`${machine.index} v2`, { 'x.json': json(flatFacter(machine)) }]])),
  ohai: Object.fromEntries(MACHINES.flatMap((machine): [string, Texts][] => [[`${machine.index}`, { [`${machine.name}.json`]: json(ohai(machine)) }], [`${machine.index} and the next`, { 'a.json': json(ohai(machine)), 'b.json': json(ohai(MACHINES[(machine.index + 1) % 20] as Machine)) }]])),
  puppetdb: Object.fromEntries(MACHINES.flatMap((machine): [string, Texts][] => {
    const facts = facter(machine, 4)
    return [
      [`${machine.index} facts`, { 'facts.json': json(Object.entries(facts).map(([name, value]) => ({ certname: machine.name, environment: 'production', name, value: value as unknown }))) }],
      [`${machine.index} inventory`, { 'inventory.json': json([{ certname: machine.name, timestamp: '2026-01-01T00:00:00Z', environment: 'production', facts, trusted: { certname: machine.name, extensions: {} } }]) }],
      [`${machine.index} factset`, { 'factsets.json': json([{ certname: machine.name, hash: 'x', facts: { href: '/x', data: Object.entries(facts).map(([name, value]) => ({ name, value: value as unknown })) } }]) }],
    ]
  })),
} as const
const HOSTS = { facter: (machine: Machine) => facter(machine, 4), ohai, puppetdb: undefined } as const

test.each(['facter', 'ohai', 'puppetdb'] as const)('%s: every fact is in the report once, on forty machines and on hostile input', (format) => {
  const cases = { ...FORMS[format], ...HOSTILE.json('facts') }
  expect(Object.keys(FORMS[format]).length).toBeGreaterThanOrEqual(40)
  coverage(format, cases)
  for (const texts of Object.values(FORMS[format])) expectWhole(imported(format, texts), Object.entries(texts).flatMap(([path, text]) => leavesOf(path, JSON.parse(text) as never)))
})

function inventoryOf(format: string, texts: Texts): readonly InventoryDocument[] {
  return imported(format, texts).files.filter(({ path }) => path.startsWith('inventory/')).map(({ text }) => JSON.parse(text) as InventoryDocument)
}

test('one machine is the same machine, whichever tool tells of it', () => {
  for (const machine of MACHINES) {
    const said = [inventoryOf('facter', { x: json(facter(machine, 4)) }), inventoryOf('facter', { x: json(flatFacter(machine)) }), inventoryOf('ohai', { x: json(ohai(machine)) })].map(([one]) => one)
    const [first] = said
    const virtual = machine.box.disks.filter((disk) => disk.startsWith('sr')).length
    for (const one of said) {
      expect([one?.id, one?.facts.dmi.product, one?.facts.memory.bytes, one?.facts.architecture]).toEqual([first?.id, machine.box.product, machine.box.gib * 2 ** 30, 'arm' in machine.box ? 'arm64' : 'amd64'])
      expect(one?.facts.nics.map(({ mac }) => mac)).toEqual(machine.box.nics.map((_, i) => macOf(machine, i)))
      expect(one?.facts.disks.map(({ bytes }) => bytes).toSorted((a, b) => a - b)).toEqual(machine.box.disks.slice(0, machine.box.disks.length - virtual).map((disk) => Number(disk.split(':')[2]) * 2 ** 40).toSorted((a, b) => a - b))
    }
    expect(said[0]?.facts.firmware.kind).toBe(machine.index % 2 === 0 ? 'uefi' : 'bios')
    expect(said[0]?.facts.cpu).toEqual({ model: machine.box.cpu, cores: machine.box.sockets * machine.box.cores, threads: machine.box.sockets * machine.box.cores * 2 })
  }
})

test('the inventory is one that the compiler reads, and each machine has a node that is pinned to it', () => {
  const texts = Object.fromEntries(MACHINES.map((machine) => [`${machine.name}.json`, json(facter(machine, 4))]))
  const result = imported('facter', texts, 'admin')
  const found = compileTexts({ ...textsOf(result), 'rule.yaml': 'kind: rule\nname: any\nwhen: "true"\nset: { os: debian-12 }\n' })
  expect(found.diagnostics.filter(({ severity, code }) => severity === 'error' && !['HARDWARE_UNDECLARED', 'OS_ARCHITECTURE'].includes(code))).toEqual([])
  const nodes = nodesOf(result, 'facts')
  expect(nodes['node0']?.fields).toMatchObject({ 'machine.uuid': MACHINES[0]?.uuid, 'networks.admin.address': '10.0.0.60' })
  expect(nodes['node3']?.fields).toMatchObject({ 'machine.serial': 'SN1003' })
})

test('a machine is known by no number that others have too', () => {
  const pins = (dmi: object, mac: string): unknown => Object.entries(nodesOf(imported('facter', { 'm.json': json({ dmi: { product: dmi }, networking: { interfaces: { eth0: { mac } } } }) }), 'facts')['m']?.fields ?? {}).filter(([key]) => key.startsWith('machine.'))
  expect(pins({ uuid: '03000200-0400-0500-0006-000700080009', serial_number: 'Chassis Serial Number' }, '52:54:00:00:00:01')).toEqual([['machine.mac', '52:54:00:00:00:01']])
  expect(pins({ uuid: '03000200-0400-0500-0006-000700080009', serial_number: '0123456789' }, 'ff:ff:ff:ff:ff:ff')).toEqual([])
  expect(pins({ uuid: '00020003-0004-0005-0006-000700080009', serial_number: 'CZ1234' }, '52:54:00:00:00:01')).toEqual([['machine.serial', 'CZ1234']])
})

test('the report says which disk and which port each value went to', () => {
  const disk = (bytes: number, model: string, serial: string): object => ({ size_bytes: bytes, model, serial, wwn: '' })
  const texts = {
    facter: json({ dmi: { product: { serial_number: 'AB12' } }, disks: { sda: disk(30, 'C', 'c'), sdb: disk(20, 'B', 'b'), sdc: disk(10, 'A', 'a') }, networking: { interfaces: { eth0: { mac: '52:54:00:00:00:03', speed: 10 }, eth1: { mac: '52:54:00:00:00:02', speed: 25 }, eth2: { mac: '52:54:00:00:00:01', speed: 100 } } } }),
    ohai: json({ dmi: { system: { serial_number: 'AB12' } }, block_device: { sda: { size: '30', model: 'C' }, sdb: { size: '20', model: 'B' } }, network: { interfaces: { eth0: { driver: 'e1000', driver_info: { driver: 'e1000', bus_info: '0000:02:00.0' }, addresses: { '52:54:00:00:00:01': { family: 'lladdr' } } }, eth1: { driver_info: { driver: 'ixgbe', bus_info: '0000:01:00.0' }, addresses: { '52:54:00:00:00:02': { family: 'lladdr' } } } } } }),
  }
  for (const [format, text] of Object.entries(texts)) {
    const { report } = imported(format, { 'x.json': text })
    const [inventory] = inventoryOf(format, { 'x.json': text })
    const at = (value: unknown, way: readonly (string | number)[]): unknown => way.reduce<unknown>((found, key) => (found as Record<string | number, unknown>)[key], value)
    const said = report.flatMap(({ pointer, to }) => to.flatMap((one) => {
      const path = /: facts\.((?:disks|nics)\..*)$/.exec(one)?.[1]
      return path === undefined || pointer.at(-1) === 'family' ? [] : [[String(at(inventory?.facts, path.split('.'))), pointer.at(-1) === 'size' ? String(512 * Number(at(JSON.parse(text), pointer))) : String(at(JSON.parse(text), pointer))] as const]
    }))
    expect(said.length).toBeGreaterThanOrEqual(8)
    expect(said.map(([ours]) => ours)).toEqual(said.map(([, theirs]) => theirs))
  }
})

test('what nothing says is assumed aloud, and what makes no sense is refused at its place', () => {
  const result = imported('facter', { 'a.json': '{"networking": {"hostname": "a", "interfaces": {"eth0": {"mac": "nonsense"}, "eth1": {"mac": "52:54:00:00:00:01"}}},\n "disks": {"sda": {"size_bytes": -1}}, "processors": {"cores": "many"}}' })
  expect(refusals(result)).toEqual(['a.json:1:65 this is no MAC address', 'a.json:2:34 a disk has a size in bytes'])
  expect(result.remarks).toEqual([expect.stringMatching(/^inventory\/m-[0-9a-f]{10}\.json: not said of a, and taken as it most often is: architecture, firmware\.kind, cpu\.cores, cpu\.threads, memory\.bytes\. Discovery finds out\.$/)])
  expect(refusals(imported('ohai', { 'a.json': '{"fqdn": "a"}' }))).toEqual(['a.json:1:10 nothing says which machine this is: no UUID, serial number or MAC address'])
  expect(refusals(imported('facter', { 'a.json': json({ os: { architecture: 's390x' }, dmi: { product: { serial_number: 'AB1' } } }) }))).toEqual(['a.json:3:19 machines are amd64 or arm64'])
  const twice = json(facter(MACHINES[0] as Machine, 4))
  expect(imported('facter', { 'a.json': twice, 'b.json': twice }).report.filter(({ fate }) => fate === 'refused').length).toBeGreaterThan(0)
})

test('facts as Ruby writes them, ports on ports, drives without a medium, and parts of facts', () => {
  const ruby = imported('facter', { 'n.yaml': `--- !ruby/object:Puppet::Node::Facts
name: n.example.com
values:
  dmi: !ruby/hash:ActiveSupport::HashWithIndifferentAccess {product: {serial_number: AB12}}
  disks: {sda: {size_bytes: 10}, sdb: {size_bytes: 0}, mmcblk0boot0: {size_bytes: 4}}
  networking: {interfaces: {eno1: {mac: "52:54:00:00:00:01"}, eno2: {mac: "52:54:00:00:00:01"}, vmbr0: {mac: "52:54:00:00:00:02"}, lxdbr0: {mac: "52:54:00:00:00:03"}}}
  state: !ruby/sym good
` })
  expect(refusals(ruby)).toEqual([])
  const [inventory] = ruby.files.filter(({ path }) => path.startsWith('inventory/')).map(({ text }) => JSON.parse(text) as InventoryDocument)
  expect([inventory?.facts.disks.map(({ bytes }) => bytes), inventory?.facts.nics.map(({ mac }) => mac)]).toEqual([[10], ['52:54:00:00:00:01']])
  expect(ruby.report.find(({ pointer }) => pointer.includes('eno2'))?.note).toContain('another port has this MAC address')
  const [own] = inventoryOf('puppetdb', { 'c.json': json([{ certname: 'a', name: 'macaddress', value: '52:54:00:00:00:05' }, { certname: 'a', name: 'processorcount', value: 8 }]) })
  expect([own?.facts.nics.map(({ mac }) => mac), own?.facts.cpu]).toEqual([['52:54:00:00:00:05'], { model: '', cores: 8, threads: 8 }])
  expect(imported('puppetdb', { 'c.json': json([{ certname: 'a', name: 'macaddress', value: '52:54:00:00:00:05' }, { certname: 'a', name: 'processorcount', value: 8 }]) }).remarks).toEqual([expect.stringContaining('cpu.cores, memory.bytes')])
  expect(refusals(imported('puppetdb', { 'c.json': '[{"certname": "a", "path": ["os", "name"], "name": "name", "value": "Debian"}]' }))).toContain('c.json:1:15 it is a part of a fact: ask PuppetDB for `facts`, `factsets` or `inventory`')
})

test('what is kept beside is JSON that a site with it reads', () => {
  const files = textsOf(imported('facter', { 'a.json': '{"dmi": {"product": {"serial_number": "AB1"}}, "far": [1e19, 9007199254740992, 1e300, 18446744073709551615]}' }))
  expect(JSON.parse(files['imported/a.json.json'] ?? '')).toMatchObject({ values: { far: { 0: '10000000000000000000', 1: '9007199254740992', 2: '1e+300', 3: '18446744073709551615' } } })
  expect(compileTexts(files).diagnostics.filter(({ code }) => code === 'YAML_NUMBER')).toEqual([])
})

test('any JSON at all is imported without a throw, whole and the same twice', () => {
  const seed = HOSTS.facter(MACHINES[1] as Machine)
  const keys = fc.constantFrom('networking', 'interfaces', 'dmi', 'disks', 'certname', 'facts', 'network', 'eth0', 'mac', 'product', 'a')
  fc.assert(fc.property(fc.constantFrom('facter', 'ohai', 'puppetdb'), fc.oneof(fc.jsonValue({ maxDepth: 4 }), fc.dictionary(keys, fc.jsonValue({ maxDepth: 2 }), { noNullPrototype: true }).map((more) => ({ ...seed, ...more }))), (format, value) => {
    const text = JSON.stringify(value)
    if (text.includes('"__proto__"')) return
    const result = imported(format, { 'x.json': text })
    expect(imported(format, { 'x.json': text })).toEqual(result)
    expectWhole(result, leavesOf('x.json', JSON.parse(text) as never))
  }), { numRuns: 300 })
})
