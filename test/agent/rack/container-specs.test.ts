import { expect, test } from 'vitest'
import { containerSpecs } from '../../../agent/rack/container-specs.ts'
import { rackMachines } from '../../../agent/rack/machines.ts'
import type { Plan } from '../../../schemas/plan.ts'

const plan = (nodes: Record<string, { pin: Record<string, string>; os: string | null; admin?: boolean }>): Plan =>
  ({
    nodes: Object.fromEntries(Object.entries(nodes).map(([name, node]) => [name, { admin: false, ...node }])),
    roles: {},
    systems: { joined: { install: 'joined' }, image: { install: 'image' } },
  }) as unknown as Plan

test('each joined node that is pinned by a port gets a container with that port first', () => {
  const site = plan({ adm: { pin: {}, os: null, admin: true }, a: { pin: { mac: '52:54:00:AA:00:02' }, os: 'joined' } })
  const { machines } = rackMachines(site, [{ kind: 'rack', name: 'r', machines: [{ name: 'm1', nics: [{ mac: '52:54:00:aa:00:01' }, { mac: '52:54:00:aa:00:02' }] }, { name: 'spare' }] }])
  const specs = containerSpecs(site, machines)
  expect(specs.map(({ node, os, spec }) => [node, os, spec.nics.map(nic => nic.mac)])).toEqual([['a', 'joined', ['52:54:00:aa:00:02', '52:54:00:aa:00:01']]])
})

test('every node for which no container can stand is named with the reason', () => {
  const site = plan({ a: { pin: { mac: '52:54:00:aa:00:01' }, os: 'image' }, b: { pin: { serial: '4XK2' }, os: 'joined' }, c: { pin: {}, os: null } })
  const wrong = (): unknown => containerSpecs(site, rackMachines(site, []).machines)
  expect(wrong).toThrow(expect.objectContaining({ code: 'RACK_NO_CONTAINER' }))
  expect(wrong).toThrow(/a has the os image.*b is not pinned by.*c has the os \(none\).*--nodes qemu/)
})

test('an admin node that roles run on has a stand-in, so that they do not run where somebody rehearses', () => {
  const site = { ...plan({ adm: { pin: {}, os: null, admin: true }, quiet: { pin: {}, os: null, admin: true }, a: { pin: { mac: '52:54:00:aa:00:02' }, os: 'joined' } }), roles: { 'd/dns': { members: [{ node: 'adm', index: 0 }] } } } as unknown as Plan
  const specs = containerSpecs(site, rackMachines(site, []).machines)
  expect(specs.map(({ node, os, isStandIn }) => [node, os, isStandIn])).toEqual([['a', 'joined', false], ['adm', 'joined', true]])
  expect(specs[1]?.spec.nics[0]?.mac).toMatch(/^52:54:00:/)
})
