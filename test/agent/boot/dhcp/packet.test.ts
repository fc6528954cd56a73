import { expect, test } from 'vitest'
import { encodeDhcpPacket, parseDhcpPacket, type DhcpPacket } from '../../../../agent/boot/dhcp/packet.ts'
import { formatIpv4 } from '../../../../agent/boot/ipv4.ts'
import fc from '../../../property.ts'

/** A header with given fields, and the bytes of the options area. */
function message(options: string, fields: { file?: string; sname?: string; hlen?: number } = {}): Buffer {
  const bytes = Buffer.alloc(240)
  bytes.set([1, 1, fields.hlen ?? 6, 0, 0xde, 0xad, 0xbe, 0xef])
  bytes.set([0x52, 0x54, 0, 0x12, 0x34, 0x56], 28)
  bytes.write(fields.sname ?? '', 44, 'hex')
  bytes.write(fields.file ?? '', 108, 'hex')
  bytes.write('63825363', 236, 'hex')
  return Buffer.concat([bytes, Buffer.from(options, 'hex')])
}

function parsed(bytes: Buffer): DhcpPacket {
  const result = parseDhcpPacket(bytes)
  if (result.kind !== 'packet') throw new Error(result.reason)
  return result.packet
}

test('reads a DISCOVER as firmware sends it', () => {
  // message type, class "PXEClient", architecture 7, end, padding
  const packet = parsed(message('350101' + '3c09505845436c69656e74' + '5d020007' + 'ff0000'))
  expect(packet).toMatchObject({ op: 1, htype: 1, xid: 0xdeadbeef, ciaddr: '0.0.0.0', giaddr: '0.0.0.0' })
  expect(packet.chaddr.toString('hex')).toBe('525400123456')
  expect([...packet.options].map(([code, value]) => [code, value.toString('hex')])).toEqual([
    [53, '01'],
    [60, '505845436c69656e74'],
    [93, '0007'],
  ])
})

test('reads options from file and server name if option 52 says so, file first', () => {
  const packet = parsed(message('350101' + '340103' + 'ff', { file: '0c026162ff', sname: '0c0163ff' }))
  expect(packet.options.get(12)?.toString()).toBe('abc')
  expect(packet.options.has(52)).toBe(false)
  expect(packet).toMatchObject({ file: '', sname: '' })
})

test('joins the parts of an option (RFC 3396)', () => {
  expect(parsed(message('350101' + '0c026162' + '0c026364' + 'ff')).options.get(12)?.toString()).toBe('abcd')
})

test('accepts a message without the end option and one with nothing but padding', () => {
  expect(parsed(message('350101')).options.size).toBe(1)
  expect(parsed(message('000000')).options.size).toBe(0)
})

test.each([
  ['too short', message('').subarray(0, 239)],
  ['an option over the end', message('3504')],
  ['an option without its length', message('35')],
  ['an option over the end of file', message('340101ff', { file: '00'.repeat(120) + '0cff' })],
  ['a hardware address of 17 bytes', message('350101ff', { hlen: 17 })],
  ['no magic cookie', Buffer.alloc(300)],
])('refuses %s', (_, bytes) => {
  expect(parseDhcpPacket(bytes).kind).toBe('malformed')
})

test('no bytes make it throw', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => void parseDhcpPacket(Buffer.from(bytes))))
  fc.assert(fc.property(fc.uint8Array({ maxLength: 400 }), (options) => void parseDhcpPacket(message(Buffer.from(options).toString('hex')))))
})

const address = fc.nat(0xffffffff).map(formatIpv4)
const text = (maxLength: number): fc.Arbitrary<string> =>
  fc.string({ maxLength, unit: fc.integer({ min: 1, max: 255 }).map((code) => String.fromCharCode(code)) })
const packets: fc.Arbitrary<DhcpPacket> = fc.record({
  op: fc.nat(255),
  htype: fc.nat(255),
  hops: fc.nat(255),
  xid: fc.nat(0xffffffff),
  secs: fc.nat(65535),
  flags: fc.nat(65535),
  ciaddr: address,
  yiaddr: address,
  siaddr: address,
  giaddr: address,
  chaddr: fc.uint8Array({ maxLength: 16 }).map((bytes) => Buffer.from(bytes)),
  sname: text(64),
  file: text(128),
  options: fc
    .uniqueArray(fc.tuple(fc.integer({ min: 1, max: 254 }), fc.uint8Array({ maxLength: 600 })), { selector: ([code]) => code, maxLength: 12 })
    .map((entries) => new Map(entries.filter(([code]) => code !== 52).map(([code, value]) => [code, Buffer.from(value)]))),
})

test('what is written is read again, whatever the message', () => {
  fc.assert(
    fc.property(packets, (packet) => {
      const bytes = encodeDhcpPacket(packet, 65_000)
      const again = parsed(bytes)
      expect(bytes.length).toBeGreaterThanOrEqual(300)
      expect({ ...again, options: undefined }).toEqual({ ...packet, options: undefined })
      const byCode = (each: DhcpPacket): unknown => Object.fromEntries([...each.options].map(([code, value]) => [code, value.toString('hex')]))
      expect(byCode(again)).toEqual(byCode(packet))
    }),
  )
})

test('what does not fit is left out, and the relay agent option stays, last', () => {
  fc.assert(
    fc.property(packets, fc.integer({ min: 300, max: 576 }), (packet, most) => {
      const relay = Buffer.from('0104deadbeef', 'hex')
      const bytes = encodeDhcpPacket({ ...packet, options: new Map([[82, relay], ...packet.options, [82, relay]]) }, most)
      expect(bytes.length).toBeLessThanOrEqual(Math.max(300, most))
      expect([...parsed(bytes).options].at(-1)).toEqual([82, relay])
    }),
  )
})

test('writes a long option in parts of 255 bytes', () => {
  const options = new Map([[43, Buffer.alloc(300, 7)]])
  const bytes = encodeDhcpPacket({ ...parsed(message('ff')), options })
  expect(bytes.subarray(240, 242).toString('hex')).toBe('2bff')
  expect(bytes.subarray(497, 499).toString('hex')).toBe('2b2d')
  expect(bytes[544]).toBe(255)
})
