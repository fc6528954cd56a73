import { unknown } from '../../schemas/cel/value.ts'
import type { CelValue } from '../../schemas/cel/value.ts'
import { isDeferred } from '../../schemas/deferred.ts'
import type { Deferred, DeferredInput } from '../../schemas/deferred.ts'
import type { Json } from '../../schemas/shape.ts'

/** The provide by which the facts of a machine that has not been seen yet stand in for themselves inside the compiler. */
export const FACTS_PROVIDE = 'crowbar:facts'
/** The same of a value whose role has no member yet: its `where` will find one. */
export const MEMBER_PROVIDE = 'crowbar:member'

/** Whether an input is one that the compiler itself will have once it has seen a machine, and not a step's report. */
export function isPending(input: DeferredInput): boolean {
  return 'provide' in input && (input.provide === FACTS_PROVIDE || input.provide === MEMBER_PROVIDE)
}

/** What a value hangs on that the compiler itself will know once it has seen a machine; undefined when there is no such thing. */
export function pendingOn(value: Json): string | undefined {
  for (const input of inputsOf(value)) {
    if (!('provide' in input)) continue
    if (input.provide === FACTS_PROVIDE) return 'facts of a machine that has not been seen yet'
    if (input.provide === MEMBER_PROVIDE) return `${input.step}, which has no member yet`
  }
  return undefined
}

export type DeferredJson = Json & Deferred

/** A value that one input gives as it is. `path` is what an expression reads it by. */
export function deferredInput(path: string, input: DeferredInput, { type, sensitive }: Pick<Deferred['deferred'], 'type' | 'sensitive'>): DeferredJson {
  return { deferred: { type, expression: `\${${path}}`, scope: {}, inputs: { [path]: input }, sensitive } }
}

/**
 * What stands for a value that could not be worked out, which has been reported: it is unknown to all that read it, so
 * that one mistake is told once. It never gets into a plan, because there is none.
 */
export const FAILED: DeferredJson = deferredInput('value', { step: 'crowbar:failed', provide: 'crowbar:failed' }, { type: 'any', sensitive: false })

const found = new WeakMap<object, boolean>()
/** Members from which on an answer is remembered: to remember a small one costs more than to look again. */
const LARGE = 6

/** Whether anything in a value is deferred. Asked once of every large object: those are what many values share. */
export function hasDeferred(value: Json): boolean {
  if (value === null || typeof value !== 'object') return false
  const members: readonly Json[] = Array.isArray(value) ? value : Object.values(value as { readonly [key: string]: Json })
  if (members.length < LARGE) return isDeferred(value) || members.some(hasDeferred)
  const known = found.get(value)
  if (known !== undefined) return known
  const answer = members.some(hasDeferred)
  found.set(value, answer)
  return answer
}

/** Every deferred value in a value, those that others hang on included. */
export function* deferredIn(value: Json): Generator<Deferred['deferred']> {
  if (!hasDeferred(value)) return
  if (isDeferred(value)) {
    yield value.deferred
    yield* deferredIn(value.deferred.scope)
    return
  }
  for (const item of Object.values(value as object)) yield* deferredIn(item as Json)
}

/** Every input that a value waits for. */
export function* inputsOf(value: Json): Generator<DeferredInput> {
  for (const deferred of deferredIn(value)) yield* Object.values(deferred.inputs)
}

export function isSensitive(value: Json): boolean {
  for (const deferred of deferredIn(value)) if (deferred.sensitive) return true
  return false
}

/** A value as an expression sees it: what is deferred is unknown. `remember` gives an unknown its name. */
export function asBinding(value: Json, remember: (deferred: DeferredJson) => string): CelValue {
  if (!hasDeferred(value)) return value as CelValue
  if (isDeferred(value)) return unknown(remember(value))
  if (Array.isArray(value)) return value.map((item) => asBinding(item as Json, remember))
  return Object.fromEntries(Object.entries(value as { readonly [key: string]: Json }).map(([key, item]) => [key, asBinding(item, remember)]))
}
