import { entriesOf, isList, isRecord, kindOf, MapValue, Optional } from './value.ts'
import type { CelValue } from './value.ts'
import type { CelType } from './type.ts'

const KINDS: Readonly<Record<string, string>> = {
  null: 'null_type',
  timestamp: 'google.protobuf.Timestamp',
  duration: 'google.protobuf.Duration',
}

/**
 * Whether a value is of a type, to its last element. An object is any map or, if `closed`, one with no other fields than
 * those declared, which tells kinds of objects apart; the fields themselves are not looked at.
 */
export function matchesType(type: CelType, value: CelValue, options: { readonly closed: boolean }): boolean {
  if (type === 'dyn') return true
  if (typeof type === 'string') return kindOf(value) === (KINDS[type] ?? type)
  if ('param' in type) return true
  if ('list' in type)
    return isList(value) && (type.list === 'dyn' || value.every((item) => matchesType(type.list, item, options)))
  if ('map' in type) {
    const [keyType, valueType] = type.map
    return (entriesOf(value) ?? [null]).every(
      (entry) => entry !== null && matchesType(keyType, entry[0], options) && matchesType(valueType, entry[1], options),
    )
  }
  if ('opaque' in type) return value instanceof Optional
  if (!options.closed) return isRecord(value) || value instanceof MapValue
  if (isRecord(value)) return Object.keys(value).every((key) => Object.hasOwn(type.fields, key))
  return (
    value instanceof MapValue &&
    [...value.entries.keys()].every((key) => typeof key === 'string' && Object.hasOwn(type.fields, key))
  )
}
