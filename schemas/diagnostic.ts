import { integer, list, object, oneOf, optional, string } from './shape.ts'
import type { TypeOf } from './shape.ts'

const position = object({ line: integer({ min: 1 }), column: integer({ min: 1 }) })
const range = object({ path: string({}, 'Relative to the site, with slashes.'), start: position, end: position })

/** A place in a file: 1-based, columns in UTF-16 units, end exclusive. */
export type Range = TypeOf<typeof range>

/** What is wrong with a site, where, and what to change. A value, never thrown. */
export const diagnosticShape = object({
  code: string({ pattern: '^[A-Z][A-Z0-9_]*$' }),
  severity: oneOf(['error', 'warning', 'info']),
  summary: string({}, "One sentence in the author's words."),
  detail: optional(string({}, 'More, when the sentence is not enough.')),
  range: optional(range),
  related: list(object({ message: string(), range })),
  fix: optional(string({}, 'What to change.')),
})
export type Diagnostic = TypeOf<typeof diagnosticShape>

/** Where phases put what they find. */
export type Report = (diagnostic: Diagnostic) => void
