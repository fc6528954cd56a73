import { Ajv2020 } from 'ajv/dist/2020.js'
import { expect, test } from 'vitest'
import { ordinarySchema } from '../../../compiler/inject/ordinary-schema.ts'
import type { Json } from '../../../schemas/shape.ts'
import fc from '../../property.ts'

const ajv = new Ajv2020({ strict: false, validateFormats: false, addUsedSchema: false })

/** What the full validator says of a value; undefined when it refuses the schema. */
function judged(schema: Json, value: Json): boolean | undefined {
  try {
    return ajv.validate(schema as object, value)
  } catch {
    return undefined
  }
}

const names = fc.constantFrom('a', 'b', 'c', '', 'constructor', '__proto__')
const leaves = fc.oneof(
  fc.constantFrom<Json>(null, true, false, 0, 1, -1, 1.5, 2 ** 40, '', 'a', 'ab', '1', 'é', '😀', 'constructor'),
  fc.string({ maxLength: 3, unit: 'grapheme' }),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
)
const values = fc.letrec<{ readonly value: Json }>((tie) => ({
  value: fc.oneof({ maxDepth: 3 }, leaves, fc.array(tie('value'), { maxLength: 3 }), fc.dictionary(names, tie('value'), { maxKeys: 3 })),
})).value

const keywords = (schema: fc.Arbitrary<Json>): Readonly<Record<string, fc.Arbitrary<Json>>> => ({
  type: fc.constantFrom('string', 'integer', 'number', 'boolean', 'array', 'object', 'null'),
  title: fc.constantFrom('A title', ''),
  default: leaves,
  enum: fc.array(leaves, { minLength: 1, maxLength: 3 }),
  minimum: fc.constantFrom(0, 1.5),
  maximum: fc.constantFrom(1, 10),
  minLength: fc.nat(2),
  maxLength: fc.nat(2),
  minItems: fc.nat(2),
  maxItems: fc.nat(2),
  pattern: fc.constantFrom('^a', '[0-9]', 'b$'),
  items: schema,
  required: fc.uniqueArray(names, { maxLength: 2 }),
  properties: fc.dictionary(names, schema, { maxKeys: 3 }),
  additionalProperties: fc.oneof(fc.boolean(), schema),
})

const schemas = fc.letrec<{ readonly schema: Json }>((tie) => ({
  schema: fc.oneof({ maxDepth: 3 }, fc.constantFrom<Json>({}, { type: 'string' }, { type: 'object' }), fc.record(keywords(tie('schema')), { requiredKeys: [] }).map((schema) => schema as Json)),
})).schema

/** One keyword that is not what it should be. */
const spoiled = fc.tuple(fc.constantFrom(...Object.keys(keywords(fc.constant(null))), 'format', 'description', '$ref', 'oneOf', 'dependentRequired'), values).map(([keyword, value]): Json => ({ type: 'object', [keyword]: value }))

test('an ordinary schema says of every value what the full validator says', () => {
  let ordinary = 0
  let misfits = 0
  fc.assert(fc.property(schemas, values, (schema, value) => {
    const fits = ordinarySchema(schema)
    if (fits === undefined) return
    ordinary++
    const answer = fits(value)
    if (!answer) misfits++
    expect(answer).toBe(judged(schema, value))
  }), { numRuns: 500 })
  expect(ordinary).toBeGreaterThan(100)
  expect(misfits).toBeGreaterThan(10)
})

test('what the full validator refuses as a schema, or reads in its own way, is left to it', () => {
  fc.assert(fc.property(spoiled, values, (schema, value) => {
    const fits = ordinarySchema(schema)
    if (fits !== undefined) expect(fits(value)).toBe(judged(schema, value))
  }), { numRuns: 500 })
})

test.each<[string, Json]>([
  ['a keyword of another kind', { anyOf: [{ type: 'string' }] }],
  ['a reference', { $ref: '#/$defs/a' }],
  ['a type that there is not', { type: 'text' }],
  ['nothing to choose from', { enum: [] }],
  ['a negative length', { minLength: -1 }],
  ['a pattern that cannot be used', { pattern: '(?=a)' }],
  ['the empty name', { required: [''] }],
  ['a name that every object has', { properties: { constructor: { type: 'string' } } }],
  ['such a schema further inside', { properties: { a: { items: { type: 'text' } } } }],
])('%s is not ordinary', (_, schema) => {
  expect(ordinarySchema(schema)).toBeUndefined()
})

test('the schemas that most barclamps have are ordinary', () => {
  const fits = ordinarySchema({
    type: 'object',
    additionalProperties: false,
    properties: { servers: { type: 'array', items: { type: 'string', minLength: 1 }, default: ['ntp.example.com'] }, port: { type: 'integer', minimum: 1, maximum: 65535 } },
  })
  expect(fits?.({ servers: ['a'], port: 80 })).toBe(true)
  expect(fits?.({ servers: [''] })).toBe(false)
  expect(fits?.({ port: 0 })).toBe(false)
  expect(fits?.({ prot: 80 })).toBe(false)
})
