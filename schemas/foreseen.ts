import { nullable, object, oneOf, string } from './shape.ts'
import type { TypeOf } from './shape.ts'

/** What a tool says that it would do on a node, or that nobody can say: one task or resource of a dry run. */
export const foreseenShape = object({
  what: string({}, 'The task or resource, in the words of its tool.'),
  at: nullable(string({}, 'file:line in the barclamp.')),
  effect: oneOf(['change', 'unknown'], 'change: it would change something. unknown: the tool cannot tell, or the dry run came to an end here.'),
  detail: string({}, 'What would change, or why nobody knows; may have lines.'),
})
export type Foreseen = TypeOf<typeof foreseenShape>
