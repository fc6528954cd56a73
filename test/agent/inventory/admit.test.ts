import { expect, test } from 'vitest'
import { admit } from '../../../agent/inventory/admit.ts'
import type { Admitted } from '../../../agent/inventory/admit.ts'
import type { LogEvent, NewEvent } from '../../../agent/log/event-types.ts'
import type { Candidate } from '../../../agent/nodes/node-event.ts'
import { fold } from '../../../agent/state/fold.ts'
import type { State } from '../../../agent/state/state.ts'
import type { Facts } from '../../../schemas/inventory.ts'

const UUID = '4c4c4544-0033-4310-8051-b7c04f4e3132'

function facts(uuid: string, mac: string): Facts {
  return {
    architecture: 'amd64', firmware: { kind: 'bios' }, dmi: { vendor: 'QEMU', product: '', serial: '', uuid, asset: '' }, cpu: { model: '', cores: 1, threads: 1 }, memory: { bytes: 0 },
    disks: [{ bytes: 1, rotational: false, model: '', serial: `disk ${mac}`, wwn: '', bus: 'virtio', path: '' }], nics: [{ mac, driver: '', bus: '', speed: null }],
  }
}

function candidate(of: Facts, over: Partial<Candidate> = {}): Candidate {
  return { environment: 'discovery', facts: of, disks: [], node: null, incarnation: null, boot: 'b', mac: of.nics[0]?.mac ?? null, ...over }
}

/** An agent that writes down what it is told to, and judges by that. */
function agent(): { admit(one: Candidate): Admitted; tell(events: readonly NewEvent[]): void; readonly state: State } {
  let state = fold([])
  let seq = 0
  const tell = (events: readonly NewEvent[]): void => {
    state = fold(events.map((event) => ({ ...event, seq: ++seq, time: '2026-05-01T12:00:00.000Z', stream: '', epoch: 1, v: 1 }) as LogEvent), state)
  }
  return {
    admit(one) {
      const admitted = admit(one, { state, plan: null, committed: new Map() })
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
