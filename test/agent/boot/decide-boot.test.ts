import { expect, test } from 'vitest'
import { decideBoot } from '../../../agent/boot/decide-boot.ts'
import type { BootView } from '../../../agent/boot/decide-boot.ts'
import { machineOf } from '../../../agent/boot/machine-of.ts'
import type { LogEvent, NewEvent } from '../../../agent/log/event-types.ts'
import { fold } from '../../../agent/state/fold.ts'
import { emptyState } from '../../../agent/state/growing-state.ts'
import type { State } from '../../../agent/state/state.ts'
import type { Changes } from '../../../schemas/changes.ts'
import type { Facts } from '../../../schemas/inventory.ts'
import { EMPTY_LEDGER } from '../../../schemas/ledger.ts'
import type { Plan } from '../../../schemas/plan.ts'

const MAC = '52:54:00:00:00:01'
const CLIENT = { mac: MAC, architecture: 'amd64', firmware: 'bios' } as const
const IMAGE = { kernel: '/k', initrd: '/i' }

const planOf = (install = 'image', admin = false): Plan =>
  ({ nodes: { web: { machine: 'm-1', admin, os: 'debian-12', generation: 0 } }, systems: { 'debian-12': { install } } }) as unknown as Plan

const view = (changes: Partial<BootView> = {}): BootView => ({
  plan: planOf(), state: emptyState(), ledger: EMPTY_LEDGER, work: undefined, image: IMAGE,
  machineOf: mac => (mac === MAC ? 'm-1' : undefined), commandLine: mac => `token-of-${mac}`, ...changes,
})

test('a machine that nobody knows boots discovery, with its own command line', () => {
  expect(decideBoot(view({ machineOf: () => undefined }), CLIENT)).toEqual({ kind: 'discovery', kernel: '/k', initrd: '/i', commandLine: `token-of-${MAC}` })
})

test('a node without a system boots discovery, one with its system boots its disk', () => {
  expect(decideBoot(view(), CLIENT).kind).toBe('discovery')
  const state = emptyState()
  state.nodes.set('web', { installed: { machine: 'm-1', incarnation: 'i', attempt: 'a' } })
  expect(decideBoot(view({ state }), CLIENT)).toEqual({ kind: 'local' })
})

test('what only the ledger knows to be installed boots its disk: the agent may have lost its own memory', () => {
  const ledger = { ...EMPTY_LEDGER, nodes: { web: { version: 1 as const, node: 'web', machine: 'm-1', incarnation: 'i', attempted: {}, steps: {} } } }
  expect(decideBoot(view({ ledger }), CLIENT)).toEqual({ kind: 'local' })
})

test('a machine that came up with another installation than its node’s is held, until a new one was put there', () => {
  const events = (...of: readonly NewEvent[]): State => fold(of.map((event, index) => ({ ...event, seq: index + 1, time: '', stream: '', epoch: 1, v: 1 }) as LogEvent))
  const imaged = (name: string): NewEvent => ({ type: 'node.imaged', data: { run: 1, step: 'install@web', node: 'web', machine: 'm-1', incarnation: name, attempt: name } })
  const hello = (name: string): NewEvent => ({ type: 'node.connected', data: { node: 'web', machine: 'm-1', environment: 'installed', incarnation: name, boot: 'b', address: null } })
  const gone: NewEvent = { type: 'node.disconnected', data: { node: 'web', machine: 'm-1', boot: 'b', reason: '' } }
  const answer = (...of: readonly NewEvent[]): unknown => decideBoot(view({ state: events(...of) }), CLIENT)
  expect(answer(imaged('i1'), hello('i1'), gone)).toEqual({ kind: 'local' })
  expect(answer(imaged('i1'), hello('i1'), imaged('i2'))).toEqual({ kind: 'local' })
  expect(answer(imaged('i1'), imaged('i2'), hello('i1'), gone)).toEqual({ kind: 'hold', reason: 'machine m-1 came up with another installation than the one that web should run: put the right disk back, then crowbar admit m-1' })
  // A person has put the right disk back; a wrong one is found out again.
  const admitted: NewEvent = { type: 'machine.admitted', data: { machine: 'm-1', by: 'root' } }
  expect(answer(imaged('i1'), imaged('i2'), hello('i1'), gone, admitted)).toEqual({ kind: 'local' })
  expect(answer(imaged('i1'), imaged('i2'), hello('i1'), gone, admitted, hello('i1'))).toMatchObject({ kind: 'hold' })
  expect(answer(imaged('i1'), imaged('i2'), hello('i1'), imaged('i3'))).toEqual({ kind: 'local' })
  const ledger = { ...EMPTY_LEDGER, nodes: { web: { version: 1 as const, node: 'web', machine: 'm-1', incarnation: 'i2', attempted: {}, steps: {} } } }
  expect(decideBoot(view({ state: events(hello('i1')), ledger }), CLIENT).kind).toBe('hold')
})

test('frozen, everybody boots the local disk', () => {
  const state = emptyState()
  state.frozen = { by: 'x', reason: 'y', since: '' }
  expect(decideBoot(view({ state, machineOf: () => undefined }), CLIENT)).toEqual({ kind: 'local' })
})

test('admin nodes and joined machines are never taken over', () => {
  expect(decideBoot(view({ plan: planOf('joined') }), CLIENT)).toEqual({ kind: 'local' })
  expect(decideBoot(view({ plan: planOf('image', true) }), CLIENT)).toEqual({ kind: 'local' })
})

test('before a plan and before an image a machine waits and says why', () => {
  expect(decideBoot(view({ plan: null }), CLIENT)).toMatchObject({ kind: 'hold' })
  expect(decideBoot(view({ image: null }), CLIENT)).toEqual({ kind: 'hold', reason: 'the discovery image is being made' })
})

test('a machine goes on booting the system of a node that was renamed, until the new name may be installed', () => {
  const ledger = { ...EMPTY_LEDGER, nodes: { old: { version: 1 as const, node: 'old', machine: 'm-1', incarnation: 'i', attempted: {}, steps: {} } } }
  expect(decideBoot(view({ ledger }), CLIENT)).toEqual({ kind: 'local' })
  const known = emptyState()
  known.nodes.set('old', { installed: { machine: 'm-1', incarnation: 'i', attempt: null } })
  expect(decideBoot(view({ state: known }), CLIENT)).toEqual({ kind: 'local' })

  const plan = planOf()
  const changes = { changes: [{ step: { id: 'install@web' }, needsApproval: true }] } as unknown as Changes
  const state = emptyState()
  expect(decideBoot(view({ ledger, state, work: { plan, changes } }), CLIENT)).toEqual({ kind: 'local' })
  state.approvals.set('install@web', { approval: { step: 'install@web', once: 'k', machine: 'm-1', disks: [] }, by: 'root', time: '', seq: 1 })
  expect(decideBoot(view({ ledger, state, work: { plan, changes } }), CLIENT).kind).toBe('discovery')
})

test('of two machines with one MAC the one that a node has counts, in whatever order they were seen', () => {
  const committed = new Map<string, Facts>()
  const isClaimed = (id: string): boolean => id === 'm-node'
  const machines = [{ id: 'm-liar', macs: [MAC] }, { id: 'm-node', macs: [MAC] }]
  expect(machineOf(MAC, { machines, committed, isClaimed })).toBe('m-node')
  expect(machineOf(MAC, { machines: machines.toReversed(), committed, isClaimed })).toBe('m-node')
  committed.set('m-node', { nics: [{ mac: MAC }] } as unknown as Facts)
  expect(machineOf(MAC, { machines: machines.slice(0, 1), committed, isClaimed })).toBe('m-node')
  expect(machineOf(MAC, { machines: machines.slice(0, 1), committed, isClaimed: () => false })).toBe('m-liar')
  expect(machineOf('52:54:00:00:00:02', { machines, committed, isClaimed })).toBeUndefined()
})
