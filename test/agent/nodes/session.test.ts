import { expect, test } from 'vitest'
import type { WebSocket } from 'ws'
import { Session, Wire } from '../../../agent/nodes/session.ts'
import type { Facts } from '../../../schemas/inventory.ts'
import type { NodeFrame, RoleTask } from '../../../schemas/protocol.ts'

const FACTS: Facts = {
  architecture: 'amd64', firmware: { kind: 'bios' }, dmi: { vendor: '', product: '', serial: '', uuid: '', asset: '' }, cpu: { model: '', cores: 1, threads: 1 }, memory: { bytes: 0 }, disks: [], nics: [],
}
const ROLE: RoleTask = { kind: 'role', attempt: '1/d/r@n1/1', step: 'd/r@n1', jig: 'noop', entry: 'x', content: [], document: {}, sensitive: [], packages: [], repository: null, provides: {}, timeout: 1 }

/** A socket that keeps what is sent. */
function open(environment: 'discovery' | 'installed') {
  const sent: { type: string; seq: number; ack: number }[] = []
  const socket = { OPEN: 1, readyState: 1, bufferedAmount: 0, send: (text: string) => sent.push(JSON.parse(text) as (typeof sent)[number]) } as unknown as WebSocket
  const wire = new Wire(socket)
  const hello: Extract<NodeFrame, { type: 'hello' }> = {
    v: 1, seq: 1, ack: 0, type: 'hello', environment, token: null, key: '', proof: '', node: null, incarnation: null, highestEpoch: 0, boot: 'b', facts: FACTS, disks: [], versions: {},
    journal: [{ attempt: 'a', state: 'started', result: null }],
  }
  const candidate = { environment, facts: FACTS, disks: [], node: null, incarnation: null, key: '', boot: 'b', mac: null }
  return { sent, wire, session: new Session({ machine: 'm1', node: null, hello, candidate, wire, epoch: 5 }) }
}

const ping = (seq: number): NodeFrame => ({ v: 1, seq, ack: 0, type: 'ping' })

test('the discovery image is never given what may hold a secret, nor packages', () => {
  const { session, sent } = open('discovery')
  for (const task of [{ ...ROLE, sensitive: ['/wants/p'] }, { ...ROLE, mask: ['x'] }, { ...ROLE, repository: { url: 'http://a/', index: '0'.repeat(64), key: 'aa' } }, { kind: 'entries' as const, attempt: 'a', step: 's', entries: [], timeout: 1 }]) {
    expect(() => session.send(task)).toThrow(expect.objectContaining({ code: 'DISCOVERY_NO_SECRET' }) as Error)
  }
  expect(sent).toEqual([])
  session.send(ROLE)
  expect(sent).toMatchObject([{ type: 'task', task: { step: 'd/r@n1' } }])
  open('installed').session.send({ ...ROLE, sensitive: ['/wants/p'] })
})

test('what a machine has looked like last is what is judged when it is looked at again', () => {
  const { session } = open('discovery')
  session.note({ v: 1, seq: 1, ack: 0, type: 'disks', disks: [], facts: { ...FACTS, memory: { bytes: 7 } } })
  expect(session.candidate.facts.memory.bytes).toBe(7)
  session.note({ v: 1, seq: 2, ack: 0, type: 'disks', disks: [] })
  expect(session.candidate.facts.memory.bytes).toBe(7)
})

test('an admin node is given roles and nothing else, and is not restarted', () => {
  const { sent, wire } = open('installed')
  const session = new Session({ machine: 'admin/adm', node: null, hello: { journal: [], disks: [], environment: 'installed', node: 'adm', incarnation: 'admin' } as never, candidate: {} as never, wire, epoch: 5 })
  const wrong = expect.objectContaining({ code: 'ADMIN_ROLES_ONLY' }) as Error
  for (const kind of ['install', 'reboot', 'upgrade', 'entries', 'inspect']) expect(() => session.send({ kind, step: 's' } as never)).toThrow(wrong)
  expect(() => session.reboot('to be installed')).toThrow(wrong)
  expect(sent).toEqual([])
  session.send({ ...ROLE, sensitive: ['/wants/p'] })
  expect(sent).toHaveLength(1)
})

test('frames are numbered and acknowledge what came, without being asked after sixteen', () => {
  const { session, wire, sent } = open('installed')
  wire.receive(ping(1))
  session.send(ROLE)
  expect(sent[0]).toMatchObject({ type: 'task', seq: 1, ack: 1, epoch: 5 })
  for (let seq = 2; seq <= 17; seq++) {
    wire.receive(ping(seq))
    wire.acknowledgeIfDue()
  }
  expect(sent.slice(1)).toEqual([{ v: 1, type: 'pong', seq: 2, ack: 17 }])
})

test('a frame that is missing or comes twice ends the session', () => {
  const { wire } = open('installed')
  wire.receive(ping(1))
  expect(() => wire.receive(ping(1))).toThrow(expect.objectContaining({ code: 'PROTOCOL' }) as Error)
  expect(() => wire.receive(ping(3))).toThrow(expect.objectContaining({ code: 'PROTOCOL' }) as Error)
})

test('the journal of a session follows what the node says', () => {
  const { session } = open('installed')
  expect(session.journal.get('a')).toEqual({ attempt: 'a', state: 'started', result: null })
  session.note({ v: 1, seq: 1, ack: 0, type: 'accepted', attempt: 'b' })
  expect(session.journal.get('b')).toMatchObject({ state: 'running' })
  const result = { attempt: 'b', outcome: 'succeeded', code: null, message: null, provides: {}, seconds: 1 } as const
  session.note({ v: 1, seq: 2, ack: 0, type: 'result', result })
  session.note({ v: 1, seq: 3, ack: 0, type: 'accepted', attempt: 'b' })
  expect(session.journal.get('b')).toEqual({ attempt: 'b', state: 'finished', result })
})
