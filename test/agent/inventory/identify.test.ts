import { expect, test } from 'vitest'
import { identify } from '../../../agent/inventory/identify.ts'
import type { KnownMachine } from '../../../agent/inventory/identify.ts'
import { usefulMac, usefulSerial, usefulUuid } from '../../../schemas/machine-marks.ts'
import type { DiskFact, Facts } from '../../../schemas/inventory.ts'
import fc from '../../property.ts'

const UUID = '4c4c4544-0033-4310-8051-b7c04f4e3132'
const UUID2 = '4c4c4544-0044-4a10-8052-b2c04f4e3133'

interface Parts {
  readonly uuid?: string
  readonly serial?: string
  readonly macs?: readonly string[]
  readonly disks?: readonly string[]
}

function facts({ uuid = '', serial = '', macs = [], disks = [] }: Parts): Facts {
  const disk = (name: string): DiskFact => ({ bytes: 1e12, rotational: true, model: 'disk', serial: name, wwn: '', bus: 'sata', path: 'pci-0000:00:1f.2-ata-1' })
  return {
    architecture: 'amd64', firmware: { kind: 'uefi' }, dmi: { vendor: 'Dell Inc.', product: 'PowerEdge', serial, uuid, asset: '' }, cpu: { model: 'x', cores: 1, threads: 1 },
    memory: { bytes: 1 }, disks: disks.map(disk), nics: macs.map((mac) => ({ mac, driver: 'igb', bus: '', speed: null })),
  }
}

const A: Parts = { uuid: UUID, serial: '4XK2', macs: ['52:54:00:00:00:01', '52:54:00:00:00:02'], disks: ['D1', 'D2'] }
const B: Parts = { uuid: UUID2, serial: '5XK2', macs: ['52:54:00:00:00:11', '52:54:00:00:00:12'], disks: ['E1', 'E2'] }
const known: readonly KnownMachine[] = [{ id: 'm-a', facts: facts(A) }, { id: 'm-b', facts: facts(B) }]

test.each<[string, Parts]>([
  ['nothing changed', A],
  ['one port of two was swapped', { ...A, macs: ['52:54:00:00:00:01', '52:54:00:00:00:99'] }],
  ['all ports were swapped', { ...A, macs: ['52:54:00:00:00:98', '52:54:00:00:00:99'] }],
  ['the board was swapped and the serial number set again', { ...A, uuid: UUID2.replace('4c4c', '5d5d'), macs: ['52:54:00:00:00:98'] }],
  ['the board was swapped and has no serial number', { ...A, uuid: UUID2.replace('4c4c', '5d5d'), serial: 'To be filled by O.E.M.', macs: ['52:54:00:00:00:98'] }],
  ['the board was swapped, ports and disks stayed', { ...A, uuid: UUID2.replace('4c4c', '5d5d'), serial: 'NEW1' }],
  ['all disks were swapped', { ...A, disks: ['X1', 'X2'] }],
  ['it has the disks of another machine', { ...A, disks: ['E1', 'E2'] }],
  ['firmware gives the uuid in the other byte order', { uuid: '44454c4c-3300-1043-8051-b7c04f4e3132', macs: ['52:54:00:00:00:01'] }],
])('it is the same machine when %s', (_, parts) => {
  expect(identify(facts(parts), known)).toMatchObject({ kind: 'same', id: 'm-a' })
})

test.each<[string, Parts]>([
  ['shares nothing', { uuid: UUID2.replace('4c4c', '5d5d'), serial: '9XK2', macs: ['52:54:00:00:00:77'], disks: ['Z1'] }],
  ['has only the disks of a known one and a serial number of its own', { uuid: UUID2.replace('4c4c', '5d5d'), serial: '9XK2', macs: ['52:54:00:00:00:77'], disks: ['D1', 'D2'] }],
  ['has only fillers', { uuid: '03000200-0400-0500-0006-000700080009', serial: 'Default string', macs: ['52:54:00:00:00:77'] }],
])('a machine that %s is new', (_, parts) => {
  expect(identify(facts(parts), known)).toMatchObject({ kind: 'new', id: expect.stringMatching(/^m-[0-9a-f]{10}$/) as string })
})

test('what has as much of one machine as of another is a tie', () => {
  const half = { macs: ['52:54:00:00:00:01', '52:54:00:00:00:11'] }
  expect(identify(facts(half), known)).toMatchObject({ kind: 'tie', ids: ['m-a', 'm-b'] })
})

test('a second machine with the uuid of a known one and nothing else of it is not taken for it', () => {
  expect(identify(facts({ uuid: UUID, macs: ['52:54:00:00:00:77'], disks: ['Z1'] }), known)).toMatchObject({ kind: 'tie', ids: ['m-a'] })
})

test('a uuid that two known machines bear counts nothing', () => {
  const twins = [{ id: 'm-a', facts: facts({ uuid: UUID, macs: ['52:54:00:00:00:01'] }) }, { id: 'm-b', facts: facts({ uuid: UUID, macs: ['52:54:00:00:00:02'] }) }]
  expect(identify(facts({ uuid: UUID, macs: ['52:54:00:00:00:02'] }), twins)).toMatchObject({ kind: 'same', id: 'm-b' })
  expect(identify(facts({ uuid: UUID, macs: ['52:54:00:00:00:03'] }), twins)).toMatchObject({ kind: 'new' })
})

test('the id of a new machine hangs on its strongest mark alone, and never is one that is taken', () => {
  const first = identify(facts(A), [])
  expect(first).toEqual({ kind: 'new', id: 'm-a9db50d510', because: 'it shares too little with any known machine' })
  expect(identify(facts({ ...A, macs: [], disks: [] }), [])).toMatchObject({ id: first.kind === 'new' ? first.id : '' })
  const taken = [{ id: 'm-a9db50d510', facts: facts(B) }]
  expect(identify(facts(A), taken)).not.toMatchObject({ id: 'm-a9db50d510' })
})

test('the order in which machines are known makes no difference', () => {
  const part = fc.record({ uuid: fc.constantFrom('', UUID, UUID2), serial: fc.constantFrom('', '4XK2', 'None'), macs: fc.subarray(['52:54:00:00:00:01', '52:54:00:00:00:02', '52:54:00:00:00:11']), disks: fc.subarray(['D1', 'D2', 'E1']) })
  fc.assert(fc.property(part, fc.array(part, { maxLength: 5 }), (seen, others) => {
    const machines = others.map((one, index) => ({ id: `m-${index}`, facts: facts(one) }))
    expect(identify(facts(seen), machines.toReversed())).toEqual(identify(facts(seen), machines))
  }), { numRuns: 200 })
})

test.each(['', ' ', '0', 'To Be Filled By O.E.M.', 'Default string', 'System Serial Number', 'None', 'N/A', '00000000', 'xxxxxxxx', '0123456789', '123456789', 'Not Specified', '........'])('%j is not a serial number', (text) => {
  expect(usefulSerial(text)).toBeUndefined()
})

test('a real serial number is one, whatever space is around it', () => {
  expect(usefulSerial(' 4XK2 ')).toBe('4XK2')
  expect(usefulSerial('0123456')).toBeUndefined()
  expect(usefulSerial('CZ3104XYZ')).toBe('CZ3104XYZ')
})

test('uuids of zeros, ones and factories are none', () => {
  for (const uuid of ['00000000-0000-0000-0000-000000000000', 'FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF', '03000200-0400-0500-0006-000700080009', '00020003-0004-0005-0006-000700080009', 'Not Settable']) expect(usefulUuid(uuid)).toBeUndefined()
  expect(usefulMac('00:00:00:00:00:00')).toBeUndefined()
  expect(usefulMac('01:00:5e:00:00:01')).toBeUndefined()
  expect(usefulMac('52:54:00:AA:BB:CC')).toBe('52:54:00:aa:bb:cc')
})
