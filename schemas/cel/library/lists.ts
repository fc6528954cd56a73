import { compare, equals, sizeOfMap } from './compare.ts'
import { countCodePoints } from './strings.ts'
import { asSmallInt, Failure, isList } from '../value.ts'
import type { CelValue } from '../value.ts'
import type { Meter } from '../meter.ts'
import { deep, define, LIST_T, MAP_TU, method, sig } from './function.ts'
import type { LibraryFunction } from './function.ts'

const MAX_RANGE = 1_000_000

function size(meter: Meter, value: CelValue): CelValue | undefined {
  if (isList(value)) return value.length
  if (typeof value === 'string') {
    meter.charge(value.length >> 3)
    return countCodePoints(value)
  }
  return value instanceof Uint8Array ? value.length : sizeOfMap(value)
}

const SIZES = [sig('string', 'int'), sig('bytes', 'int'), sig(LIST_T, 'int'), sig(MAP_TU, 'int')]

function sort(meter: Meter, list: CelValue): CelValue | undefined {
  if (!isList(list)) return undefined
  meter.charge(list.length * Math.max(1, Math.ceil(Math.log2(list.length + 1))))
  const [first] = list
  for (const item of list) {
    if (compare(first ?? null, item) === undefined)
      return new Failure('only values of one type that has an order can be sorted')
  }
  return list.toSorted((a, b) => compare(a, b) || 0)
}

function distinct(meter: Meter, list: CelValue): CelValue | undefined {
  if (!isList(list)) return undefined
  const seen: CelValue[] = []
  for (const item of list) {
    meter.charge(seen.length)
    if (!seen.some((known) => equals(meter, known, item) === true)) seen.push(item)
  }
  return seen
}

function flatten(meter: Meter, list: CelValue): CelValue | undefined {
  if (!isList(list)) return undefined
  const flat = list.flatMap((item) => (isList(item) ? item : [item]))
  meter.charge(flat.length)
  return flat
}

function slice(meter: Meter, list: CelValue, from: CelValue, to: CelValue): CelValue | undefined {
  const start = asSmallInt(from)
  const end = asSmallInt(to)
  if (!isList(list) || start === undefined || end === undefined) return undefined
  if (start < 0 || end > list.length || start > end)
    return new Failure(`a list of ${list.length} has no slice from ${start} to ${end}`)
  meter.charge(end - start)
  return list.slice(start, end)
}

/** `size`, and the parts of the lists extension that a site needs. */
export const LIST_FUNCTIONS: readonly LibraryFunction[] = [
  define('size', SIZES, size),
  method('size', SIZES, size),
  define('lists.range', [sig('int', { list: 'int' })], (meter, a) => {
    const count = asSmallInt(a)
    if (count === undefined) return undefined
    if (count > MAX_RANGE) return new Failure(`a range has at most ${MAX_RANGE} numbers`)
    meter.charge(Math.max(0, count))
    return Array.from({ length: Math.max(0, count) }, (_, index) => index)
  }),
  deep(method('sort', [sig(LIST_T, LIST_T)], sort)),
  deep(method('distinct', [sig(LIST_T, LIST_T)], distinct)),
  deep(method('flatten', [sig({ list: LIST_T }, LIST_T), sig({ list: 'dyn' }, { list: 'dyn' })], flatten)),
  method('slice', [sig(LIST_T, 'int', 'int', LIST_T)], slice),
  method('reverse', [sig(LIST_T, LIST_T)], (meter, a) => {
    if (!isList(a)) return undefined
    meter.charge(a.length)
    return a.toReversed()
  }),
]
