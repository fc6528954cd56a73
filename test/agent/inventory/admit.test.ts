import { expect, test } from 'vitest'
import { admit } from '../../../agent/inventory/admit.ts'
import type { Admitted } from '../../../agent/inventory/admit.ts'
import type { LogEvent, NewEvent } from '../../../agent/log/event-types.ts'
import type { Candidate } from '../../../agent/nodes/node-event.ts'
import { fold } from '../../../agent/state/fold.ts'
import type { State } from '../../../agent/state/state.ts'
import { ADMIN_INCARNATION, incarnation } from '../../../schemas/incarnation.ts'
import type { Facts } from '../../../schemas/inventory.ts'
import { EMPTY_LEDGER } from '../../../schemas/ledger.ts'
import type { Ledger } from '../../../schemas/ledger.ts'
import type { Plan } from '../../../schemas/plan.ts'

const UUID = '4c4c4544-0033-4310-8051-b7c04f4e3132'

function facts(uuid: string, mac: string): Facts {
  return {
    architecture: 'amd64', firmware: { kind: 'bios' }, dmi: { vendor: 'QEMU', product: '', serial: '', uuid, asset: '' }, cpu: { model: '', cores: 1, threads: 1 }, memory: { bytes: 0 },
    disks: [{ bytes: 1, rotational: false, model: '', serial: `disk ${mac}`, wwn: '', bus: 'virtio', path: '' }], nics: [{ mac, driver: '', bus: '', speed: null }],
  }
}

function candidate(of: Facts, over: Partial<Candidate> = {}): Candidate {
  return { environment: 'discovery', facts: of, disks: [], node: null, incarnation: null, key: 'k', boot: 'b', mac: of.nics[0]?.mac ?? null, ...over }
}

/** An agent that writes down what it is told to, and judges by that. */
function agent(plan: Plan | null = null, ledger: Ledger = EMPTY_LEDGER): { admit(one: Candidate): Admitted; tell(events: readonly NewEvent[]): void; readonly state: State } {
  let state = fold([])
  let seq = 0
  const tell = (events: readonly NewEvent[]): void => {
    state = fold(events.map((event) => ({ ...event, seq: ++seq, time: '2026-05-01T12:00:00.000Z', stream: '', epoch: 1, v: 1 }) as LogEvent), state)
  }
  return {
    admit(one) {
      const admitted = admit(one, { state, ledger, plan, committed: new Map() })
      tell(admitted.events)
      return admitted
    },
    tell,
    get state() {
      return state
    },
  }
}

test('a machine seen for the first time is written down and may be given work, and is the same one when it comes again', () => {
  const here = agent()
  const first = here.admit(candidate(facts(UUID, '52:54:00:00:00:01')))
  expect(first.events.map(({ type }) => type)).toEqual(['machine.seen', 'machine.facts', 'machine.disks'])
  expect(first.admission).toMatchObject({ work: true, node: null })
  const again = here.admit(candidate(facts(UUID, '52:54:00:00:00:01')))
  expect(again.admission.machine).toBe(first.admission.machine)
  expect(again.events.map(({ type }) => type)).toEqual(['machine.disks'])
})

test('a copy of a machine is quarantined under an id of its own, until a person admits it as another machine', () => {
  const here = agent()
  const { machine } = here.admit(candidate(facts(UUID, '52:54:00:00:00:01'))).admission
  const copy = candidate(facts(UUID, '52:54:00:00:00:02'))
  const held = here.admit(copy)
  expect(held.admission).toMatchObject({ work: false, code: 'IDENTITY_TIE' })
  expect(held.admission.machine).not.toBe(machine)
  expect(held.events.map(({ type }) => type)).toEqual(['machine.seen', 'machine.quarantined'])
  expect(here.admit(copy).events).toEqual([])
  here.tell([{ type: 'machine.admitted', data: { machine: held.admission.machine, by: 'root' } }])
  expect(here.admit(copy).admission).toMatchObject({ work: true, machine: held.admission.machine })
  expect(here.admit(copy).admission).toMatchObject({ work: true, machine: held.admission.machine })
  expect(here.admit(candidate(facts(UUID, '52:54:00:00:00:01'))).admission).toMatchObject({ work: true, machine })
})

test('an installed system that no node claims is given nothing', () => {
  expect(agent().admit(candidate(facts(UUID, '52:54:00:00:00:01'), { environment: 'installed', node: 'n1', incarnation: 'sha256:x', mac: null })).admission).toMatchObject({ work: false, code: 'UNCLAIMED' })
})

test('only the installation that was put there last is given work: not the one before, not a copy, not on another machine', () => {
  const of = facts(UUID, '52:54:00:00:00:01')
  const machine = agent().admit(candidate(of)).admission.machine
  const here = agent({ nodes: { n1: { machine, os: 'debian-12' } }, systems: { 'debian-12': { install: 'image' } } } as unknown as Plan)
  const says = (name: string): unknown => here.admit(candidate(of, { environment: 'installed', node: 'n1', incarnation: name, mac: null })).admission
  const at = (n: number): { readonly attempt: string; readonly once: string } => ({ attempt: `1/install@n1/${n}`, once: n === 2 ? 'another os' : 'k' })
  const name = (n: number): string => incarnation({ node: 'n1', ...at(n) })
  const sent = (n: number): NewEvent => ({ type: 'step.sent', data: { run: 1, step: 'install@n1', node: 'n1', digest: 'd', commit: 'c', plan: 'p', changes: 'c', machine, n, inputs: null, ...at(n), destructive: true, disks: [], stamp: 's', approved: true, boot: null } })
  const imaged = (n: number): NewEvent => ({ type: 'node.imaged', data: { run: 1, step: 'install@n1', node: 'n1', machine, incarnation: name(n), attempt: at(n).attempt } })
  here.admit(candidate(of))
  expect(says(name(1))).toMatchObject({ work: false, code: 'STALE' })
  // Its own word that it is whole was lost; that it runs is as good.
  here.tell([sent(1)])
  expect(says(name(1))).toMatchObject({ work: true })
  here.tell([imaged(1)])
  expect(says(name(1))).toMatchObject({ work: true })
  // Sent, and refused by the node: what was there runs on.
  here.tell([sent(2)])
  expect(says(name(1))).toMatchObject({ work: true })
  here.tell([imaged(2)])
  expect(says(name(2))).toMatchObject({ work: true })
  expect(says(name(1))).toMatchObject({ work: false, code: 'STALE' })
  // Back to what it was at first, under the same key: that is a third installation, and not the first one.
  here.tell([sent(3), imaged(3)])
  expect(says(name(3))).toMatchObject({ work: true })
  expect(says(name(1))).toMatchObject({ work: false, code: 'STALE' })
  here.tell([{ type: 'node.imaged', data: { run: 1, step: 'install@n1', node: 'n1', machine: 'm-other', incarnation: name(3), attempt: 'x' } }])
  expect(says(incarnation({ node: 'n1', once: null, attempt: null }))).toMatchObject({ work: false, code: 'STALE' })
})

test('the node agent of an admin node is let in as no machine: its facts get nowhere, whatever the site says by then', () => {
  const plan = (nodes: object): Plan => ({ nodes, systems: {} }) as unknown as Plan
  const own = candidate(facts(UUID, '52:54:00:00:00:01'), { environment: 'installed', node: 'adm', incarnation: ADMIN_INCARNATION })
  const site = plan({ adm: { admin: true, machine: null, os: null } })
  expect(agent(site).admit(own)).toEqual({ admission: { machine: 'admin/adm', node: 'adm', work: true }, events: [] })
  expect(agent(null).admit(own)).toMatchObject({ admission: { machine: 'admin/adm', work: false, code: 'UNCLAIMED' }, events: [] })
  expect(agent(plan({})).admit(own)).toMatchObject({ admission: { work: false, code: 'UNCLAIMED' }, events: [] })
  expect(agent(site).admit({ ...own, incarnation: null })).toMatchObject({ admission: { work: false, code: 'STALE' }, events: [] })
})

test('an admin node whose machine a node claims runs nothing, before it is installed over', () => {
  const machine = agent().admit(candidate(facts(UUID, '52:54:00:00:00:01'))).admission.machine
  const here = agent({ nodes: { adm: { admin: true, machine: null, os: null }, db1: { admin: false, machine, os: null } }, systems: {} } as unknown as Plan)
  here.admit(candidate(facts(UUID, '52:54:00:00:00:01')))
  expect(here.admit(candidate(facts(UUID, '52:54:00:00:00:01'), { environment: 'installed', node: 'adm', incarnation: ADMIN_INCARNATION })).admission).toMatchObject({ work: false, code: 'ADMIN_CLAIMED', reason: `adm is the admin node, and db1 claims its machine ${machine}: say \`state: retired\` of that machine` })
})

const planned = (nodes: Record<string, { machine: string; index: number; was?: string }>, install = 'image'): Plan =>
  ({ nodes: Object.fromEntries(Object.entries(nodes).map(([name, node]) => [name, { os: 'here', ...node }])), systems: { here: { install } } }) as unknown as Plan

test('an installation under the name that its node had is its node, and is told the name that is in force', () => {
  const of = facts(UUID, '52:54:00:00:00:01')
  const machine = agent().admit(candidate(of)).admission.machine
  const name = incarnation({ node: 'n1', once: 'k', attempt: '1/install@n1/1' })
  const hello = candidate(of, { environment: 'installed', node: 'n1', incarnation: name, mac: null })
  const ledger: Ledger = { ...EMPTY_LEDGER, nodes: { n1: { version: 1, node: 'n1', index: 4, machine, incarnation: name, attempted: {}, steps: {} } } }
  const here = agent(planned({ n2: { machine, index: 4, was: 'n1' } }), ledger)
  here.admit(candidate(of))
  // Committed, and not carried out.
  expect(here.admit(hello).admission).toEqual({ machine, node: 'n1', work: true })
  here.tell([{ type: 'node.renamed', data: { commit: 'c', nodes: [{ from: 'n1', to: 'n2', machine }] } }])
  const after = agent(planned({ n2: { machine, index: 4, was: 'n1' } }), { ...ledger, nodes: { n2: { ...(ledger.nodes['n1'] as Ledger['nodes'][string]), node: 'n2' } } })
  after.admit(candidate(of))
  expect(after.admit(hello).admission).toEqual({ machine, node: 'n2', work: true })
  // Another installation that says the old name is not it, and neither is this one where another node has the machine.
  expect(after.admit({ ...hello, incarnation: 'sha256:x' }).admission).toMatchObject({ work: false, code: 'STALE' })
  const other = agent(planned({ n2: { machine, index: 5 } }), ledger)
  other.admit(candidate(of))
  expect(other.admit(hello).admission).toMatchObject({ node: 'n2', work: false, code: 'STALE' })
})

test('a joined machine that says the name that it was set up under is its node under the key that it had then', () => {
  const of = facts(UUID, '52:54:00:00:00:01')
  const machine = agent().admit(candidate(of)).admission.machine
  const here = agent(planned({ n3: { machine, index: 4 } }, 'joined'), { ...EMPTY_LEDGER, nodes: { n3: { version: 1, node: 'n3', index: 4, machine, incarnation: 'i', attempted: {}, steps: {} } } })
  const hello = candidate(of, { environment: 'installed', node: 'n1', incarnation: null, mac: null })
  here.admit(candidate(of))
  expect(here.admit(hello).admission).toMatchObject({ work: false, code: 'STALE' })
  here.tell([
    { type: 'machine.enrolled', data: { machine, key: 'k', environment: 'installed', boot: 'b' } },
    { type: 'node.renamed', data: { commit: 'c', nodes: [{ from: 'n1', to: 'n2', machine }] } },
    { type: 'node.renamed', data: { commit: 'c', nodes: [{ from: 'n2', to: 'n3', machine }] } },
  ])
  expect(here.admit(hello).admission).toEqual({ machine, node: 'n3', work: true })
  expect(here.admit({ ...hello, key: 'other' }).admission).toMatchObject({ work: false, code: 'STALE' })
})
