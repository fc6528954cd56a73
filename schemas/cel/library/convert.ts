import { compareText } from './compare.ts'
import { makeInt, makeUint } from './arithmetic.ts'
import { formatDuration, formatTimestamp, makeTimestamp, parseDuration, parseTimestamp } from './time.ts'
import { asDouble, asInt, double, Duration, Failure, kindOf, Timestamp, TypeValue, Uint, Unknown } from '../value.ts'
import type { CelValue } from '../value.ts'
import { define, sig, T } from './function.ts'
import type { LibraryFunction } from './function.ts'

function show(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text)
}

/** The text of a number, bool, timestamp or duration; strings as they are; undefined for anything else. */
export function toText(value: CelValue): string | undefined {
  if (typeof value === 'string') return value
  if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean') return String(value)
  if (value instanceof Uint) return value.value.toString()
  if (value instanceof Timestamp) return formatTimestamp(value)
  if (value instanceof Duration) return formatDuration(value)
  const float = asDouble(value)
  return float === undefined ? undefined : formatDouble(float)
}

/** A double as a person writes it; −0 is -0. */
export function formatDouble(value: number): string {
  return Object.is(value, -0) ? '-0' : String(value)
}

/** Bytes as text. @returns an error if they are not UTF-8. */
export function decodeUtf8(bytes: Uint8Array): string | Failure {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return new Failure('the bytes are not UTF-8')
  }
}

function toInt(a: CelValue): CelValue | undefined {
  if (asInt(a) !== undefined) return a
  if (a instanceof Uint) return makeInt(a.value)
  if (a instanceof Timestamp)
    return makeInt((a.nanos - (((a.nanos % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n)) / 1_000_000_000n)
  if (typeof a === 'string') {
    return a.length <= 40 && /^[+-]?\d+$/.test(a)
      ? makeInt(BigInt(a.replace(/^\+/, '')))
      : new Failure(`${show(a)} is not an integer`)
  }
  const float = asDouble(a)
  if (float === undefined) return undefined
  const fits = float > -(2 ** 63) && float < 2 ** 63
  return fits ? makeInt(BigInt(Math.trunc(float))) : new Failure(`${float} does not fit a 64-bit integer`)
}

function toUint(a: CelValue): CelValue | undefined {
  if (a instanceof Uint) return a
  const int = asInt(a)
  if (int !== undefined) return makeUint(int)
  if (typeof a === 'string') {
    return a.length <= 40 && /^\+?\d+$/.test(a)
      ? makeUint(BigInt(a.replace(/^\+/, '')))
      : new Failure(`${show(a)} is not an unsigned integer`)
  }
  const float = asDouble(a)
  if (float === undefined) return undefined
  return float > -1 && float < 2 ** 64
    ? makeUint(BigInt(Math.trunc(float)))
    : new Failure(`${float} does not fit an unsigned 64-bit integer`)
}

const DECIMAL = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?$/
const SPECIAL = /^([+-]?)(?:(inf|infinity)|nan)$/i

function toDouble(a: CelValue): CelValue | undefined {
  const int = asInt(a)
  if (int !== undefined) return double(Number(int))
  if (a instanceof Uint) return double(Number(a.value))
  if (typeof a !== 'string') return asDouble(a) === undefined ? undefined : a
  if (DECIMAL.test(a)) return double(Number(a))
  const special = SPECIAL.exec(a)
  if (special === null) return new Failure(`${show(a)} is not a number`)
  if (special[2] === undefined) return Number.NaN
  return special[1] === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY
}

const TRUE: readonly string[] = ['1', 't', 'T', 'true', 'TRUE', 'True']
const FALSE: readonly string[] = ['0', 'f', 'F', 'false', 'FALSE', 'False']

function toBool(a: CelValue): CelValue | undefined {
  if (typeof a === 'boolean') return a
  if (typeof a !== 'string') return undefined
  if (TRUE.includes(a)) return true
  return FALSE.includes(a) ? false : new Failure(`${show(a)} is neither true nor false`)
}

/** Sorts as text, for output that must not depend on insertion order. */
export function sortedText(texts: readonly string[]): readonly string[] {
  return texts.toSorted(compareText)
}

/** Conversions between types, `dyn` and `type`. */
export const CONVERSIONS: readonly LibraryFunction[] = [
  define('bool', [sig('bool', 'bool'), sig('string', 'bool')], (_meter, a) => toBool(a)),
  define(
    'int',
    [sig('int', 'int'), sig('uint', 'int'), sig('double', 'int'), sig('string', 'int'), sig('timestamp', 'int')],
    (_meter, a) => toInt(a),
  ),
  define('uint', [sig('uint', 'uint'), sig('int', 'uint'), sig('double', 'uint'), sig('string', 'uint')], (_meter, a) =>
    toUint(a),
  ),
  define(
    'double',
    [sig('double', 'double'), sig('int', 'double'), sig('uint', 'double'), sig('string', 'double')],
    (_meter, a) => toDouble(a),
  ),
  define(
    'string',
    [
      sig('string', 'string'),
      ...(['int', 'uint', 'double', 'bool', 'bytes', 'timestamp', 'duration'] as const).map((type) =>
        sig(type, 'string'),
      ),
    ],
    (meter, a) => {
      if (!(a instanceof Uint8Array)) return toText(a)
      meter.charge(a.length >> 3)
      return decodeUtf8(a)
    },
  ),
  define('bytes', [sig('bytes', 'bytes'), sig('string', 'bytes')], (meter, a) => {
    if (a instanceof Uint8Array) return a
    if (typeof a !== 'string') return undefined
    meter.charge(a.length >> 3)
    return new TextEncoder().encode(a)
  }),
  define(
    'timestamp',
    [sig('timestamp', 'timestamp'), sig('string', 'timestamp'), sig('int', 'timestamp')],
    (_meter, a) => {
      if (typeof a === 'string') return parseTimestamp(a)
      const seconds = asInt(a)
      return seconds === undefined ? (a instanceof Timestamp ? a : undefined) : makeTimestamp(seconds * 1_000_000_000n)
    },
  ),
  define('duration', [sig('duration', 'duration'), sig('string', 'duration')], (_meter, a) =>
    typeof a === 'string' ? parseDuration(a) : a instanceof Duration ? a : undefined,
  ),
  define('dyn', [sig(T, 'dyn')], (_meter, a) => (a instanceof Unknown || a instanceof Failure ? undefined : a)),
  define('type', [sig(T, 'type')], (_meter, a) =>
    a instanceof Unknown || a instanceof Failure ? undefined : new TypeValue(kindOf(a)),
  ),
]
