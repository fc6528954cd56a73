import { Uint } from './value.ts'
import type { CelType } from './type.ts'
import type { NodeOf } from './ast.ts'

/** The type of a literal. */
export function literalType(node: NodeOf<'literal'>): CelType {
  const { value } = node
  if (value === null) return 'null'
  if (typeof value === 'boolean') return 'bool'
  if (typeof value === 'string') return 'string'
  if (typeof value === 'bigint') return 'int'
  if (typeof value === 'number') return Number.isSafeInteger(value) ? 'int' : 'double'
  if (value instanceof Uint) return 'uint'
  return value instanceof Uint8Array ? 'bytes' : 'double'
}

/** What an optional type holds, undefined for any other type. */
export function optionalContent(type: CelType): CelType | undefined {
  return typeof type === 'object' && 'opaque' in type && type.opaque === 'optional_type'
    ? type.parameters[0]
    : undefined
}
