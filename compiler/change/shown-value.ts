import { byCodePoint } from '../../schemas/canonical.ts'
import { isDeferred } from '../../schemas/deferred.ts'
import type { Deferred } from '../../schemas/deferred.ts'
import type { Json } from '../../schemas/shape.ts'

/**
 * A value as reviewers may see it: what is not known yet becomes `{ later: [inputs], sensitive, expression }`, each input
 * a secret by name and version or a step by what it provides. Nothing that a secret or a sensitive value went into is shown.
 */
export function shownValue(value: Json | undefined): Json {
  if (value === undefined || value === null || typeof value !== 'object') return value ?? null
  if (isDeferred(value)) return shownDeferred(value)
  if (Array.isArray(value)) return value.map((item: Json) => shownValue(item))
  return Object.fromEntries(Object.entries(value as { readonly [key: string]: Json }).map(([key, item]) => [key, shownValue(item)]))
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
  const later = Object.entries(value.deferred.inputs)
    .toSorted(([a], [b]) => byCodePoint(a, b))
    .map(([, input]): Json => ('secret' in input ? { secret: input.secret, version: input.version } : { step: input.step, provide: input.provide }))
  return { later, sensitive: value.deferred.sensitive, expression: value.deferred.expression }
}
