import { expect, test } from 'vitest'
import * as values from '../../../../agent/boot/dhcp/values.ts'
import fc from '../../../property.ts'

const hex = (bytes: Buffer): string => bytes.toString('hex')

test('the domain search list is compressed as in RFC 3397', () => {
  expect(hex(values.encodeDomainSearch(['eng.apple.com', 'marketing.apple.com']))).toBe(
    '03656e67' + '056170706c65' + '03636f6d' + '00' + '096d61726b6574696e67' + 'c004',
  )
})

test('the domain search list is read again', () => {
  const label = fc.string({ minLength: 1, maxLength: 20, unit: fc.constantFrom('a', 'b', 'c', 'z', '0', '9', '-') })
  const domain = fc.array(label, { minLength: 1, maxLength: 4 }).map((labels) => labels.join('.'))
  fc.assert(
    fc.property(fc.array(domain, { maxLength: 8 }), (domains) => {
      expect(values.decodeDomainSearch(values.encodeDomainSearch(domains))).toEqual(domains)
    }),
  )
})

test.each(['c000', '0161c000', '0161c002', '05616263', 'c0', '016100' + '0162c004' + '00'])(
  'a domain search list that is cut off or turns in circles is refused: %s',
  (bytes) => {
    expect(values.decodeDomainSearch(Buffer.from(bytes, 'hex'))).toBeUndefined()
  },
)

test('no bytes make a reader throw or turn for ever', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (array) => {
      const bytes = Buffer.from(array)
      values.decodeDomainSearch(bytes)
      values.decodeClasslessRoutes(bytes)
      values.decodeSubOptions(bytes)
      values.decodeUserClass(bytes)
      values.decodeUint16List(bytes)
    }),
  )
})

test('classless routes carry only the bytes that their prefix covers (RFC 3442)', () => {
  const routes = [
    { destination: '0.0.0.0/0', router: '10.0.0.1' },
    { destination: '10.17.0.0/16', router: '10.0.0.2' },
    { destination: '10.27.129.0/25', router: '10.0.0.3' },
    { destination: '10.198.122.47/32', router: '10.0.0.4' },
  ]
  const bytes = values.encodeClasslessRoutes(routes)
  expect(hex(bytes)).toBe('00' + '0a000001' + '100a11' + '0a000002' + '190a1b8100' + '0a000003' + '200ac67a2f' + '0a000004')
  expect(values.decodeClasslessRoutes(bytes)).toEqual(routes)
  expect(values.decodeClasslessRoutes(Buffer.from('21000000000a000001', 'hex'))).toBeUndefined()
})

test('the user class is read bare, as iPXE sends it, and with lengths, as RFC 3004 has it', () => {
  expect(values.decodeUserClass(Buffer.from('iPXE'))).toBe('iPXE')
  expect(values.decodeUserClass(Buffer.from('\x04iPXE'))).toBe('iPXE')
  expect(values.decodeUserClass(Buffer.from('\x04iPXE\x03abc'))).toBe('iPXE')
  expect(values.decodeUserClass(Buffer.alloc(0))).toBeUndefined()
})

test('sub-options are read up to the first that does not fit', () => {
  const found = values.decodeSubOptions(Buffer.from('00' + '06010a' + '1300' + '0909ff', 'hex'))
  expect([...found].map(([code, value]) => [code, hex(value)])).toEqual([[6, '0a'], [19, '']])
})
