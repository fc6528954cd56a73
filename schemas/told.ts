import { digest } from './canonical.ts'
import { inputsOfDocument } from './resolve-deferred.ts'
import { own } from './own.ts'
import type { Json } from './shape.ts'

/** What a step reported: values, and of sensitive ones keyed digests. */
export interface Reported {
  readonly provides: { readonly [name: string]: Json }
  readonly sealed: { readonly [name: string]: string }
}

/**
 * What a part of a document takes from other steps, as these have reported it: a digest over the inputs and their
 * values; null when it takes nothing.
 */
export function toldToPart(part: Json, reported: (step: string) => Reported | undefined): string | null {
  const told = inputsOfDocument(part).flatMap((input) => {
    if (!('step' in input)) return []
    const from = reported(input.step)
    const value = own(from?.provides, input.provide)
    return [[input.step, input.provide, own(from?.sealed, input.provide) ?? (value === undefined ? null : digest(value))]]
  })
  return told.length === 0 ? null : digest(told)
}

/** The same of a whole document, from what it is of its parts. */
export function toldOf(parts: { readonly [part: string]: string | null }): string | null {
  const told = Object.entries(parts).filter(([, one]) => one !== null)
  return told.length === 0 ? null : digest(Object.fromEntries(told))
}
