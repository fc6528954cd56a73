import { VALUE_TYPES } from './documents/barclamp.ts'
import { anyObject, boolean, either, map, object, oneOf, string } from './shape.ts'
import type { Json, TypeOf } from './shape.ts'

/** Where a deferred value's input comes from: what a step reports, or a secret of a version. */
const input = either([
  object({ step: string(), provide: string() }),
  object({ secret: string(), version: string() }),
])
export type DeferredInput = TypeOf<typeof input>

/**
 * A value that cannot be known yet, as it stands in an attribute document: `{ "deferred": … }`.
 *
 * `expression` is a template (text with `${CEL}`), `scope` the values known at compile time that it reads, `inputs`
 * what is still missing, by the path that the expression reads (`wants.token`). The agent evaluates it at dispatch
 * with the same evaluator as the compiler.
 */
export const deferredShape = object({
  deferred: object({
    type: oneOf(VALUE_TYPES),
    expression: string(),
    scope: anyObject(),
    inputs: map(input),
    sensitive: boolean(),
  }),
})
export type Deferred = TypeOf<typeof deferredShape>

/** Whether a value of a document is a deferred one. Authors cannot write such an object: the compiler refuses the key. */
export function isDeferred(value: Json): value is Json & Deferred {
  return value !== null && typeof value === 'object' && !Array.isArray(value) && 'deferred' in value && Object.keys(value).length === 1
}
