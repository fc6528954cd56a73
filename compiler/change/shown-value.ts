import { byCodePoint, canonical } from '../../schemas/canonical.ts'
import { isDeferred } from '../../schemas/deferred.ts'
import type { Deferred } from '../../schemas/deferred.ts'
import type { Json } from '../../schemas/shape.ts'
import { inputsOf } from '../inject/deferred-value.ts'

/**
 * A value as reviewers may see it: what is not known yet becomes `{ later: [inputs], sensitive, expression }`, each input,
 * those of what it hangs on included, a secret by name and version or a step by what it provides. Nothing that a secret
 * or a sensitive value went into is shown.
 */
export function shownValue(value: Json | undefined): Json {
  if (value === undefined || value === null || typeof value !== 'object') return value ?? null
  if (isDeferred(value)) return shownDeferred(value)
  if (Array.isArray(value)) return value.map((item: Json) => shownValue(item))
  return Object.fromEntries(Object.entries(value as { readonly [key: string]: Json }).map(([key, item]) => [key, shownValue(item)]))
}

/** What shownValue() makes of a deferred value. */
export type Later = { readonly later: readonly ({ readonly secret: string; readonly version: string } | { readonly step: string; readonly provide: string })[]; readonly sensitive: boolean; readonly expression: string }

export function isLater(value: Json): value is Json & Later {
  return value !== null && typeof value === 'object' && 'later' in value && 'expression' in value
}

/** The secret whose version is all that differs between two shown values, with the two versions; null: it is something else. */
export function rotation(before: Json, after: Json): { readonly secret: string; readonly before: string; readonly after: string } | null {
  if (!isLater(before) || !isLater(after) || before.expression !== after.expression) return null
  const [[was, ...othersBefore], [is, ...othersAfter]] = [before.later, after.later]
  if (was === undefined || is === undefined || othersBefore.length > 0 || othersAfter.length > 0) return null
  if (!('secret' in was) || !('secret' in is) || was.secret !== is.secret || was.version === is.version) return null
  return { secret: was.secret, before: was.version, after: is.version }
}

/** A deferred value inside another value. */
export interface DeferredLeaf {
  /** Dotted path of the leaf; a list is one leaf, since who sets an element sets all of it. */
  readonly path: string
  readonly value: Json & Deferred
}

/** The deferred values inside a value, by path. */
export function deferredLeaves(value: Json, path: string): readonly DeferredLeaf[] {
  if (value === null || typeof value !== 'object') return []
  if (isDeferred(value)) return [{ path, value }]
  if (Array.isArray(value)) return value.flatMap((item: Json) => deferredLeaves(item, path))
  return Object.entries(value as { readonly [key: string]: Json }).flatMap(([key, item]) => deferredLeaves(item, `${path}.${key}`))
}

function shownDeferred(value: Deferred): Json {
  const inputs = new Map([...inputsOf({ deferred: value.deferred })].map((input) => [canonical(input), input]))
  const later = [...inputs].toSorted(([a], [b]) => byCodePoint(a, b)).map(([, input]): Json => ('secret' in input ? { secret: input.secret, version: input.version } : { step: input.step, provide: input.provide }))
  return { later, sensitive: value.deferred.sensitive, expression: value.deferred.expression }
}
