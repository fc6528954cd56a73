import type { Json, JsonSchema } from '../../schemas/shape.ts'
import type { Code } from '../diagnostics/codes.ts'
import type { Pointer } from '../parse/document.ts'
import { suggest } from '../../schemas/cel/suggest.ts'
import { describeSchema, describeValue, pathText } from './words.ts'

/** One thing wrong with a value, in words, and where it is. */
export interface Complaint {
  readonly code: Code
  readonly pointer: Pointer
  /** Whether the key at `pointer` is at fault, or the value. */
  readonly at: 'key' | 'value'
  readonly summary: string
  readonly fix: string | undefined
}

type Fields = { readonly [key: string]: Json }

/**
 * Checks a value against a schema of ours and says in plain words what is wrong; nothing when it fits.
 *
 * It knows the keywords that schemas/shape.ts writes and accepts and refuses exactly what a full JSON Schema validator
 * would (a test holds the two side by side). Of alternatives it complains about the one that was meant.
 *
 * @param owner what the outermost mapping is called, such as "a node".
 * @throws {TypeError} for a keyword that it does not know: our bug.
 */
export function checkValue(schema: JsonSchema, value: Json, owner: string): readonly Complaint[] {
  const complaints: Complaint[] = []
  check(schema, value, [], { owner, complaints })
  return complaints
}

interface Context {
  readonly owner: string
  readonly complaints: Complaint[]
}

const KEYWORDS = new Set(['type', 'properties', 'required', 'additionalProperties', 'propertyNames', 'items', 'minItems', 'pattern', 'minLength', 'minimum', 'maximum', 'enum', 'const', 'anyOf', 'description'])

function check(schema: JsonSchema, value: Json, pointer: Pointer, context: Context): void {
  for (const keyword of Object.keys(schema)) if (!KEYWORDS.has(keyword)) throw new TypeError(`unknown keyword in a schema: ${keyword}`)
  const alternatives = schema['anyOf'] as readonly JsonSchema[] | undefined
  if (alternatives !== undefined) return checkAlternatives(schema, alternatives, value, pointer, context)
  const words = (schema['enum'] ?? (schema['const'] === undefined ? undefined : [schema['const']])) as readonly Json[] | undefined
  if (words !== undefined && !words.includes(value)) return complain(wrong(schema, value, pointer, words), context)
  const { type } = schema
  if (type !== undefined && !isOfType(type as string, value)) return complain(wrong(schema, value, pointer, []), context)
  if (typeof value === 'string') checkText(schema, value, pointer, context)
  else if (typeof value === 'number') checkNumber(schema, value, pointer, context)
  else if (Array.isArray(value)) checkList(schema, value as readonly Json[], pointer, context)
  else if (value !== null && typeof value === 'object') checkMapping(schema, value as Fields, pointer, context)
}

function checkText(schema: JsonSchema, value: string, pointer: Pointer, context: Context): void {
  const pattern = schema['pattern'] as string | undefined
  const tooShort = value.length < ((schema['minLength'] as number | undefined) ?? 0)
  if (tooShort || (pattern !== undefined && !expression(pattern).test(value))) complain(wrong(schema, value, pointer, []), context)
}

function checkNumber(schema: JsonSchema, value: number, pointer: Pointer, context: Context): void {
  const { minimum = -Infinity, maximum = Infinity } = schema as { minimum?: number; maximum?: number }
  if (value < minimum || value > maximum) complain(wrong(schema, value, pointer, []), context)
}

function checkList(schema: JsonSchema, value: readonly Json[], pointer: Pointer, context: Context): void {
  if (value.length < ((schema['minItems'] as number | undefined) ?? 0)) complain(wrong(schema, value, pointer, []), context)
  const items = schema['items'] as JsonSchema | undefined
  if (items !== undefined) for (const [index, item] of value.entries()) check(items, item, [...pointer, index], context)
}

function checkMapping(schema: JsonSchema, value: Fields, pointer: Pointer, context: Context): void {
  const properties = (schema['properties'] ?? {}) as Readonly<Record<string, JsonSchema>>
  const others = schema['additionalProperties'] as JsonSchema | false | undefined
  const names = (schema['propertyNames'] as { readonly pattern: string } | undefined)?.pattern
  const owner = (): string => (pointer.length === 0 ? context.owner : `\`${pathText(pointer)}\``)
  const required = (schema['required'] ?? []) as readonly string[]
  const missing = required.filter((key) => !Object.hasOwn(value, key))
  const misspelt = new Set<string>()
  for (const [key, item] of Object.entries(value)) {
    const inside = [...pointer, key]
    if (names !== undefined && !expression(names).test(key)) {
      const summary = `\`${key}\` is no key for ${owner()}: it has to be ${describeSchema({ type: 'string', pattern: names })}.`
      complain({ code: 'VALUE_INVALID', pointer: inside, at: 'key', summary, fix: 'Give it another name.' }, context)
    }
    if (Object.hasOwn(properties, key)) check(properties[key] as JsonSchema, item, inside, context)
    else if (others === false) {
      const guess = suggest(key, [...missing, ...Object.keys(properties).filter((known) => !Object.hasOwn(value, known))])
      if (guess !== undefined) misspelt.add(guess)
      const fix = guess === undefined ? `Known fields: ${Object.keys(properties).join(', ')}.` : `Did you mean \`${guess}\`?`
      complain({ code: 'FIELD_UNKNOWN', pointer: inside, at: 'key', summary: `${capital(owner())} has no field \`${key}\`.`, fix }, context)
    } else if (others !== undefined) check(others, item, inside, context)
  }
  for (const key of missing) {
    if (misspelt.has(key)) continue
    const schemaOfKey = properties[key]
    const fix = schemaOfKey === undefined ? undefined : `Add \`${key}\`: ${describeSchema(schemaOfKey)}.`
    complain({ code: 'FIELD_MISSING', pointer, at: 'key', summary: `${capital(owner())} needs a field \`${key}\`.`, fix }, context)
  }
}

/** Complains about the alternative that was most likely meant; about the choice itself when none is near. */
function checkAlternatives(schema: JsonSchema, alternatives: readonly JsonSchema[], value: Json, pointer: Pointer, context: Context): void {
  const results = alternatives.map((alternative) => {
    const complaints: Complaint[] = []
    check(alternative, value, pointer, { ...context, complaints })
    return { alternative, complaints }
  })
  if (results.some(({ complaints }) => complaints.length === 0)) return
  const nested = value !== null && typeof value === 'object'
  const sameType = nested ? results.filter(({ alternative }) => isOfType(String(alternative['type']), value)) : []
  const meant = sameType.filter(({ alternative }) => sharesKey(alternative, value))
  const [nearest] = (meant.length > 0 ? meant : sameType).toSorted((a, b) => a.complaints.length - b.complaints.length)
  if (nearest !== undefined) context.complaints.push(...nearest.complaints)
  else complain(wrong(schema, value, pointer, alternatives.flatMap((alternative) => (alternative['const'] === undefined ? [] : [alternative['const'] as Json]))), context)
}

function sharesKey(schema: JsonSchema, value: Json): boolean {
  const properties = schema['properties'] as Readonly<Record<string, JsonSchema>> | undefined
  return properties !== undefined && value !== null && typeof value === 'object' && Object.keys(value).some((key) => Object.hasOwn(properties, key))
}

function wrong(schema: JsonSchema, value: Json, pointer: Pointer, words: readonly Json[]): Complaint {
  const name = pointer.length === 0 ? 'The document' : `\`${pathText(pointer)}\``
  const wanted = describeSchema(schema)
  const guess = typeof value === 'string' ? suggest(value, words.map(String)) : undefined
  let fix = guess === undefined ? undefined : `Did you mean \`${guess}\`?`
  if (isSecret(value)) return { code: 'SECRET_MISPLACED', pointer, at: 'value', summary: `${name} cannot be a secret: what stands here is printed, or shapes the plan.`, fix: 'A secret can stand in attributes, in what roles want and provide, and as `bmc.password`.' }
  if (value === null) return { code: 'VALUE_INVALID', pointer, at: 'key', summary: `${name} has no value; it has to be ${wanted}.`, fix: 'Write a value, or remove the key.' }
  const tidied = typeof value === 'string' ? value.trim().toLowerCase().replaceAll(/[_. ]+/g, '-') : ''
  if (fix === undefined && schema['pattern'] !== undefined && tidied !== value && acceptsText(schema, tidied)) fix = `Write ${tidied}.`
  const scalar = typeof value === 'number' || typeof value === 'boolean'
  const keys = Object.keys((schema['properties'] ?? {}) as object)
  if (schema['type'] === 'object' && keys.length > 0) fix = `Write a mapping with ${keys.join(', ')}.`
  if (schema['type'] === 'array' && value !== null && typeof value !== 'object') fix = `Write a list: [${String(value)}].`
  if (scalar && acceptsText(schema, String(value))) fix = `Put it in quotes: "${String(value)}".`
  return { code: 'VALUE_INVALID', pointer, at: 'value', summary: `${name} has to be ${wanted}, not ${describeValue(value)}.`, fix: fix ?? `Write ${wanted}.` }
}

/** `{ secret: path }`. */
function isSecret(value: Json): boolean {
  return value !== null && typeof value === 'object' && 'secret' in value && Object.keys(value).length === 1
}

function acceptsText(schema: JsonSchema, text: string): boolean {
  return schema['enum'] === undefined && checkValue(schema, text, '').length === 0
}

function isOfType(type: string, value: Json): boolean {
  switch (type) {
    case 'null':
      return value === null
    case 'integer':
      return Number.isInteger(value)
    case 'array':
      return Array.isArray(value)
    case 'object':
      return value !== null && typeof value === 'object' && !Array.isArray(value)
    default:
      return typeof value === type
  }
}

const expressions = new Map<string, RegExp>()

function expression(pattern: string): RegExp {
  let compiled = expressions.get(pattern)
  if (compiled === undefined) expressions.set(pattern, (compiled = new RegExp(pattern, 'u')))
  return compiled
}

function complain(complaint: Complaint, context: Context): void {
  context.complaints.push(complaint)
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}
