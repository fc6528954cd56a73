import { expect, test } from 'vitest'
import { decideBoot } from '../../../agent/boot/decide-boot.ts'
import type { BootView } from '../../../agent/boot/decide-boot.ts'
import { emptyState } from '../../../agent/state/growing-state.ts'
import { incarnation } from '../../../schemas/incarnation.ts'
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
  state.nodes.set('web', { installed: { machine: 'm-1', incarnation: incarnation({ node: 'web', machine: 'm-1', generation: 0 }), attempt: 'a' } })
  expect(decideBoot(view({ state }), CLIENT)).toEqual({ kind: 'local' })
})

test('what only the ledger knows to be installed boots its disk: the agent may have lost its own memory', () => {
  const installed = incarnation({ node: 'web', machine: 'm-1', generation: 0 })
  const ledger = { ...EMPTY_LEDGER, nodes: { web: { version: 1 as const, node: 'web', machine: 'm-1', incarnation: installed, attempted: {}, steps: {} } } }
  expect(decideBoot(view({ ledger }), CLIENT)).toEqual({ kind: 'local' })
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
