import { expect, test } from 'vitest'
import { chooseArchitecture, describeArchitecture } from '../../../agent/boot/architecture.ts'
import { blockHas, parseCidr, parseIpv4 } from '../../../agent/boot/ipv4.ts'
import { formatMac, macInPath, parseMac } from '../../../agent/boot/mac.ts'

test('a hardware address is read in three ways and written in one', () => {
  expect(['52:54:00:AA:bb:01', '52-54-00-aa-bb-01', '525400aabb01'].map(parseMac)).toEqual(Array(3).fill('52:54:00:aa:bb:01'))
  expect(['', '52:54-00:aa:bb:01', '52:54:00:aa:bb', '52:54:00:aa:bb:01:02', 'x2:54:00:aa:bb:01'].map(parseMac)).toEqual(Array(5).fill(undefined))
  expect(macInPath(formatMac(Buffer.from('525400aabb01', 'hex')))).toBe('52-54-00-aa-bb-01')
})

test('addresses and blocks are read strictly', () => {
  expect(parseIpv4('192.168.124.10')).toBe(0xc0a87c0a)
  expect(['', '1.2.3', '1.2.3.256', '01.2.3.4', '1.2.3.4 ', '1.2.3.4.5'].map(parseIpv4)).toEqual(Array(6).fill(undefined))
  expect(parseCidr('0.0.0.0/0')).toEqual({ network: 0, prefix: 0, mask: 0, broadcast: 0xffffffff })
  expect(blockHas(parseCidr('10.0.0.0/31'), '10.0.0.1')).toBe(true)
  expect(blockHas(parseCidr('10.0.0.0/31'), '10.0.0.2')).toBe(false)
  expect(() => parseCidr('10.0.0.0/33')).toThrow(RangeError)
})

test('firmware numbers: 7 and 9 are both 64-bit PCs, the first known one counts, a Raspberry Pi is no PC', () => {
  expect([7, 9].map(describeArchitecture)).toEqual(Array(2).fill({ firmware: 'uefi', architecture: 'amd64' }))
  expect(chooseArchitecture([999, 11], '52:54:00:00:00:01')).toBe(11)
  expect(chooseArchitecture([], '52:54:00:00:00:01')).toBeUndefined()
  expect(chooseArchitecture([0], 'dc:a6:32:00:00:01')).toBe(41)
})
