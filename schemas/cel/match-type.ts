import { entriesOf, isList, isRecord, kindOf, MapValue, Optional } from './value.ts'
import type { CelValue } from './value.ts'
import type { CelType } from './type.ts'

const KINDS: Readonly<Record<string, string>> = {
  null: 'null_type',
  timestamp: 'google.protobuf.Timestamp',
  duration: 'google.protobuf.Duration',
}

/** Whether a value is of a type, to its last element. An object is a map with no other fields than those declared. */
export function matchesType(type: CelType, value: CelValue): boolean {
  if (type === 'dyn') return true
  if (typeof type === 'string') return kindOf(value) === (KINDS[type] ?? type)
  if ('param' in type) return true
  if ('list' in type)
    return isList(value) && (type.list === 'dyn' || value.every((item) => matchesType(type.list, item)))
  if ('map' in type) {
    const [keyType, valueType] = type.map
    return (entriesOf(value) ?? [null]).every(
      (entry) => entry !== null && matchesType(keyType, entry[0]) && matchesType(valueType, entry[1]),
    )
  }
  if ('opaque' in type) return value instanceof Optional
  if (isRecord(value)) return Object.keys(value).every((key) => Object.hasOwn(type.fields, key))
  return (
    value instanceof MapValue &&
    [...value.entries.keys()].every((key) => typeof key === 'string' && Object.hasOwn(type.fields, key))
  )
}
