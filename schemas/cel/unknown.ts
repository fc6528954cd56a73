import type { Meter } from './meter.ts'
import { entriesOf, Failure, isList, Optional, Unknown } from './value.ts'
import type { CelValue } from './value.ts'

/** The unknown that stands for all inputs of both; either may be missing. */
export function merge(a: Unknown | undefined, b: Unknown | undefined): Unknown | undefined {
  if (a === undefined || a === b) return b
  if (b === undefined) return a
  return new Unknown([...new Set([...a.inputs, ...b.inputs])].sort())
}

/**
 * All that a value, or anything inside it, waits for; undefined if it is known to the last leaf. Costs one unit for each
 * element, so that a small expression cannot make a value that takes for ever to walk.
 */
export function unknownIn(meter: Meter, value: CelValue): Unknown | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  if (value instanceof Unknown) return value
  let found: Unknown | undefined
  if (isList(value)) {
    meter.charge(value.length)
    for (const item of value) found = merge(found, unknownIn(meter, item))
  } else if (value instanceof Optional) {
    meter.charge(1)
    found = unknownIn(meter, value.value)
  } else {
    const entries = entriesOf(value)
    if (entries === undefined) return undefined
    meter.charge(entries.length)
    for (const [, item] of entries) found = merge(found, unknownIn(meter, item))
  }
  return found
}

/** The same for several values together. */
export function unknownInAll(meter: Meter, values: readonly CelValue[]): Unknown | undefined {
  let found: Unknown | undefined
  for (const value of values) found = merge(found, unknownIn(meter, value))
  return found
}

/**
 * What a function that cannot work with such arguments gives: the first error among them, else what they wait for if
 * one is unknown, else undefined. An error wins because it stays one, whatever the unknown turns out to be.
 */
export function absent(meter: Meter, args: readonly CelValue[]): Failure | Unknown | undefined {
  let waiting = false
  for (const arg of args) {
    if (arg instanceof Failure) return arg
    if (arg instanceof Unknown) waiting = true
  }
  return waiting ? unknownInAll(meter, args) : undefined
}
