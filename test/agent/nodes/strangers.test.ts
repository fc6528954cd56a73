import { generateKeyPairSync, sign } from 'node:crypto'
import { connect } from 'node:tls'
import { expect, test } from 'vitest'
import { WebSocket } from 'ws'
import type { Facts } from '../../../schemas/inventory.ts'
import { helloText } from '../../../schemas/protocol.ts'
import { greet } from '../../../agent/nodes/greet.ts'
import { openLoopback, startAgent } from './loopback.ts'

const FACTS: Facts = {
  architecture: 'amd64', firmware: { kind: 'bios' }, dmi: { vendor: 'v', product: 'p', serial: 's', uuid: '', asset: '' }, cpu: { model: 'c', cores: 1, threads: 1 }, memory: { bytes: 1 },
  disks: [], nics: [{ mac: '02:00:00:00:00:01', driver: '', bus: '', speed: null }],
}
const DISK: Facts['disks'][number] = { bytes: 1, rotational: false, model: '', serial: 'x', wwn: '', bus: 'sata', path: '' }

test('whatever a stranger asks for, the server lives', async () => {
  await using loopback = await openLoopback()
  const port = Number(new URL(loopback.url).port)
  for (const target of ['//', 'http://[', '*', '/node%']) {
    const { promise, resolve } = Promise.withResolvers<void>()
    const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false })
    socket.once('secureConnect', () => socket.write(`GET ${target} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`))
    socket.once('close', () => resolve()).once('error', () => resolve()).resume()
    await promise
  }
  await using _agent = await startAgent(loopback)
  expect(await loopback.untilType('enrolled')).toMatchObject({ machine: 'm1' })
})

test.each([
  ['disks', { ...FACTS, disks: Array.from({ length: 10_000 }, (_, index) => ({ ...DISK, serial: `s${index}` })) }],
  ['ports', { ...FACTS, nics: Array.from({ length: 2000 }, (_, index) => ({ mac: `02:00:00:00:${(index >> 8).toString(16).padStart(2, '0')}:${(index & 255).toString(16).padStart(2, '0')}`, driver: '', bus: '', speed: null })) }],
  ['text', { ...FACTS, dmi: { ...FACTS.dmi, vendor: 'v'.repeat(2_000_000) } }],
])('a machine that says too much of itself is turned away before anybody looks at it: %s', async (_, facts) => {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  const said = {
    type: 'hello' as const, environment: 'discovery' as const, token: 't', key: publicKey.export({ format: 'jwk' }).x ?? '', node: null, incarnation: null, highestEpoch: 0, boot: 'b',
    facts, disks: [], journal: [], versions: {},
  }
  const hello = { v: 1 as const, seq: 1, ack: 0, ...said, proof: sign(null, Buffer.from(helloText('nonce', 1, said)), privateKey).toString('base64url') }
  let asked = 0
  const enrolment = { issue: () => '', redeem: () => Promise.resolve({ subject: { kind: 'boot' as const, mac: '02:00:00:00:00:01' }, first: !!++asked }), [Symbol.asyncDispose]: () => Promise.resolve() }
  const admit = () => Promise.resolve({ machine: 'm', node: null, work: true as const, asked: ++asked })
  await expect(greet(hello, { nonce: 'nonce', epoch: 1, enrolment, admit })).rejects.toMatchObject({ code: 'NOT_ADMITTED', message: expect.stringContaining('more than') as string })
  expect(asked).toBe(0)
})

test('of what a stranger says, little is written down', async () => {
  await using loopback = await openLoopback()
  const { publicKey } = generateKeyPairSync('ed25519')
  const nics = Array.from({ length: 20_000 }, () => ({ mac: '02:00:00:00:00:01', driver: '', bus: '', speed: null }))
  const hello = {
    v: 1, seq: 1, ack: 1, type: 'hello', environment: 'installed', token: 't', key: publicKey.export({ format: 'jwk' }).x, proof: 'A'.repeat(86), node: 'n'.repeat(100_000), incarnation: null,
    highestEpoch: 0, boot: 'b', facts: { ...FACTS, nics }, disks: [], journal: [], versions: {},
  }
  const socket = new WebSocket(loopback.url, { ca: loopback.identity.authority })
  socket.once('message', () => socket.send(JSON.stringify(hello)))
  socket.on('error', () => undefined)
  const refused = await loopback.untilType('refused')
  expect(refused).toMatchObject({ code: 'PROOF_INVALID', alarm: true })
  expect(JSON.stringify(refused).length).toBeLessThan(1000)
  socket.terminate()
})
