import type { Ajv2020, ErrorObject, ValidateFunction } from 'ajv/dist/2020.js'
import { compileRegex } from '../../schemas/cel/regex/regex.ts'
import type { Report } from '../../schemas/diagnostic.ts'
import type { ValueType } from '../../schemas/documents/barclamp.ts'
import { loadAjv } from '../../schemas/load-ajv.ts'
import { own } from '../../schemas/own.ts'
import type { Json } from '../../schemas/shape.ts'
import { error, warning } from '../diagnostics/diagnostic.ts'
import { knownNames } from '../diagnostics/known-names.ts'
import { rangeOf } from '../parse/document.ts'
import type { Pointer } from '../parse/document.ts'
import type { ResolvedBarclamp } from '../resolve/resolved-site.ts'
import type { Layer } from './layer.ts'
import { ordinarySchema } from './ordinary-schema.ts'
import { pointerOf } from './pointer-of.ts'

type Schema = { readonly [key: string]: Json }

/** The schema of a barclamp's attributes, ready to use. */
export interface AttributeSchema {
  /** What its `default`s say; null when they say nothing. */
  readonly defaults: Layer | null
  /** Every problem of a document; empty when it fits. */
  readonly check: (document: Json) => readonly ErrorObject[]
  /** The declared type at a place; undefined when the schema does not say in one word. */
  readonly typeAt: (pointer: Pointer) => ValueType | undefined
}

/** Compiles the schema of a barclamp. One that is none is reported and then allows everything. */
export function compileSchema(barclamp: ResolvedBarclamp, report: Report): AttributeSchema {
  const { value, source } = barclamp.document
  const schema = (value.attributes ?? { type: 'object', additionalProperties: false }) as Schema
  // The full validator costs more to make ready than everything else that most barclamps need.
  const fits = ordinarySchema(schema)
  const wrong = findWrong(schema, { ordinary: fits !== undefined })
  let validate = wrong !== undefined ? wrong.summary : fits === undefined ? compile(schema) : undefined
  if (typeof validate === 'string') {
    const at = ['attributes', ...(wrong?.pointer ?? [])]
    report(error('BARCLAMP_SCHEMA', rangeOf(source, at), `The attributes of ${value.name} are not described by a usable JSON Schema: ${validate}.`, { fix: wrong?.fix ?? 'Write JSON Schema 2020-12, with everything in this one document.' }))
  }
  const places = new Map<string, Pointer>()
  const defaults = defaultsOf(schema, { root: schema, at: ['attributes'], pointer: [], places, depth: 0, given: undefined })
  if (typeof validate !== 'string') {
    const used = new Set([...places.values()].map((place) => JSON.stringify(place)))
    for (const place of defaultsIn(schema, ['attributes'])) {
      if (!used.has(JSON.stringify(place))) report(warning('BARCLAMP_SCHEMA', rangeOf(source, place), 'This default is never taken.', { detail: 'Defaults count for attributes that have a name in `properties`, from the outermost one inwards; not for the items of a list, the values of a map whose keys are free, nor one of several alternatives.', fix: 'Take it away, or let the role do without the value.' }))
    }
  }
  const nothing = defaults === undefined || defaults === null || typeof defaults !== 'object' || Array.isArray(defaults)
  return {
    defaults: nothing ? null : { name: 'default', value: defaults, document: source, at: (pointer) => placeOfDefault(places, pointer) },
    check: (document) => {
      if (fits?.(document) === true) return []
      validate ??= compile(schema)
      if (typeof validate === 'string' || validate(document)) return []
      return [...(validate.errors ?? [])]
    },
    typeAt: (pointer) => typeAt(schema, schema, pointer),
  }
}

interface Wrong {
  /** Into the schema. */
  readonly pointer: Pointer
  readonly summary: string
  readonly fix: string | undefined
}

/** What people get wrong about a schema, before a validator says it in its own words. */
function findWrong(schema: Schema, { ordinary }: { readonly ordinary: boolean }): Wrong | undefined {
  if (schema['type'] !== undefined && schema['type'] !== 'object') return { pointer: ['type'], summary: 'attributes are a mapping', fix: 'Write `type: object`.' }
  return ordinary ? undefined : (danglingReference(schema, schema, []) ?? notSchema(schema))
}

function danglingReference(value: Json, root: Schema, pointer: Pointer): Wrong | undefined {
  if (value === null || typeof value !== 'object' || pointer.length > 100) return undefined
  for (const [key, inner] of Object.entries(value)) {
    const at = [...pointer, Array.isArray(value) ? Number(key) : key]
    if (key === '$ref' && typeof inner === 'string') {
      if (!inner.startsWith('#')) return { pointer: at, summary: `${inner} is another document, which is not read`, fix: 'Copy what it says to `$defs`, and refer to it as #/$defs/NAME.' }
      if (inner.startsWith('#/') && referred(root, inner) === undefined) {
        const names = Object.keys(asSchema(root['$defs']) ?? {}).map((name) => `#/$defs/${name}`)
        return { pointer: at, summary: `nothing stands at ${inner}`, fix: names.length === 0 ? 'Describe it below `$defs`, and refer to it as #/$defs/NAME.' : knownNames(inner, names) }
      }
      continue
    }
    // What an author gives as a value is no schema.
    if (VALUES.has(key)) continue
    const found = danglingReference(inner as Json, root, at)
    if (found !== undefined) return found
  }
  return undefined
}

const VALUES: ReadonlySet<string> = new Set(['default', 'const', 'enum', 'examples'])

function notSchema(schema: Schema): Wrong | undefined {
  const ajv = validator()
  if (ajv.validateSchema(schema) === true) return undefined
  // The first is the outermost alternative; the deepest place is what was written wrong.
  const [problem] = (ajv.errors ?? []).toSorted((a, b) => b.instancePath.length - a.instancePath.length)
  if (problem === undefined) return undefined
  const pointer = pointerOf(problem.instancePath, schema)
  const allowed = (problem.params as { readonly allowedValues?: readonly Json[] }).allowedValues
  const said = pointer.reduce<Json | undefined>((at, key) => (at as Readonly<Record<string | number, Json>> | null | undefined)?.[key], schema)
  const fix = allowed === undefined ? undefined : typeof said === 'string' ? knownNames(said, allowed.map(String)) : `One of ${allowed.map(String).join(', ')}.`
  return { pointer, summary: `\`${pointer.join('.')}\` ${problem.message ?? 'is wrong'}`, fix }
}

let made: Ajv2020 | undefined

/**
 * Patterns run in an automaton that never backtracks, because a schema may come from anybody. What was compiled is not
 * found again by its `$id`: the next revision of a barclamp has the same one.
 */
function validator(): Ajv2020 {
  if (made === undefined) {
    const { Ajv2020: Validator } = loadAjv()
    made = new Validator({ allErrors: true, strict: false, validateFormats: false, addUsedSchema: false, code: { regExp: Object.assign(safeRegExp, { code: 'safeRegExp' }) } })
  }
  return made
}

function safeRegExp(pattern: string): RegExp {
  const regex = compileRegex(pattern)
  if (typeof regex === 'string') throw new TypeError(`the pattern ${pattern} cannot be used: ${regex}`)
  // ajv tells patterns apart by what toString gives.
  return { test: (text: string) => regex.test(text), toString: () => pattern } as RegExp
}

function compile(schema: Schema): ValidateFunction | string {
  try {
    return validator().compile(schema)
  } catch (problem) {
    return (problem as Error).message
  }
}

interface DefaultsAt {
  readonly root: Schema
  /** Of the schema, in the barclamp's document. */
  readonly at: Pointer
  /** Of the attribute. */
  readonly pointer: Pointer
  readonly places: Map<string, Pointer>
  readonly depth: number
  /** What a default further out says of this place. */
  readonly given: Json | undefined
}

/** The value that defaults give: an object's own default, or what is `given` in its place, with those of its properties filled in. */
function defaultsOf(schema: Schema, { root, at, pointer, places, depth, given }: DefaultsAt): Json | undefined {
  if (depth > 32) return given
  const { target, place, said } = follow(schema, root, at)
  if (given === undefined && said !== undefined) places.set(JSON.stringify(pointer), said.place)
  const own = given === undefined ? said?.value : given
  const properties = asSchema(target['properties'])
  if (properties === undefined || (own !== undefined && asSchema(own) === undefined)) return own
  const value = new Map(Object.entries(asSchema(own) ?? {}))
  for (const [key, inner] of Object.entries(properties)) {
    const child = asSchema(inner)
    if (child === undefined) continue
    const found = defaultsOf(child, { root, at: [...place, 'properties', key], pointer: [...pointer, key], places, depth: depth + 1, given: value.get(key) })
    if (found !== undefined) value.set(key, found)
  }
  return value.size === 0 && own === undefined ? undefined : Object.fromEntries(value)
}

/** A default covers all that is inside it. */
function placeOfDefault(places: ReadonlyMap<string, Pointer>, pointer: Pointer): Pointer {
  for (let length = pointer.length; length >= 0; length--) {
    const place = places.get(JSON.stringify(pointer.slice(0, length)))
    if (place !== undefined) return [...place, ...pointer.slice(length)]
  }
  return ['attributes', ...pointer.flatMap((key) => ['properties', key])]
}

interface Followed {
  readonly target: Schema
  readonly place: Pointer
  /** The default of the first on the way that has one: what stands beside a reference goes before what it leads to. */
  readonly said: { readonly value: Json; readonly place: Pointer } | undefined
}

function follow(schema: Schema, root: Schema, at: Pointer): Followed {
  let target = schema
  let place = at
  let said: Followed['said']
  for (let hops = 0; ; hops++) {
    if (said === undefined && target['default'] !== undefined) said = { value: target['default'], place: [...place, 'default'] }
    const reference = target['$ref']
    const found = hops < 16 && typeof reference === 'string' && reference.startsWith('#/') ? referred(root, reference) : undefined
    if (found === undefined) return { target, place, said }
    target = found.schema
    place = ['attributes', ...found.keys]
  }
}

const SCHEMAS_BY_NAME = ['properties', 'patternProperties', '$defs', 'definitions', 'dependentSchemas']
const SCHEMAS = ['items', 'additionalProperties', 'contains', 'propertyNames', 'not', 'if', 'then', 'else', 'unevaluatedItems', 'unevaluatedProperties']
const LISTS_OF_SCHEMAS = ['allOf', 'anyOf', 'oneOf', 'prefixItems']

/** The place of every default. */
function* defaultsIn(value: Json | undefined, at: Pointer): Generator<Pointer> {
  const schema = asSchema(value)
  if (schema === undefined || at.length > 100) return
  if (schema['default'] !== undefined) yield [...at, 'default']
  for (const key of SCHEMAS_BY_NAME) for (const [name, inner] of Object.entries(asSchema(schema[key]) ?? {})) yield* defaultsIn(inner, [...at, key, name])
  for (const key of SCHEMAS) yield* defaultsIn(schema[key], [...at, key])
  for (const key of LISTS_OF_SCHEMAS) {
    const list = schema[key]
    if (Array.isArray(list)) for (const [i, inner] of list.entries()) yield* defaultsIn(inner as Json, [...at, key, i])
  }
}

/** What a reference into the document itself leads to (RFC 6901). */
function referred(root: Schema, reference: string): { readonly schema: Schema; readonly keys: readonly string[] } | undefined {
  const keys = reference.slice(2).split('/').map((key) => key.replaceAll('~1', '/').replaceAll('~0', '~'))
  let next: Json | undefined = root
  for (const key of keys) next = own(asSchema(next), key)
  const schema = asSchema(next)
  return schema === undefined ? undefined : { schema, keys }
}

const TYPES: Readonly<Record<string, ValueType>> = { string: 'string', integer: 'integer', number: 'number', boolean: 'boolean', array: 'list', object: 'map' }

function typeAt(schema: Schema, root: Schema, pointer: Pointer): ValueType | undefined {
  let { target } = follow(schema, root, [])
  for (const key of pointer) {
    const inner = typeof key === 'number' ? target['items'] : (own(asSchema(target['properties']), key) ?? target['additionalProperties'])
    const found = asSchema(inner)
    if (found === undefined) return undefined
    target = follow(found, root, []).target
  }
  return typeof target['type'] === 'string' ? TYPES[target['type']] : undefined
}

function asSchema(value: Json | undefined): Schema | undefined {
  return value !== undefined && value !== null && typeof value === 'object' && !Array.isArray(value) ? (value as Schema) : undefined
}
