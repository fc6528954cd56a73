import { compileRegex } from '../../schemas/cel/regex/regex.ts'
import type { Json } from '../../schemas/shape.ts'

type Fits = (value: Json) => boolean
type Mapping = { readonly [key: string]: Json }

/**
 * A quick check against a JSON Schema that is made of the keywords which most are made of.
 *
 * @returns whether a value fits; undefined for a schema with any other keyword, or with one that is used wrongly: the
 * full validator is asked then. A value that does not fit is shown to that one too, for it knows how to say why.
 */
export function ordinarySchema(schema: Json): Fits | undefined {
  if (!isMap(schema)) return undefined
  const all: Fits[] = []
  for (const [keyword, value] of Object.entries(schema)) {
    const fits = KEYWORDS.get(keyword)?.(value, schema)
    if (fits === undefined) return undefined
    if (fits !== always) all.push(fits)
  }
  const [only] = all
  return all.length < 2 ? (only ?? always) : (value) => all.every((fits) => fits(value))
}

const always: Fits = () => true

/** What says nothing of a value. */
const remark = (isRemark: (value: Json) => boolean) => (value: Json) => (isRemark(value) ? always : undefined)

const KEYWORDS: ReadonlyMap<string, (value: Json, schema: Mapping) => Fits | undefined> = new Map([
  ['title', remark(isText)],
  ['description', remark(isText)],
  ['$comment', remark(isText)],
  ['format', remark(isText)],
  ['default', remark(() => true)],
  ['examples', remark(Array.isArray)],
  ['type', typeFits],
  ['enum', enumFits],
  ['minimum', (limit) => (isNumber(limit) ? (value) => !isNumber(value) || value >= limit : undefined)],
  ['maximum', (limit) => (isNumber(limit) ? (value) => !isNumber(value) || value <= limit : undefined)],
  ['minLength', (limit) => (isCount(limit) ? (value) => !isText(value) || Array.from(value).length >= limit : undefined)],
  ['maxLength', (limit) => (isCount(limit) ? (value) => !isText(value) || Array.from(value).length <= limit : undefined)],
  ['minItems', (limit) => (isCount(limit) ? (value) => !Array.isArray(value) || value.length >= limit : undefined)],
  ['maxItems', (limit) => (isCount(limit) ? (value) => !Array.isArray(value) || value.length <= limit : undefined)],
  ['pattern', patternFits],
  ['items', itemsFit],
  ['required', requiredFits],
  ['properties', propertiesFit],
  ['additionalProperties', additionalFits],
])

const TYPES: ReadonlyMap<Json, Fits> = new Map<Json, Fits>([
  ['string', isText],
  ['integer', (value) => Number.isInteger(value)],
  ['number', isNumber],
  ['boolean', (value) => typeof value === 'boolean'],
  ['array', Array.isArray],
  ['object', isMap],
  ['null', (value) => value === null],
])

function typeFits(type: Json): Fits | undefined {
  return TYPES.get(type)
}

function enumFits(values: Json): Fits | undefined {
  if (!Array.isArray(values) || values.length === 0 || values.some((value) => typeof value === 'object' && value !== null)) return undefined
  return (value) => values.includes(value)
}

function patternFits(pattern: Json): Fits | undefined {
  const regex = isText(pattern) ? compileRegex(pattern) : ''
  return typeof regex === 'string' ? undefined : (value) => !isText(value) || regex.test(value)
}

function itemsFit(schema: Json): Fits | undefined {
  const fits = ordinarySchema(schema)
  return fits === undefined ? undefined : (value) => !Array.isArray(value) || value.every((item) => fits(item as Json))
}

function requiredFits(names: Json): Fits | undefined {
  if (!Array.isArray(names) || !names.every(isOrdinaryName) || new Set(names).size < names.length) return undefined
  return (value) => !isMap(value) || names.every((name) => Object.hasOwn(value, name))
}

function propertiesFit(properties: Json): Fits | undefined {
  if (!isMap(properties) || !Object.keys(properties).every(isOrdinaryName)) return undefined
  const known = new Map<string, Fits>()
  for (const [name, schema] of Object.entries(properties)) {
    const fits = ordinarySchema(schema)
    if (fits === undefined) return undefined
    known.set(name, fits)
  }
  return (value) => !isMap(value) || Object.keys(value).every((name) => known.get(name)?.(value[name] as Json) ?? true)
}

function additionalFits(schema: Json, { properties = {} }: Mapping): Fits | undefined {
  const fits = typeof schema === 'boolean' ? () => schema : ordinarySchema(schema)
  if (fits === undefined || !isMap(properties)) return undefined
  return (value) => !isMap(value) || Object.keys(value).every((name) => Object.hasOwn(properties, name) || fits(value[name] as Json))
}

/** The full validator finds names that every object has, such as `constructor`, in every object, and never misses the empty one. */
function isOrdinaryName(name: unknown): name is string {
  return typeof name === 'string' && name !== '' && !(name in Object.prototype)
}

function isMap(value: Json): value is Mapping {
  return value !== null && typeof value === 'object' && !Array.isArray(value)
}

function isText(value: Json): value is string {
  return typeof value === 'string'
}

function isNumber(value: Json): value is number {
  return typeof value === 'number' && Number.isFinite(value)
}

function isCount(value: Json): value is number {
  return Number.isInteger(value) && (value as number) >= 0
}
