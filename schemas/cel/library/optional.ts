import { sizeOfMap } from './compare.ts'
import { asDouble, Duration, Failure, isList, NONE, Optional, Timestamp, Uint, Unknown } from '../value.ts'
import type { CelValue } from '../value.ts'
import { optionalOf } from '../type.ts'
import { define, method, sig, T } from './function.ts'
import type { LibraryFunction } from './function.ts'

const OPTIONAL_T = optionalOf(T)

function isAbsent(value: CelValue): boolean {
  return value instanceof Unknown || value instanceof Failure
}

/** The value that a type has when nothing was said: 0, '', false, [], {}, null, none. */
function isZeroValue(value: CelValue): boolean {
  if (value === null || value === false || value === '' || value === 0 || asDouble(value) === 0) return true
  if (value instanceof Uint) return value.value === 0n
  if (value instanceof Duration) return value.nanos === 0n
  if (value instanceof Timestamp) return value.nanos === 0n
  if (value instanceof Optional) return !value.present
  if (isList(value) || value instanceof Uint8Array) return value.length === 0
  return sizeOfMap(value) === 0
}

/** Makers and methods of optional values; `or` and `orValue` need their argument only if there is no value. */
export const OPTIONAL_FUNCTIONS: readonly LibraryFunction[] = [
  { ...define('optional.none', [sig(OPTIONAL_T)], () => NONE), arity: 0 },
  define('optional.of', [sig(T, OPTIONAL_T)], (_meter, a) => (isAbsent(a) ? undefined : new Optional(true, a))),
  define('optional.ofNonZeroValue', [sig(T, OPTIONAL_T)], (_meter, a) =>
    isAbsent(a) ? undefined : isZeroValue(a) ? NONE : new Optional(true, a),
  ),
  method('hasValue', [sig(OPTIONAL_T, 'bool')], (_meter, a) => (a instanceof Optional ? a.present : undefined)),
  method('value', [sig(OPTIONAL_T, T)], (_meter, a) =>
    a instanceof Optional ? (a.present ? a.value : new Failure('the optional has no value')) : undefined,
  ),
  method('or', [sig(OPTIONAL_T, OPTIONAL_T, OPTIONAL_T)], (_meter, a, b) =>
    a instanceof Optional ? (a.present ? a : b instanceof Optional ? b : undefined) : undefined,
  ),
  method('orValue', [sig(OPTIONAL_T, T, T)], (_meter, a, b) =>
    a instanceof Optional ? (a.present ? a.value : isAbsent(b) ? undefined : b) : undefined,
  ),
]
