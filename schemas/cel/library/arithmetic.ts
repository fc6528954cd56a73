import { asDouble, asInt, double, Double, Duration, Failure, isList, shrink, Timestamp, Uint } from '../value.ts'
import type { CelValue } from '../value.ts'
import { makeDuration, makeTimestamp } from './time.ts'
import type { Apply } from './function.ts'

const INT_MIN = -(2n ** 63n)
const INT_MAX = 2n ** 63n - 1n
const UINT_MAX = 2n ** 64n - 1n

/** An int result, or the error that says it does not fit 64 bits. */
export function makeInt(value: bigint): CelValue {
  return value < INT_MIN || value > INT_MAX ? new Failure('the result does not fit a 64-bit integer') : shrink(value)
}

/** A uint result, or the error that says it does not fit. */
export function makeUint(value: bigint): CelValue {
  return value < 0n || value > UINT_MAX
    ? new Failure('the result does not fit an unsigned 64-bit integer')
    : new Uint(value)
}

type Exact = (a: bigint, b: bigint) => bigint

function numeric(
  a: CelValue,
  b: CelValue,
  exact: Exact,
  float: ((a: number, b: number) => number) | undefined,
): CelValue | undefined {
  const x = asInt(a)
  if (x !== undefined) {
    const y = asInt(b)
    return y === undefined ? undefined : makeInt(exact(x, y))
  }
  if (a instanceof Uint) return b instanceof Uint ? makeUint(exact(a.value, b.value)) : undefined
  const p = asDouble(a)
  const q = asDouble(b)
  return p === undefined || q === undefined || float === undefined ? undefined : double(float(p, q))
}

export const add: Apply = (meter, a, b) => {
  if (typeof a === 'number' && typeof b === 'number' && Number.isSafeInteger(a) && Number.isSafeInteger(b)) {
    const sum = a + b
    if (Number.isSafeInteger(sum)) return sum
  }
  if (typeof a === 'string') {
    if (typeof b !== 'string') return undefined
    meter.charge((a.length + b.length) >> 3)
    return a + b
  }
  if (isList(a)) {
    if (!isList(b)) return undefined
    meter.charge(a.length + b.length)
    return [...a, ...b]
  }
  if (a instanceof Uint8Array) {
    if (!(b instanceof Uint8Array)) return undefined
    meter.charge((a.length + b.length) >> 3)
    const bytes = new Uint8Array(a.length + b.length)
    bytes.set(a)
    bytes.set(b, a.length)
    return bytes
  }
  if (a instanceof Timestamp) return b instanceof Duration ? makeTimestamp(a.nanos + b.nanos) : undefined
  if (a instanceof Duration) {
    if (b instanceof Timestamp) return makeTimestamp(a.nanos + b.nanos)
    return b instanceof Duration ? makeDuration(a.nanos + b.nanos) : undefined
  }
  return numeric(
    a,
    b,
    (x, y) => x + y,
    (x, y) => x + y,
  )
}

export const subtract: Apply = (_meter, a, b) => {
  if (typeof a === 'number' && typeof b === 'number' && Number.isSafeInteger(a) && Number.isSafeInteger(b)) {
    const difference = a - b
    if (Number.isSafeInteger(difference)) return difference
  }
  if (a instanceof Timestamp) {
    if (b instanceof Timestamp) return makeDuration(a.nanos - b.nanos)
    return b instanceof Duration ? makeTimestamp(a.nanos - b.nanos) : undefined
  }
  if (a instanceof Duration) return b instanceof Duration ? makeDuration(a.nanos - b.nanos) : undefined
  return numeric(
    a,
    b,
    (x, y) => x - y,
    (x, y) => x - y,
  )
}

export const multiply: Apply = (_meter, a, b) =>
  numeric(
    a,
    b,
    (x, y) => x * y,
    (x, y) => x * y,
  )

function isZero(value: CelValue): boolean {
  return value === 0 || (value instanceof Uint && value.value === 0n)
}

export const divide: Apply = (_meter, a, b) => {
  if (isZero(b) && (asInt(a) !== undefined || a instanceof Uint)) return new Failure('division by zero')
  return numeric(
    a,
    b,
    (x, y) => x / y,
    (x, y) => x / y,
  )
}

export const modulo: Apply = (_meter, a, b) => {
  if (isZero(b) && (asInt(a) !== undefined || a instanceof Uint)) return new Failure('remainder of a division by zero')
  return numeric(a, b, (x, y) => x % y, undefined)
}

export const negate: Apply = (_meter, a) => {
  const int = asInt(a)
  if (int !== undefined) return makeInt(-int)
  if (a instanceof Double) return new Double(-a.value)
  return typeof a === 'number' ? -a : undefined
}
