import { expect, test } from 'vitest'
import { debianLoaders } from '../../../../agent/boot/architecture.ts'
import { serverNamedIn, probeForServers } from '../../../../agent/boot/dhcp/foreign-server.ts'
import { encodeDhcpPacket, parseDhcpPacket } from '../../../../agent/boot/dhcp/packet.ts'
import { serveProxy } from '../../../../agent/boot/dhcp/serve-proxy.ts'
import type { DhcpOutcome } from '../../../../agent/boot/dhcp/serve.ts'
import { fixedBooter } from '../fake-booter.ts'
import { message, server, to, type MessageSetup } from './conversation.ts'

const firmware: MessageSetup['options'] = [
  [60, Buffer.from('PXEClient:Arch:00007:UNDI:003016')],
  [93, Buffer.from('0007', 'hex')],
  [97, Buffer.alloc(17)],
]

function say(port: number, packet: ReturnType<typeof message>): DhcpOutcome {
  const state = { booter: fixedBooter({ kind: 'local' }), boot: { httpPort: 80, loaders: debianLoaders } }
  const from = { address: '192.168.124.50', port: 68 }
  return serveProxy(state, packet, { interface: 'eth1', localAddress: server, wasBroadcast: true, time: 0, port, from })
}

test('firmware is offered a boot file and no address', () => {
  const { reply, changes, events } = say(67, message('discover', { options: firmware }))
  expect(reply).toMatchObject({ to: { address: '255.255.255.255', port: 68 }, packet: { yiaddr: '0.0.0.0', siaddr: server, file: '52-54-00-00-00-01/ipxe.efi' } })
  expect([53, 54, 60, 97, 43, 51, 1].map((code) => reply?.packet.options.get(code)?.toString('hex'))).toEqual([
    '02', 'c0a87c0a', Buffer.from('PXEClient').toString('hex'), '00'.repeat(17), '060108ff', undefined, undefined,
  ])
  expect(changes).toEqual([])
  expect(events).toMatchObject([{ type: 'boot.dhcp.offer', address: '', boot: { answer: 'local' } }])
})

test('its REQUEST at port 4011 is acknowledged to where it came from', () => {
  const { reply } = say(4011, message('request', { ciaddr: '192.168.124.50', options: firmware }))
  expect(reply).toMatchObject({ to: { address: '192.168.124.50', port: 68 }, packet: { file: '52-54-00-00-00-01/ipxe.efi' } })
  expect(reply?.packet.options.get(53)?.toString('hex')).toBe('05')
})

test('whatever is meant for the other server meets silence', () => {
  const nothing = { changes: [], events: [] }
  expect(say(67, message('request', { options: firmware }))).toEqual(nothing)
  expect(say(67, message('discover'))).toEqual(nothing)
  expect(say(4011, message('discover', { options: firmware }))).toEqual(nothing)
})

test('another server is known by its replies and by the requests of its clients', () => {
  expect(serverNamedIn(message('request', { options: [to('192.168.124.5')] }))).toBe('192.168.124.5')
  expect(serverNamedIn({ ...message('offer', { options: [to('192.168.124.5')] }), op: 2 })).toBe('192.168.124.5')
  expect(serverNamedIn(message('release', { options: [to('192.168.124.5')] }))).toBeUndefined()
  const probe = parseDhcpPacket(encodeDhcpPacket(probeForServers()))
  expect(probe).toMatchObject({ kind: 'packet', packet: { op: 1, flags: 0x8000 } })
})
