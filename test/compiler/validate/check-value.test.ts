import { Ajv2020 } from 'ajv/dist/2020.js'
import { describe, expect, test } from 'vitest'
import { checkValue } from '../../../compiler/validate/check-value.ts'
import { suggest } from '../../../schemas/cel/suggest.ts'
import { DOCUMENT_SHAPES } from '../../../schemas/documents/kinds.ts'
import { inventoryShape } from '../../../schemas/inventory.ts'
import { lockShape } from '../../../schemas/lock.ts'
import { either, integer, literal, list, map, object, oneOf, optional, string } from '../../../schemas/shape.ts'
import type { Json, JsonSchema, Shape } from '../../../schemas/shape.ts'
import fc from '../../property.ts'

const SHAPES: Readonly<Record<string, Shape<unknown>>> = { ...DOCUMENT_SHAPES, lock: lockShape, inventory: inventoryShape }

const SAMPLES = ['web', 'a', '192.168.1.0/24', '10.0.0.1-10.0.0.9', '52:54:00:00:00:01', '10m', '5%', '/', 'rest', '4GiB', 'https://example.com/x', 'age1x', 'austin.example.com', '1.2.3', '10g+', 'a'.repeat(64), 'barclamp.path']

/** Values that fit a schema, or nearly. */
function nearly(schema: JsonSchema): fc.Arbitrary<Json> {
  const odd = fc.constantFrom<Json>(null, true, 0, -1, 1.5, 70000, '', 'x', 'Not A Name', '12', [], ['x'], {}, { x: 1 }, { secret: 'a/b' })
  const fitting = ((): fc.Arbitrary<Json> => {
    const alternatives = schema['anyOf'] as readonly JsonSchema[] | undefined
    if (alternatives !== undefined) return fc.oneof(...alternatives.map(nearly))
    if (schema['enum'] !== undefined) return fc.constantFrom(...(schema['enum'] as readonly Json[]))
    if (schema['const'] !== undefined) return fc.constant(schema['const'] as Json)
    switch (schema['type']) {
      case 'string':
        return fc.oneof({ weight: 30, arbitrary: fc.constantFrom(...SAMPLES.filter((text) => new RegExp((schema['pattern'] ?? '') as string, 'u').test(text))) }, { weight: 1, arbitrary: fc.constantFrom(...SAMPLES) })
      case 'integer':
        return fc.constantFrom(0, 1, 3, 100, 1500)
      case 'boolean':
        return fc.boolean()
      case 'array':
        return fc.array(nearly((schema['items'] ?? {}) as JsonSchema), { maxLength: 3 })
      case 'object': {
        const properties = (schema['properties'] ?? {}) as Readonly<Record<string, JsonSchema>>
        const known = Object.fromEntries(Object.entries(properties).map(([key, inside]) => [key, nearly(inside)]))
        const others = schema['additionalProperties'] as JsonSchema | false | undefined
        const more = fc.dictionary(fc.constantFrom('web', 'x', 'A b', 'system'), others === undefined || others === false ? odd : nearly(others), { maxKeys: 2, noNullPrototype: true })
        const usual = fc.record(known, { requiredKeys: (schema['required'] ?? []) as string[], noNullPrototype: true }) as fc.Arbitrary<Record<string, Json>>
        if (others === false) return fc.oneof({ weight: 20, arbitrary: usual }, { weight: 1, arbitrary: fc.tuple(usual, more).map(([a, b]) => ({ ...b, ...a })) })
        return fc.tuple(usual, more).map(([a, b]) => ({ ...b, ...a }))
      }
      default:
        return odd
    }
  })()
  return fc.oneof({ weight: 40, arbitrary: fitting }, { weight: 1, arbitrary: odd })
}

describe('against a full JSON Schema validator', () => {
  const ajv = new Ajv2020({ strict: false, allErrors: false })

  test.each(Object.keys(SHAPES))('%s: accepts and refuses the same', (kind) => {
    const { json } = SHAPES[kind] as Shape<unknown>
    const validate = ajv.compile(json)
    let good = 0
    fc.assert(
      fc.property(nearly(json), (value) => {
        const fits = validate(value)
        if (fits) good++
        expect(checkValue(json, value, 'it').length === 0, JSON.stringify(value)).toBe(fits)
      }),
      { numRuns: 200, seed: 7 },
    )
    expect(good).toBeGreaterThan(0)
  })

  test('a keyword that nobody wrote code for is our bug, not the author’s', () => {
    expect(() => checkValue({ type: 'string', maxLength: 3 }, 'x', 'it')).toThrow(TypeError)
  })
})

describe('what it says', () => {
  const shape = object({
    kind: literal('thing'),
    size: optional(integer({ min: 1, max: 9 })),
    mode: optional(oneOf(['server', 'proxy', 'off'])),
    label: optional(string({ min: 1 })),
    tags: optional(list(string({ pattern: '^[a-z]+$' }), { min: 1 })),
    nested: optional(object({ network: string(), address: string() })),
    choice: optional(either([literal('builtin'), object({ path: string() }), object({ git: string(), ref: string() })])),
    names: optional(map(integer(), '^[a-z]+$')),
  })
  const say = (value: Json): readonly string[] =>
    checkValue(shape.json, value, 'a thing').map(({ code, pointer, at, summary, fix }) => `${code} ${at} ${pointer.join('.')}: ${summary}${fix === undefined ? '' : ` ${fix}`}`)

  test.each<[string, Json, readonly string[]]>([
    ['a key that is nearly one', { kind: 'thing', sise: 3 }, ['FIELD_UNKNOWN key sise: A thing has no field `sise`. Did you mean `size`?']],
    ['a misspelt key that is required is one complaint', { kind: 'thing', nested: { netwrok: 'a', address: 'b' } }, ['FIELD_UNKNOWN key nested.netwrok: `nested` has no field `netwrok`. Did you mean `network`?']],
    ['a key that is like none', { kind: 'thing', nested: { network: 'a', address: 'b', zzz: 1 } }, ['FIELD_UNKNOWN key nested.zzz: `nested` has no field `zzz`. Known fields: network, address.']],
    ['a field that is missing', { kind: 'thing', nested: { network: 'a' } }, ['FIELD_MISSING key nested: `nested` needs a field `address`. Add `address`: text.']],
    ['a number where text belongs', { kind: 'thing', label: 12 }, ['VALUE_INVALID value label: `label` has to be text that is not empty, not 12. Put it in quotes: "12".']],
    ['text where a number belongs', { kind: 'thing', size: 'big' }, ['VALUE_INVALID value size: `size` has to be a whole number from 1 to 9, not "big". Write a whole number from 1 to 9.']],
    ['a number out of bounds', { kind: 'thing', size: 10 }, ['VALUE_INVALID value size: `size` has to be a whole number from 1 to 9, not 10. Write a whole number from 1 to 9.']],
    ['a misspelt word', { kind: 'thing', mode: 'sever' }, ['VALUE_INVALID value mode: `mode` has to be one of server, proxy, off, not "sever". Did you mean `server`?']],
    ['no value', { kind: 'thing', mode: null }, ['VALUE_INVALID key mode: `mode` has no value; it has to be one of server, proxy, off. Write a value, or remove the key.']],
    ['an item of a list', { kind: 'thing', tags: ['a', 'B'] }, ['VALUE_INVALID value tags.1: `tags[1]` has to be text that matches ^[a-z]+$, not "B". Write b.']],
    ['an empty list', { kind: 'thing', tags: [] }, ['VALUE_INVALID value tags: `tags` has to be a list that is not empty, not an empty list. Write a list that is not empty.']],
    ['of alternatives, the one that was begun', { kind: 'thing', choice: { git: 'x' } }, ['FIELD_MISSING key choice: `choice` needs a field `ref`. Add `ref`: text.']],
    ['of alternatives, the one that is nearest', { kind: 'thing', choice: { pth: 'x' } }, ['FIELD_UNKNOWN key choice.pth: `choice` has no field `pth`. Did you mean `path`?']],
    ['of alternatives, all when none is near', { kind: 'thing', choice: 3 }, ['VALUE_INVALID value choice: `choice` has to be `builtin`, or a mapping, not 3. Write `builtin`, or a mapping.']],
    ['a name that is none', { kind: 'thing', names: { 'A b': 1 } }, ['VALUE_INVALID key names.A b: `A b` is no key for `names`: it has to be text that matches ^[a-z]+$. Give it another name.']],
  ])('%s', (_, value, expected) => {
    expect(say(value)).toEqual(expected)
  })
})

describe('suggest', () => {
  test.each([
    ['netwrok', ['network', 'node'], 'network'],
    ['Node', ['network', 'node'], 'node'],
    ['nod', ['network', 'node', 'nodes'], 'node'],
    ['addr', ['address', 'name'], 'address'],
    ['zzz', ['network', 'node'], undefined],
    ['os', ['is', 'zz'], 'is'],
    ['x', ['longer', 'words'], undefined],
  ])('%s', (word, words, expected) => {
    expect(suggest(word, words)).toBe(expected)
  })
})
