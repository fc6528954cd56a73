import { formatDuration, formatTimestamp } from './library/time.ts'
import { Double, Duration, entriesOf, isList, kindOf, Timestamp, typeWord, Uint } from './value.ts'
import type { CelValue } from './value.ts'

/** A JSON value. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }

export type ToJson =
  { readonly kind: 'json'; readonly json: Json } | { readonly kind: 'error'; readonly message: string }

/**
 * A JSON value as a CEL value, which it is already: integers within ±(2^53−1) are ints, other numbers doubles, objects
 * maps. Nothing is copied.
 */
export function fromJson(json: Json): CelValue {
  return json
}

/**
 * The result of an expression as JSON. Timestamps and durations become their canonical strings, doubles and uints
 * numbers. What JSON cannot say is an error that names the place: ints beyond ±(2^53−1), NaN and infinities, bytes,
 * types, optional values, keys that are no strings.
 */
export function toJson(value: CelValue): ToJson {
  try {
    return { kind: 'json', json: convert(value, '') }
  } catch (error) {
    if (error instanceof Unfit) return { kind: 'error', message: error.message }
    if (error instanceof RangeError) return { kind: 'error', message: 'the value is nested too deep' }
    throw error
  }
}

class Unfit extends Error {
  constructor(path: string, why: string) {
    super(path === '' ? why : `at ${path}: ${why}`)
  }
}

function convert(value: CelValue, path: string): Json {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return value
  if (typeof value === 'number' || value instanceof Double) {
    const number = typeof value === 'number' ? value : value.value
    if (!Number.isFinite(number)) throw new Unfit(path, `${number} is not a JSON number`)
    return number
  }
  if (typeof value === 'bigint' || value instanceof Uint) {
    const integer = typeof value === 'bigint' ? value : value.value
    if (integer > BigInt(Number.MAX_SAFE_INTEGER) || integer < -BigInt(Number.MAX_SAFE_INTEGER)) {
      throw new Unfit(path, `${integer} is too large for a JSON number; use string(…)`)
    }
    return Number(integer)
  }
  if (value instanceof Timestamp) return formatTimestamp(value)
  if (value instanceof Duration) return formatDuration(value)
  if (isList(value)) return value.map((item, index) => convert(item, `${path}[${index}]`))
  const entries = entriesOf(value)
  if (entries === undefined) throw new Unfit(path, unfit(value))
  return Object.fromEntries(
    entries.map(([key, item]) => {
      if (typeof key !== 'string') throw new Unfit(path, `a JSON key is a string, this one is ${typeWord(key)}`)
      return [key, convert(item, path === '' ? key : `${path}.${key}`)]
    }),
  )
}

function unfit(value: CelValue): string {
  const kind = kindOf(value)
  if (kind === 'bytes') return 'bytes are not JSON; use string(…) or base64.encode(…)'
  return kind === 'optional_type' ? 'an optional value is not JSON; use orValue(…)' : `a ${typeWord(value)} is not JSON`
}
