import { byCodePoint, canonical } from '../../schemas/canonical.ts'
import { isDeferred } from '../../schemas/deferred.ts'
import type { Json } from '../../schemas/shape.ts'
import type { Step } from '../../schemas/plan.ts'
import { stepParts } from '../../schemas/step-values.ts'

/** A leaf that differs between two documents. Lists and deferred values are leaves; `undefined`: not there. */
export interface Difference {
  /** The part it is in: a barclamp's name, `wants`, `install`, `machine`. */
  readonly part: string
  /** Dotted, with the part first. */
  readonly path: string
  readonly before: Json | undefined
  readonly after: Json | undefined
}

type Values = { readonly [digest: string]: Json }

/**
 * What differs between the documents of two versions of a step, in order of path.
 *
 * @returns null when one of the two cannot be known: the document depends on what is missing, or a value of it is gone.
 */
export function documentDiff(before: Step, beforeValues: Values, after: Step, afterValues: Values): readonly Difference[] | null {
  if (before.attributes !== null && before.attributes === after.attributes) return []
  const was = stepParts(before, beforeValues)
  const is = stepParts(after, afterValues)
  if (was === null || is === null) return null
  const differences: Difference[] = []
  for (const part of [...new Set([...Object.keys(was), ...Object.keys(is)])].toSorted(byCodePoint)) {
    const wasKey = Object.hasOwn(was, part) ? was[part] : undefined
    const isKey = Object.hasOwn(is, part) ? is[part] : undefined
    if (wasKey === isKey) continue
    const wasValue = wasKey === undefined ? undefined : beforeValues[wasKey]
    const isValue = isKey === undefined ? undefined : afterValues[isKey]
    if ((wasKey !== undefined && wasValue === undefined) || (isKey !== undefined && isValue === undefined)) return null
    compare(wasValue, isValue, { part, path: part }, differences)
  }
  return differences
}

function compare(before: Json | undefined, after: Json | undefined, at: { readonly part: string; readonly path: string }, into: Difference[]): void {
  const was = asMap(before)
  const is = asMap(after)
  if (was === null || is === null) {
    if (same(before, after)) return
    into.push({ ...at, before, after })
    return
  }
  for (const key of [...new Set([...Object.keys(was), ...Object.keys(is)])].toSorted(byCodePoint)) {
    compare(own(was, key), own(is, key), { part: at.part, path: `${at.path}.${key}` }, into)
  }
}

/** A map that is compared key by key. */
function asMap(value: Json | undefined): { readonly [key: string]: Json } | null {
  if (value === undefined || value === null || typeof value !== 'object' || Array.isArray(value) || isDeferred(value)) return null
  return value as { readonly [key: string]: Json }
}

function own(from: { readonly [key: string]: Json }, key: string): Json | undefined {
  return Object.hasOwn(from, key) ? from[key] : undefined
}

function same(a: Json | undefined, b: Json | undefined): boolean {
  if (a === undefined || b === undefined) return a === b
  return canonical(a) === canonical(b)
}
