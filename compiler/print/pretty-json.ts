import { canonical } from '../../schemas/canonical.ts'
import type { Json } from '../../schemas/shape.ts'

/** Canonical JSON laid out for people: the same value gives the same bytes, however it was put together. Ends in a newline. */
export function prettyJson(value: Json): string {
  return `${JSON.stringify(JSON.parse(canonical(value)), null, 2)}\n`
}
