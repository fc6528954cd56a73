import type { Json } from '../../schemas/shape.ts'

/** A copy of a value in which what some JSON pointers (RFC 6901) point at is replaced. A pointer to nothing does nothing. */
export function replaceAt(value: Json, pointers: readonly string[], replace: (found: Json) => Json): Json {
  return pointers.reduce<Json>((whole, pointer) => replaceOne(whole, tokens(pointer), replace), value)
}

function tokens(pointer: string): readonly string[] {
  return pointer === '' ? [] : pointer.slice(1).split('/').map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'))
}

function replaceOne(value: Json, [token, ...rest]: readonly string[], replace: (found: Json) => Json): Json {
  if (token === undefined) return replace(value)
  if (value === null || typeof value !== 'object') return value
  if (Array.isArray(value)) return (value as readonly Json[]).map((item, index) => (String(index) === token ? replaceOne(item, rest, replace) : item))
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, key === token ? replaceOne(item, rest, replace) : item]))
}
