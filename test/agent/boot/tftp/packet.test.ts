import { expect, test } from 'vitest'
import { encodeAck, encodeData, encodeError, encodeOptions, encodeRequest, parseTftpPacket } from '../../../../agent/boot/tftp/packet.ts'
import fc from '../../../property.ts'

test('reads a request as UEFI sends it, names in any case, in its order', () => {
  const bytes = Buffer.from('\0\x01a/ipxe.efi\0OCTET\0TSize\x000\0blksize\x001468\0windowsize\x004\0', 'latin1')
  const packet = parseTftpPacket(bytes)
  expect(packet).toMatchObject({ kind: 'read', path: 'a/ipxe.efi', mode: 'octet' })
  expect(packet?.kind === 'read' && [...packet.options]).toEqual([['tsize', '0'], ['blksize', '1468'], ['windowsize', '4']])
})

test.each([
  ['a request without its last NUL', Buffer.from('\0\x01name\0octet', 'latin1')],
  ['a request without a mode', Buffer.from('\0\x01name\0', 'latin1')],
  ['an endless request', Buffer.concat([Buffer.from('\0\x01', 'latin1'), Buffer.alloc(2000, 97), Buffer.from('\0octet\0', 'latin1')])],
  ['half an ACK', Buffer.from([0, 4, 0])],
  ['an unknown code', Buffer.from([0, 9, 0, 0])],
])('does not read %s', (_, bytes) => {
  expect(parseTftpPacket(bytes)).toBeUndefined()
})

test('no bytes make it throw', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => void parseTftpPacket(Buffer.from(bytes))))
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 6 }), fc.uint8Array({ maxLength: 200 }), (code, bytes) => {
      parseTftpPacket(Buffer.from([0, code, ...bytes]))
    }),
  )
})

test('what is written is read again', () => {
  const word = fc.string({ maxLength: 20, unit: fc.integer({ min: 32, max: 126 }).map((code) => String.fromCharCode(code)) })
  const options = fc.uniqueArray(fc.tuple(word.map((each) => each.toLowerCase()), word), { selector: ([name]) => name, maxLength: 5 }).map((pairs) => new Map(pairs))
  fc.assert(
    fc.property(fc.constantFrom('read', 'write'), word, options, fc.nat(65535), fc.uint8Array({ maxLength: 1468 }), (kind, path, given, block, array) => {
      const data = Buffer.from(array)
      expect(parseTftpPacket(encodeRequest({ kind, path, mode: 'octet', options: given }))).toEqual({ kind, path, mode: 'octet', options: given })
      expect(parseTftpPacket(encodeOptions(given))).toEqual({ kind: 'options', options: given })
      expect(parseTftpPacket(encodeData(block, data))).toEqual({ kind: 'data', block, data })
      expect(parseTftpPacket(encodeAck(block))).toEqual({ kind: 'ack', block })
      expect(parseTftpPacket(encodeError(block % 9, path))).toEqual({ kind: 'error', code: block % 9, message: path })
    }),
  )
})
