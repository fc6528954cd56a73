import { createHash, hash } from 'node:crypto'
import type { Json } from './shape.ts'

/**
 * The one way Crowbar writes JSON that is hashed, committed or compared: keys sorted by code point, no spaces,
 * numbers and strings as ECMAScript writes them (RFC 8785 for all values that we use).
 *
 * @throws {TypeError} for what JSON cannot say (undefined, functions, NaN, infinities): a bug of ours.
 */
export function canonical(value: Json): string {
  if (isSorted(value)) {
    const text = JSON.stringify(value)
    if (!BEYOND_SURROGATES.test(text)) return text
  }
  return sortedText(value)
}

/** Whether a value has all its keys in native order, which is the order that JSON.stringify writes; false for what JSON cannot say. */
function isSorted(value: Json): boolean {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return true
  if (typeof value === 'number') return Number.isFinite(value)
  if (typeof value !== 'object') return false
  if (Array.isArray(value)) return value.every(isSorted)
  const object = value as { readonly [key: string]: Json }
  let before = ''
  for (const key in object) {
    if (key < before || !isSorted(object[key] as Json)) return false
    before = key
  }
  return true
}

function sortedText(value: Json): string {
  if (typeof value === 'string') return JSON.stringify(value)
  if (value === null || typeof value === 'boolean') return String(value)
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new TypeError(`not a JSON number: ${value}`)
    return JSON.stringify(value)
  }
  if (typeof value !== 'object') throw new TypeError(`not a JSON value: ${typeof value}`)
  let text = ''
  if (Array.isArray(value)) {
    for (const item of value as readonly Json[]) text += text === '' ? sortedText(item) : `,${sortedText(item)}`
    return `[${text}]`
  }
  const object = value as { readonly [key: string]: Json }
  for (const key of sortedKeys(object)) text += `${text === '' ? '' : ','}${quotedKey(key)}:${sortedText(object[key] as Json)}`
  return `{${text}}`
}

/** Keys that recur, as JSON writes them; none has a unit at or above the surrogates. */
const KNOWN_KEYS = new Map<string, string>()
const MAX_KNOWN = 4096
const LONGEST_KNOWN = 64
const BEYOND_SURROGATES = /[\ud800-\uffff]/

function quotedKey(key: string): string {
  return KNOWN_KEYS.get(key) ?? JSON.stringify(key)
}

/** The keys of an object by code point. Native order is by UTF-16 unit; it differs only where some key has a unit at or above the surrogates. */
export function sortedKeys(object: { readonly [key: string]: Json }): string[] {
  const keys = Object.keys(object)
  let sorted = true
  let before = ''
  for (const key of keys) {
    if (!KNOWN_KEYS.has(key)) {
      if (BEYOND_SURROGATES.test(key)) return keys.sort(byCodePoint)
      if (KNOWN_KEYS.size < MAX_KNOWN && key.length <= LONGEST_KNOWN) KNOWN_KEYS.set(key, JSON.stringify(key))
    }
    if (before > key) sorted = false
    before = key
  }
  return sorted ? keys : keys.sort()
}

/** `sha256:<64 hex digits>` over the canonical bytes of a value. */
export function digest(value: Json): Digest {
  return digestBytes(canonical(value))
}

/** Characters from which on a text is given to the hash. */
const ENOUGH = 1 << 16

/** What digest() gives, of an object with long lists and maps in it: its text is never there as a whole. */
export function digestLarge(value: { readonly [key: string]: Json }): Digest {
  const sum = createHash('sha256')
  let text = ''
  const write = (part: Json, depth: number): void => {
    if (depth === 0 || part === null || typeof part !== 'object') {
      text += canonical(part)
      if (text.length < ENOUGH) return
      sum.update(text)
      text = ''
      return
    }
    const list = Array.isArray(part)
    let separator = ''
    text += list ? '[' : '{'
    for (const key of list ? part.keys() : sortedKeys(part as { readonly [key: string]: Json })) {
      text += list ? separator : `${separator}${quotedKey(String(key))}:`
      write((part as { readonly [key: string | number]: Json })[key] as Json, depth - 1)
      separator = ','
    }
    text += list ? ']' : '}'
  }
  write(value, 2)
  sum.update(text)
  return `sha256:${sum.digest('hex')}`
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
