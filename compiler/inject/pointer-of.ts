import type { Json } from '../../schemas/shape.ts'
import type { Pointer } from '../parse/document.ts'

/** The keys of a JSON pointer (RFC 6901), with list indexes told from keys by looking at the document. */
export function pointerOf(path: string, document: Json): Pointer {
  const pointer: (string | number)[] = []
  let at: Json | undefined = document
  for (const token of path.split('/').slice(1)) {
    const key = token.replaceAll('~1', '/').replaceAll('~0', '~')
    pointer.push(Array.isArray(at) ? Number(key) : key)
    at = (at as { readonly [key: string]: Json } | null | undefined)?.[key]
  }
  return pointer
}
