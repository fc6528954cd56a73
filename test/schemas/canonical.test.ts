import { expect, test } from 'vitest'
import { byCodePoint, canonical, digest, digestBytes, digestLarge } from '../../schemas/canonical.ts'
import type { Json } from '../../schemas/shape.ts'
import fc from '../property.ts'

test('keys are sorted by code point, also beyond the surrogates', () => {
  expect(canonical({ '\u{1F600}': 1, '\uFF5E': 2, b: 3, a: 4 })).toBe('{"a":4,"b":3,"\uFF5E":2,"\u{1F600}":1}')
})

test('keys that are in native order already are not always in that of code points', () => {
  expect(canonical({ '\u{1F600}': 1, '\uFF5E': 2 })).toBe('{"\uFF5E":2,"\u{1F600}":1}')
  expect(canonical([{ a: { 9: 1, 10: 2 } }])).toBe('[{"a":{"10":2,"9":1}}]')
})

test('every value is written as its definition says', () => {
  const written = (value: Json): string => {
    if (value === null || typeof value !== 'object') return JSON.stringify(value)
    if (Array.isArray(value)) return `[${value.map(item => written(item as Json)).join(',')}]`
    return `{${Object.entries(value as { [key: string]: Json }).toSorted(([a], [b]) => byCodePoint(a, b)).map(([key, item]) => `${JSON.stringify(key)}:${written(item)}`).join(',')}}`
  }
  const key = fc.oneof(fc.constantFrom('a', 'b', '1', '10', '9', '\u{1F600}', '\uFF5E', '\uD800', 'toJSON'), fc.string({ unit: 'binary', maxLength: 3 }))
  const { value: json } = fc.letrec<{ value: Json }>(tie => ({
    value: fc.oneof({ maxDepth: 4 }, fc.jsonValue({ maxDepth: 0 }) as fc.Arbitrary<Json>, fc.constantFrom(-0, 1e21, 1e-7), fc.array(tie('value'), { maxLength: 4 }), fc.dictionary(key, tie('value'), { maxKeys: 4 })),
  }))
  fc.assert(
    fc.property(json, value => {
      expect(canonical(value)).toBe(written(value))
    }),
  )
})

test('the order of keys in memory does not matter, and reading back gives the same value', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue()), value => {
      const reversed = Object.fromEntries(Object.entries(value).toReversed())
      expect(canonical(reversed as Json)).toBe(canonical(value as Json))
      expect(canonical(JSON.parse(canonical(value as Json)) as Json)).toBe(canonical(value as Json))
    }),
  )
})

test('byCodePoint orders as the code points do', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (a, b) => {
      const points = (text: string): number[] => Array.from(text, char => char.codePointAt(0) ?? 0)
      const [x, y] = [points(a), points(b)]
      const at = x.findIndex((point, index) => point !== y[index])
      const expected = at === -1 ? x.length - y.length : (x[at] ?? 0) - (y[at] ?? -1)
      expect(Math.sign(byCodePoint(a, b))).toBe(Math.sign(expected))
    }),
  )
})

test('what JSON cannot say is a bug of ours', () => {
  expect(() => canonical(Number.NaN)).toThrow(TypeError)
  expect(() => canonical(undefined as unknown as Json)).toThrow(TypeError)
  expect(() => canonical({ a: [{ b: undefined }] } as unknown as Json)).toThrow(TypeError)
  expect(() => canonical({ a: Number.POSITIVE_INFINITY })).toThrow(TypeError)
})

test('a digest is SHA-256 over the canonical bytes', () => {
  expect(digestBytes('')).toBe('sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855')
  expect(digest({ b: 1, a: 'ä' })).toBe(digestBytes('{"a":"ä","b":1}'))
})

test('the digest of something large is that of its canonical bytes', () => {
  const leaf = fc.jsonValue({ maxDepth: 3 })
  fc.assert(
    fc.property(fc.dictionary(fc.string({ unit: 'binary' }), fc.oneof(leaf, fc.array(leaf), fc.dictionary(fc.string({ unit: 'binary' }), leaf))), value => {
      expect(digestLarge(value as { [key: string]: Json })).toBe(digest(value as Json))
    }),
  )
})
