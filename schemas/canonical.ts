import { hash } from 'node:crypto'
import type { Json } from './shape.ts'

/**
 * The one way Crowbar writes JSON that is hashed, committed or compared: keys sorted by code point, no spaces,
 * numbers and strings as ECMAScript writes them (RFC 8785 for all values that we use).
 *
 * @throws {TypeError} for what JSON cannot say (undefined, functions, NaN, infinities): a bug of ours.
 */
export function canonical(value: Json): string {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return JSON.stringify(value)
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new TypeError(`not a JSON number: ${value}`)
    return JSON.stringify(value)
  }
  if (Array.isArray(value)) return `[${value.map((item) => canonical(item as Json)).join(',')}]`
  if (typeof value !== 'object') throw new TypeError(`not a JSON value: ${typeof value}`)
  const object = value as { readonly [key: string]: Json }
  let text = ''
  for (const key of sortedKeys(object)) text += `${text === '' ? '' : ','}${JSON.stringify(key)}:${canonical(object[key] as Json)}`
  return `{${text}}`
}

/** Native order is by UTF-16 unit; it differs from code points only where some key has a unit at or above the surrogates. */
function sortedKeys(object: { readonly [key: string]: Json }): string[] {
  const keys = Object.keys(object)
  if (keys.length < 2) return keys
  return keys.some((key) => BEYOND_SURROGATES.test(key)) ? keys.sort(byCodePoint) : keys.sort()
}

const BEYOND_SURROGATES = /[\ud800-\uffff]/

/** `sha256:<64 hex digits>` over the canonical bytes of a value. */
export function digest(value: Json): Digest {
  return digestBytes(canonical(value))
}

/** `sha256:<64 hex digits>` over bytes, or over a string's UTF-8. */
export function digestBytes(bytes: string | Uint8Array): Digest {
  return `sha256:${hash('sha256', bytes, 'hex')}`
}

/** A content address. */
export type Digest = `sha256:${string}`

/** Orders strings by code point, whatever the locale: the only order that Crowbar sorts names by. */
export function byCodePoint(a: string, b: string): number {
  if (a === b) return 0
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i)
    const y = b.charCodeAt(i)
    if (x === y) continue
    // UTF-16 order and code point order differ only where one side is a surrogate and the other lies above them.
    const xs = x >= 0xd800 && x <= 0xdfff
    const ys = y >= 0xd800 && y <= 0xdfff
    if (xs !== ys) return xs ? 1 : -1
    return x - y
  }
  return a.length - b.length
}
