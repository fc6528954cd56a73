import { expect, test } from 'vitest'
import { rackMachines } from '../../../agent/rack/machines.ts'
import { qemuArguments } from '../../../agent/rack/virtual-machine.ts'
import type { Plan } from '../../../schemas/plan.ts'

const planOf = (nodes: Record<string, { pin: Record<string, string>; admin?: boolean }>): Plan =>
  ({ nodes: Object.fromEntries(Object.entries(nodes).map(([name, node]) => [name, { admin: false, ...node }])) }) as unknown as Plan

test('a pinned node that no rack document fits gets a machine with its MAC', () => {
  const { machines } = rackMachines(planOf({ web: { pin: { mac: '52:54:00:AA:00:01' } } }), [])
  expect(machines.map(one => [one.name, one.nics[0]?.mac])).toEqual([['web', '52:54:00:aa:00:01']])
})

test('a rack document that fits a pin is used, and nothing is added', () => {
  const { machines } = rackMachines(planOf({ web: { pin: { serial: '4XK2' } }, adm: { pin: {}, admin: true } }), [
    { kind: 'rack', name: 'r', machines: [{ name: 'm1', serial: '4XK2', disks: [{ size: '2GiB' }] }] },
  ])
  expect(machines).toHaveLength(1)
  expect(machines[0]).toMatchObject({ name: 'm1', serial: '4XK2', memory: 1024, firmware: 'bios', disks: [{ bytes: 2_147_483_648, bus: 'virtio', serial: 'm1-0', content: 'blank', canary: false }] })
})

test('made machines differ in MAC, UUID and serial, and are the same each time', () => {
  const racks = [{ kind: 'rack' as const, name: 'r', machines: [{ name: 'm1' }, { name: 'm2' }] }]
  const [a, b] = rackMachines(planOf({}), racks).machines
  expect(a?.uuid).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/)
  expect(new Set([a?.uuid, b?.uuid, a?.serial, b?.serial, a?.nics[0]?.mac, b?.nics[0]?.mac]).size).toBe(6)
  expect(rackMachines(planOf({}), racks).machines[0]).toEqual(a)
})

test('a node pinned by asset tag alone is said to have no machine', () => {
  expect(rackMachines(planOf({ web: { pin: { asset: 'A-17' } } }), []).unmatched).toEqual(['web'])
})

test('a UEFI machine boots with its firmware’s own PXE client, from the network before the disk', () => {
  const [machine] = rackMachines(planOf({}), [{ kind: 'rack', name: 'r', machines: [{ name: 'm', firmware: 'uefi', serial: 'a,b', nics: [{ mac: '52:54:00:00:00:01' }], disks: [{ size: '1GiB', bus: 'nvme', serial: 'S1' }] }] }]).machines
  if (machine === undefined) throw new Error('no machine')
  const argv = qemuArguments(machine, { folder: '/f', accelerator: 'tcg', taps: ['tap0'], variables: '/f/v', consoleFile: '/o/c' })
  expect(argv).toContain('virtio-net-pci,netdev=net0,mac=52:54:00:00:00:01,bootindex=1,romfile=')
  expect(argv).toContain('nvme,drive=disk0,serial=S1,bootindex=2')
  expect(argv.find(one => one.startsWith('type=1'))).toContain('serial=a,,b')
})
