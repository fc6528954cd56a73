import type { Json } from '../../../schemas/shape.ts'

/** Whether a value is of a declared type. Nothing is converted: "3" is a string. */
export function matchesType(value: Json, type: string): boolean {
  switch (type) {
    case 'string':
      return typeof value === 'string'
    case 'integer':
      return Number.isSafeInteger(value)
    case 'number':
      return typeof value === 'number'
    case 'boolean':
      return typeof value === 'boolean'
    case 'list':
      return Array.isArray(value)
    case 'map':
      return typeof value === 'object' && value !== null && !Array.isArray(value)
    default:
      return type === 'any'
  }
}
