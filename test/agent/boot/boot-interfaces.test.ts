import { expect, test } from 'vitest'
import { bootInterfaces, networkReservations } from '../../../agent/boot/boot-interfaces.ts'
import type { Facts } from '../../../schemas/inventory.ts'
import { EMPTY_LEDGER } from '../../../schemas/ledger.ts'
import type { Ledger } from '../../../schemas/ledger.ts'
import type { Plan } from '../../../schemas/plan.ts'

const PLAN = {
  site: { domain: 'example.com' },
  agents: { adm1: { kind: 'agent', node: 'adm1', interfaces: { eth0: { network: 'admin', dhcp: 'server' }, eth1: { network: 'admin', dhcp: 'off' }, eth2: { network: 'six', dhcp: 'server' }, eth9: { network: 'admin', dhcp: 'listen' } } } },
  networks: {
    admin: { subnets: [{ cidr: '10.1.0.0/24', gateway: '10.1.0.1', dns: ['10.1.0.2', 'fd00::2'], ranges: { dhcp: { first: '10.1.0.20', last: '10.1.0.29' } } }] },
    six: { subnets: [{ cidr: 'fd00::/64', gateway: null, dns: [], ranges: {} }] },
  },
  nodes: {
    a: { admin: false, machine: 'm-1', pin: {}, addresses: { admin: '10.1.0.51' }, attachments: [{ network: 'admin', ports: ['52:54:00:00:00:0a'] }] },
    b: { admin: false, machine: 'm-2', pin: {}, addresses: { admin: '10.1.0.52' }, attachments: [] },
    c: { admin: false, machine: null, pin: { mac: '52:54:00:00:00:0C' }, addresses: { admin: '10.1.0.53' }, attachments: [] },
    d: { admin: false, machine: null, pin: {}, addresses: { admin: '10.1.0.54' }, attachments: [] },
    adm1: { admin: true, machine: null, pin: {}, addresses: { admin: '10.1.0.10' }, attachments: [] },
  },
} as unknown as Plan

test('each listed interface is served as its document says; one with dhcp off still serves files', () => {
  const { interfaces, problems } = bootInterfaces(PLAN, 'adm1', { reservations: () => [], addressOf: device => (device === 'eth9' ? undefined : '10.1.0.10') })
  expect(interfaces.map(({ name, mode }) => [name, mode])).toEqual([['eth0', 'server'], ['eth1', 'files']])
  expect(interfaces[0]?.subnet).toMatchObject({ cidr: '10.1.0.0/24', gateway: '10.1.0.1', dns: ['10.1.0.2'], domain: 'example.com', pools: [{ from: '10.1.0.20', to: '10.1.0.29' }] })
  expect(problems).toEqual(['eth2: the network six has no IPv4 subnet', 'eth9: this machine has no such interface, or no IPv4 address on it'])
})

test('an admin node without a document serves nothing and says so', () => {
  expect(bootInterfaces(PLAN, 'adm2', { reservations: () => [], addressOf: () => '10.1.0.10' })).toEqual({ interfaces: [], problems: ['the site has no agent document for adm2'] })
})

test('a machine keeps its address by the port it uses there, by its first port, or by its pin', () => {
  const facts = { nics: [{ mac: '52:54:00:00:00:0b' }] } as unknown as Facts
  expect(networkReservations(PLAN, 'admin', { ledger: EMPTY_LEDGER, factsOf: machine => (machine === 'm-2' ? facts : undefined) })).toEqual([
    { address: '10.1.0.51', mac: '52:54:00:00:00:0a', hostname: 'a' },
    { address: '10.1.0.52', mac: '52:54:00:00:00:0b', hostname: 'b' },
    { address: '10.1.0.53', mac: '52:54:00:00:00:0c', hostname: 'c' },
  ])
})

test('an installed node keeps the address that it was installed with, until it is installed anew, and nobody else is given that', () => {
  const install = { attachments: [{ network: 'admin', addresses: [{ address: '10.1.0.53', prefix: 24, gateway: null, dns: [] }], ports: ['52:54:00:00:00:0a'] }] }
  const entry = { step: { attributes: 'doc' } }
  const node = { version: 1, node: 'a', machine: 'm-1', incarnation: 'i', attempted: {}, steps: { 'install@a': entry } }
  const ledger = (nodes: unknown): Ledger => ({ ...EMPTY_LEDGER, nodes, values: { doc: { parts: { install: 'install' } }, install } }) as unknown as Ledger
  const addresses = (of: Ledger): unknown => networkReservations(PLAN, 'admin', { ledger: of, factsOf: () => undefined }).map(({ hostname, address }) => [hostname, address])
  // The plan has moved a, and has its old address for c by now.
  expect(addresses(ledger({ a: node }))).toEqual([['a', '10.1.0.53']])
  // Sent to be installed anew: what it had is void.
  expect(addresses(ledger({ a: { ...node, incarnation: null, steps: {} } }))).toEqual([['a', '10.1.0.51'], ['c', '10.1.0.53']])
  // Taken out of the site, and running on.
  expect(addresses(ledger({ gone: { ...node, node: 'gone', steps: { 'install@gone': entry } } }))).toEqual([['gone', '10.1.0.53'], ['a', '10.1.0.51']])
})
