/**
 * The static type of an expression, as readonly data.
 *
 * `object` is a closed record: reading a field it does not name is a check error. `opaque` is a type known by name only
 * (`optional_type`), `param` a type variable in the signature of a function.
 */
export type CelType =
  | 'dyn'
  | 'null'
  | 'bool'
  | 'int'
  | 'uint'
  | 'double'
  | 'string'
  | 'bytes'
  | 'timestamp'
  | 'duration'
  | 'type'
  | { readonly list: CelType }
  | { readonly map: readonly [key: CelType, value: CelType] }
  | { readonly object: string; readonly fields: Readonly<Record<string, CelType>> }
  | { readonly opaque: string; readonly parameters: readonly CelType[] }
  | { readonly param: string }

/** `optional_type(T)`. */
export function optionalOf(type: CelType): CelType {
  return { opaque: 'optional_type', parameters: [type] }
}

/** The type in the words of an error message: `list(string)`, `map(string, int)`, the name of an object. */
export function formatType(type: CelType): string {
  if (typeof type === 'string') return type
  if ('list' in type) return `list(${formatType(type.list)})`
  if ('map' in type) return `map(${formatType(type.map[0])}, ${formatType(type.map[1])})`
  if ('object' in type) return type.object
  if ('param' in type) return 'dyn'
  if (type.parameters.length === 0) return type.opaque
  return `${type.opaque}(${type.parameters.map(formatType).join(', ')})`
}
