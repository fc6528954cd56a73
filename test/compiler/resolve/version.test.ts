import { expect, test } from 'vitest'
import { parseRequirement, satisfies } from '../../../compiler/resolve/version.ts'
import type { Requirement } from '../../../compiler/resolve/version.ts'
import fc from '../../property.ts'

const fits = (version: string, text: string): boolean => satisfies(version, parseRequirement(text) as Requirement)

test.each([
  ['1.2.3', 'ntp', true],
  ['1.2.3', 'ntp 1.2.3', true],
  ['1.2.4', 'ntp =1.2.3', false],
  ['1.2.0', 'ntp >= 1.2', true],
  ['1.9.9', 'ntp >=1.2 <2', true],
  ['2.0.0', 'ntp >=1.2 <2', false],
  ['2.0.0', 'ntp ^1.2', false],
  ['2.0.0-rc.1', 'ntp ^1.2', false],
  ['1.1.9', 'ntp ^1.2', false],
  ['0.2.9', 'ntp ^0.2.1', true],
  ['0.3.0', 'ntp ^0.2.1', false],
  ['0.0.2', 'ntp ^0.0.1', false],
  ['1.0.0-rc.1', 'ntp >=1', false],
  ['1.0.0-rc.10', 'ntp >1.0.0-rc.9', true],
  ['1.0.0-alpha', 'ntp <1.0.0-1', false],
  ['1.0.0+build', 'ntp 1', true],
])('%s for "%s": %s', (version, text, expected) => {
  expect(fits(version, text)).toBe(expected)
})

test.each(['', 'Ntp', 'ntp >=', 'ntp 1.2.3.4', 'ntp ~1', '>=1', 'ntp >=1,<2', 'ntp 1.x'])('"%s" is no requirement', (text) => {
  expect(parseRequirement(text)).toBeUndefined()
})

test('any two versions are in one order', () => {
  const version = fc.tuple(fc.nat(3), fc.nat(3), fc.nat(3), fc.constantFrom('', '-rc.1', '-rc.2', '-alpha', '-1')).map(([a, b, c, before]) => `${a}.${b}.${c}${before}`)
  fc.assert(fc.property(version, version, (a, b) => {
    expect([fits(a, `x <${b}`), fits(a, `x ${b}`), fits(a, `x >${b}`)].filter(Boolean).length).toBe(1)
    expect(fits(a, `x <${b}`)).toBe(fits(b, `x >${a}`))
    expect(fits(a, `x >=${b}`)).toBe(!fits(a, `x <${b}`))
  }))
})
