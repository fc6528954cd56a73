/**
 * What an expression computes with.
 *
 * JSON values are CEL values as they are: a binding is never copied or walked before an expression reads it. The types
 * that JSON lacks have a class here. A number is an int when it is a safe integer (±(2^53−1)) and a double otherwise; a
 * double that happens to be a safe integer (`1.0`) is boxed in `Double`, an int beyond ±(2^53−1) is a bigint.
 */
export type CelValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Double
  | Uint
  | Uint8Array
  | Timestamp
  | Duration
  | TypeValue
  | Optional
  | MapValue
  | Unknown
  | Failure
  | readonly CelValue[]
  | { readonly [key: string]: CelValue }

/** A double whose value is a safe integer, kept apart from the int of the same value. */
export class Double {
  readonly value: number
  constructor(value: number) {
    this.value = value
  }
}

/** An unsigned 64-bit integer, 0 to 2^64−1. */
export class Uint {
  readonly value: bigint
  constructor(value: bigint) {
    this.value = value
  }
}

/** A point in time, nanoseconds since 1970-01-01T00:00:00Z, years 1 to 9999. */
export class Timestamp {
  readonly nanos: bigint
  constructor(nanos: bigint) {
    this.nanos = nanos
  }
}

/** A signed length of time in nanoseconds; fits 64 bits (about ±292 years). */
export class Duration {
  readonly nanos: bigint
  constructor(nanos: bigint) {
    this.nanos = nanos
  }
}

/** A type as a value: what `type(x)` and the bare name `int` give. */
export class TypeValue {
  readonly name: string
  constructor(name: string) {
    this.name = name
  }
}

/** An optional value (`a.?b`, `optional.of(x)`); `present: false` is `optional.none()`. */
export class Optional {
  readonly present: boolean
  readonly value: CelValue
  constructor(present: boolean, value: CelValue) {
    this.present = present
    this.value = value
  }
}

/** `optional.none()`. */
export const NONE: Optional = new Optional(false, null)

/** A value that is known later. It stands for the named inputs, sorted and without repetition. */
export class Unknown {
  readonly inputs: readonly string[]
  constructor(inputs: readonly string[]) {
    this.inputs = inputs
  }
}

/** Marks a leaf of the bindings whose value is known later; `input` is the name that `evaluate` then reports. */
export function unknown(input: string): Unknown {
  return new Unknown([input])
}

/** A key that a map does not have; which one was meant is only looked for when the error is shown. */
export interface MissingKey {
  readonly key: string
  readonly holder: CelValue
}

/** An error on its way through an expression; `offset` is −1 until the call that failed is known. */
export class Failure {
  readonly message: string
  readonly offset: number
  readonly length: number
  readonly missing: MissingKey | undefined
  constructor(message: string, offset = -1, length = 0, missing?: MissingKey) {
    this.message = message
    this.offset = offset
    this.length = length
    this.missing = missing
  }
}

/** What a map key is looked up by: 1, 1u and 1.0 are one key. */
type KeyForm = string | boolean | number | bigint

/** A map built by an expression: keys of any key type, in the order written. Lookups are across numeric types. */
export class MapValue {
  readonly entries: Map<KeyForm, readonly [key: CelValue, value: CelValue]> = new Map()

  get(key: CelValue): CelValue | undefined {
    const form = keyForm(key)
    return form === undefined ? undefined : this.entries.get(form)?.[1]
  }

  /** False if there was such a key already, or if the key is of a type that keys cannot have. */
  add(key: CelValue, value: CelValue): boolean {
    const form = keyForm(key)
    if (form === undefined || this.entries.has(form)) return false
    this.entries.set(form, [key, value])
    return true
  }
}

/** The form a key is stored under, undefined for what cannot equal any key. */
export function keyForm(key: CelValue): KeyForm | undefined {
  switch (typeof key) {
    case 'string':
    case 'boolean':
    case 'bigint':
      return key
    case 'number':
      return Number.isSafeInteger(key) ? key : Number.isInteger(key) ? BigInt(key) : undefined
    default:
      if (key instanceof Double) return key.value
      if (key instanceof Uint) return shrink(key.value)
      return undefined
  }
}

const MAX_SAFE = BigInt(Number.MAX_SAFE_INTEGER)

/** An int in its one representation: a number where it is safe, a bigint beyond. */
export function shrink(value: bigint): number | bigint {
  return value <= MAX_SAFE && value >= -MAX_SAFE ? Number(value) : value
}

/** A double in its one representation. */
export function double(value: number): number | Double {
  return Number.isSafeInteger(value) ? new Double(value) : value
}

/** The names of the types, as `type(x)` gives them. */
export type Kind =
  | 'null_type'
  | 'bool'
  | 'int'
  | 'uint'
  | 'double'
  | 'string'
  | 'bytes'
  | 'list'
  | 'map'
  | 'type'
  | 'optional_type'
  | 'google.protobuf.Timestamp'
  | 'google.protobuf.Duration'
  | 'unknown'
  | 'error'

/** The run-time type of a value. */
export function kindOf(value: CelValue): Kind {
  switch (typeof value) {
    case 'boolean':
      return 'bool'
    case 'string':
      return 'string'
    case 'bigint':
      return 'int'
    case 'number':
      return Number.isSafeInteger(value) ? 'int' : 'double'
    default:
      return objectKind(value)
  }
}

/** The run-time type in the words of an error message. */
export function typeWord(value: CelValue): string {
  const kind = kindOf(value)
  const words: Partial<Record<Kind, string>> = {
    null_type: 'null',
    optional_type: 'an optional value',
    'google.protobuf.Timestamp': 'timestamp',
    'google.protobuf.Duration': 'duration',
  }
  return words[kind] ?? kind
}

function objectKind(value: Exclude<CelValue, boolean | string | bigint | number>): Kind {
  if (value === null) return 'null_type'
  if (Array.isArray(value)) return 'list'
  if (value instanceof MapValue) return 'map'
  if (value instanceof Double) return 'double'
  if (value instanceof Uint) return 'uint'
  if (value instanceof Uint8Array) return 'bytes'
  if (value instanceof Timestamp) return 'google.protobuf.Timestamp'
  if (value instanceof Duration) return 'google.protobuf.Duration'
  if (value instanceof TypeValue) return 'type'
  if (value instanceof Optional) return 'optional_type'
  if (value instanceof Unknown) return 'unknown'
  if (value instanceof Failure) return 'error'
  return 'map'
}

/** A list, which TypeScript's `Array.isArray` does not narrow to when it is readonly. */
export function isList(value: CelValue): value is readonly CelValue[] {
  return Array.isArray(value)
}

/** A map that came as a plain JSON object. */
export function isRecord(value: CelValue): value is { readonly [key: string]: CelValue } {
  return typeof value === 'object' && value !== null && objectKind(value) === 'map' && !(value instanceof MapValue)
}

/** The int as a bigint, undefined for anything else. */
export function asInt(value: CelValue): bigint | undefined {
  if (typeof value === 'bigint') return value
  return typeof value === 'number' && Number.isSafeInteger(value) ? BigInt(value) : undefined
}

/** An int small enough to index something, undefined for anything else. */
export function asSmallInt(value: CelValue): number | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) ? value : undefined
}

/** The double as a number, undefined for anything else. */
export function asDouble(value: CelValue): number | undefined {
  if (value instanceof Double) return value.value
  return typeof value === 'number' && !Number.isSafeInteger(value) ? value : undefined
}

/** The keys and values of a map in its own order, undefined for anything else. */
export function entriesOf(value: CelValue): readonly (readonly [CelValue, CelValue])[] | undefined {
  if (value instanceof MapValue) return [...value.entries.values()]
  return isRecord(value) ? Object.entries(value) : undefined
}
