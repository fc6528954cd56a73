import { isList, entriesOf, Optional, Unknown, Failure } from './value.ts'
import type { CelValue } from './value.ts'

/** The unknown that stands for all inputs of both; either may be missing. */
export function merge(a: Unknown | undefined, b: Unknown | undefined): Unknown | undefined {
  if (a === undefined || a === b) return b
  if (b === undefined) return a
  return new Unknown([...new Set([...a.inputs, ...b.inputs])].sort(byCodePoint))
}

function byCodePoint(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/** All that a value, or anything inside it, waits for; undefined if it is known to the last leaf. */
export function unknownIn(value: CelValue): Unknown | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  if (value instanceof Unknown) return value
  let found: Unknown | undefined
  if (isList(value)) for (const item of value) found = merge(found, unknownIn(item))
  else if (value instanceof Optional) found = unknownIn(value.value)
  else for (const [, item] of entriesOf(value) ?? []) found = merge(found, unknownIn(item))
  return found
}

/**
 * What a function whose arguments are not all known gives: the first error among them, else what they wait for,
 * undefined if they are all known. An error wins because it stays one, whatever the unknown turns out to be.
 */
export function absent(args: readonly CelValue[]): Failure | Unknown | undefined {
  let waiting: Unknown | undefined
  for (const arg of args) {
    if (arg instanceof Failure) return arg
    if (arg instanceof Unknown) waiting = merge(waiting, arg)
  }
  return waiting
}
