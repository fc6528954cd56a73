import { anyObject, either, integer, list, object, oneOf, optional, string } from '../shape.ts'
import type { Shape, TypeOf } from '../shape.ts'

/** A name that also works as a host name label and a file name: lower case, digits, inner hyphens, 63 at most. */
export const NAME = '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'
/** Six octets, lower or upper case, colons. Normalised to lower case when read. */
export const MAC = '^[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){5}$'
/** `10s`, `20m`, `2h`, `1d`; never nothing. */
export const DURATION = '^0*[1-9][0-9]{0,8}(s|m|h|d)$'
/** The same, or `0s`. */
export const PAUSE = '^[0-9]{1,9}(s|m|h|d)$'
/** A count or a share of the whole, at most all of it: `3`, `10%`. */
export const SHARE = '^([0-9]{1,9}|(100|[0-9]{1,2})%)$'
/** The same, and not nothing. */
export const PART = '^([1-9][0-9]{0,8}|(100|[1-9][0-9]?)%)$'

export const name = (description?: string): Shape<string> => string({ pattern: NAME }, description)
export const duration = (description?: string): Shape<string> => string({ pattern: DURATION }, description)
/** A CEL expression without `${}`. Parsed and type-checked by the compiler, with a caret into the document. */
export const cel = (description: string): Shape<string> => string({ min: 1 }, `CEL: ${description}`)
/** Attributes: one tree whose first key is a barclamp's name. Strings may hold `${CEL}`; `{ secret: path }` anywhere. */
export const attributes = anyObject('Attributes by barclamp name.')

/** Free words on nodes and machines, for `where` and rules. */
export const tags = list(name())
/** Labels by name; values may hold `${CEL}` in rules. */
export const labels: Shape<{ readonly [key: string]: string }> = {
  json: { type: 'object', additionalProperties: { type: 'string' }, propertyNames: { pattern: '^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$' } },
}

const part = either([integer({ min: 1 }), string({ pattern: PART })])
const share = either([integer({ min: 0 }), string({ pattern: SHARE })])

/** How many nodes at once, and when to stop. `batches`: sizes of the waves, the last one repeats. */
export const rollout = object({
  batches: optional(list(part, { min: 1 }, 'Sizes: nodes, or a share of those with work. The last repeats.')),
  maxFailures: optional(share),
  spreadBy: optional(string({ min: 1 }, 'A label: the nodes of one wave are taken from different values of it first.')),
  gate: optional(object({ check: name('A role: its `check` has to succeed on every node of a batch.'), timeout: optional(duration()) })),
  pause: optional(oneOf(['after-first', 'after-each'])),
})
export type RolloutDocument = TypeOf<typeof rollout>

/** Consequences, worst first. Anything unknown counts as the worst that it could be. */
export const CONSEQUENCES = ['wipe', 'reinstall', 'release', 'remove', 'reboot', 'network', 'restart', 'run', 'none'] as const
export type Consequence = (typeof CONSEQUENCES)[number]

/** What an operation can do on a node. */
export const OPERATION_ACTIONS = ['drain', 'packages', 'reboot', 'resume', 'run', 'check', 'reinstall', 'upgrade', 'erase'] as const
export type OperationAction = (typeof OPERATION_ACTIONS)[number]
