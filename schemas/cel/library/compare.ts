import { merge } from '../unknown.ts'
import {
  Double,
  Duration,
  entriesOf,
  isList,
  isRecord,
  MapValue,
  Optional,
  Timestamp,
  TypeValue,
  Uint,
  Unknown,
} from '../value.ts'
import type { CelValue } from '../value.ts'
import type { Meter } from '../meter.ts'

/** Any number, undefined for anything else. */
export function numberOf(value: CelValue): number | bigint | undefined {
  if (typeof value === 'number' || typeof value === 'bigint') return value
  if (value instanceof Double || value instanceof Uint) return value.value
  return undefined
}

/** Below, equal to or above zero as a is to b; NaN where one is not a number; undefined if they have no order. */
export function compare(a: CelValue, b: CelValue): number | undefined {
  const x = numberOf(a)
  if (x !== undefined) {
    const y = numberOf(b)
    return y === undefined ? undefined : compareNumbers(x, y)
  }
  if (typeof a === 'string') return typeof b === 'string' ? compareText(a, b) : undefined
  if (typeof a === 'boolean') return typeof b === 'boolean' ? Number(a) - Number(b) : undefined
  if (a instanceof Uint8Array) return b instanceof Uint8Array ? compareBytes(a, b) : undefined
  if ((a instanceof Timestamp && b instanceof Timestamp) || (a instanceof Duration && b instanceof Duration)) {
    return a.nanos < b.nanos ? -1 : a.nanos > b.nanos ? 1 : 0
  }
  return undefined
}

/** A large int meets a double as the double nearest to it, as the language definition has it. */
function compareNumbers(x: number | bigint, y: number | bigint): number {
  if (typeof x !== typeof y) return compareNumbers(Number(x), Number(y))
  return x < y ? -1 : x > y ? 1 : x === y ? 0 : Number.NaN
}

/** By code point, which differs from JavaScript's order where surrogates meet U+E000 to U+FFFF. */
export function compareText(a: string, b: string): number {
  if (a === b) return 0
  const length = Math.min(a.length, b.length)
  let at = 0
  while (at < length && a.charCodeAt(at) === b.charCodeAt(at)) at++
  if (at === length) return a.length - b.length
  return rank(a.charCodeAt(at)) - rank(b.charCodeAt(at))
}

function rank(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length)
  for (let at = 0; at < length; at++) {
    const difference = (a[at] ?? 0) - (b[at] ?? 0)
    if (difference !== 0) return difference
  }
  return a.length - b.length
}

/**
 * Whether two values are equal: numbers across types, lists and maps by content, different types never. Unknown if that
 * depends on an unknown inside, which it does not where a known part already differs.
 */
export function equals(meter: Meter, a: CelValue, b: CelValue): boolean | Unknown {
  if (typeof a === 'string' || typeof a === 'boolean' || a === null) return b instanceof Unknown ? b : a === b
  if (a instanceof Unknown || b instanceof Unknown) {
    return merge(a instanceof Unknown ? a : undefined, b instanceof Unknown ? b : undefined) ?? false
  }
  if (isList(a)) return isList(b) && listsEqual(meter, a, b)
  if (a instanceof TypeValue) return b instanceof TypeValue && a.name === b.name
  if (a instanceof Optional) {
    return b instanceof Optional && a.present === b.present && (!a.present || equals(meter, a.value, b.value))
  }
  if (a instanceof MapValue || isRecord(a)) return mapsEqual(meter, a, b)
  return compare(a, b) === 0
}

function listsEqual(meter: Meter, a: readonly CelValue[], b: readonly CelValue[]): boolean | Unknown {
  if (a.length !== b.length) return false
  meter.charge(a.length)
  let waiting: Unknown | undefined
  for (let at = 0; at < a.length; at++) {
    const same = equals(meter, a[at] ?? null, b[at] ?? null)
    if (same === false) return false
    if (same !== true) waiting = merge(waiting, same)
  }
  return waiting ?? true
}

function mapsEqual(meter: Meter, a: CelValue, b: CelValue): boolean | Unknown {
  const entries = entriesOf(a) ?? []
  if (sizeOfMap(b) !== entries.length) return false
  meter.charge(entries.length)
  let waiting: Unknown | undefined
  for (const [key, value] of entries) {
    const other = lookUp(b, key)
    const same = other === undefined ? false : equals(meter, value, other)
    if (same === false) return false
    if (same !== true) waiting = merge(waiting, same)
  }
  return waiting ?? true
}

/** Number of keys, undefined for what is no map. */
export function sizeOfMap(map: CelValue): number | undefined {
  if (map instanceof MapValue) return map.entries.size
  return isRecord(map) ? Object.keys(map).length : undefined
}

/** The value of a key in a map, undefined if there is none. */
export function lookUp(map: CelValue, key: CelValue): CelValue | undefined {
  if (map instanceof MapValue) return map.get(key)
  return typeof key === 'string' && isRecord(map) && Object.hasOwn(map, key) ? map[key] : undefined
}

/** The `in` operator: whether a list has such an element, or a map such a key. */
export function contains(meter: Meter, item: CelValue, container: CelValue): boolean | Unknown | undefined {
  if (isList(container)) {
    meter.charge(container.length)
    let waiting: Unknown | undefined
    for (const element of container) {
      const same = equals(meter, item, element)
      if (same === true) return true
      if (same !== false) waiting = merge(waiting, same)
    }
    return waiting ?? false
  }
  return sizeOfMap(container) === undefined ? undefined : lookUp(container, item) !== undefined
}
