import { describe, expect, test } from 'vitest'
import { compile, evaluate } from '../../../schemas/cel/evaluate.ts'
import { fromJson, toJson } from '../../../schemas/cel/json.ts'
import type { Json } from '../../../schemas/cel/json.ts'
import { kindOf } from '../../../schemas/cel/value.ts'
import fc from '../../property.ts'

function result(source: string): unknown {
  const { program } = compile(source, { variables: {}, functions: [] })
  if (program === undefined) throw new Error('does not compile')
  const evaluation = evaluate(program, {})
  if (evaluation.kind !== 'value') throw new Error('does not evaluate')
  const converted = toJson(evaluation.value)
  return converted.kind === 'json' ? converted.json : `error: ${converted.message}`
}

describe('toJson', () => {
  test('gives back every JSON value as it came', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (json) => {
        expect(toJson(fromJson(json as Json))).toEqual({ kind: 'json', json })
      }),
    )
    const own = JSON.parse('{"__proto__": {"constructor": 1}}') as Json
    expect(JSON.stringify((toJson(own) as { json: Json }).json)).toBe('{"__proto__":{"constructor":1}}')
  })

  test.each([
    ["{'a': [1, 2u, 1.0, 1.5, null, true, 's']}", { a: [1, 2, 1, 1.5, null, true, 's'] }],
    ["timestamp('2026-01-02T03:04:05.120+02:00')", '2026-01-02T01:04:05.12Z'],
    ["[duration('1h30m'), duration('-500ms'), duration('0s')]", ['5400s', '-0.5s', '0s']],
    ['9007199254740991', 9007199254740991],
  ])('%s', (source, json) => {
    expect(result(source)).toEqual(json)
  })

  test.each([
    ['9007199254740992', '9007199254740992 is too large for a JSON number; use string(…)'],
    ["{'a': [-9223372036854775808]}", 'at a[0]: -9223372036854775808 is too large for a JSON number; use string(…)'],
    ['[18446744073709551615u]', 'at [0]: 18446744073709551615 is too large for a JSON number; use string(…)'],
    ['0.0 / 0.0', 'NaN is not a JSON number'],
    ["{'a': {'b': 1.0 / 0.0}}", 'at a.b: Infinity is not a JSON number'],
    ["b'x'", 'bytes are not JSON; use string(…) or base64.encode(…)'],
    ['{1: 2}', 'a JSON key is a string, this one is int'],
    ['type(1)', 'a type is not JSON'],
    ['optional.of(1)', 'an optional value is not JSON; use orValue(…)'],
  ])('cannot say %s', (source, message) => {
    expect(result(source)).toBe(`error: ${message}`)
  })
})

test('JSON integers are ints and other numbers are doubles', () => {
  expect([0, -5, 2 ** 53 - 1].map((value) => kindOf(fromJson(value)))).toEqual(['int', 'int', 'int'])
  expect([0.5, 1e300, 2 ** 53].map((value) => kindOf(fromJson(value)))).toEqual(['double', 'double', 'double'])
})
