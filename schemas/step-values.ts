import { own } from './own.ts'
import type { Step } from './plan.ts'
import type { Json } from './shape.ts'

/** Values by digest; listings of a barclamp's files may stand among them under the digest of the content. */
export interface ValueSource {
  readonly values: { readonly [digest: string]: Json }
  readonly contents?: { readonly [digest: string]: Json }
}

/** The document of a step, part by part: parts are barclamps' names, `wants`, `install`, `machine`. */
export type StepDocument = { readonly [part: string]: Json }

/**
 * Digests of everything that a step's document is made of: the document, its parts, and the listing of its files.
 * A digest that `source` does not have is listed too.
 */
export function stepValueDigests(step: Step, source: ValueSource): readonly string[] {
  const digests: string[] = []
  if (step.attributes !== null) digests.push(step.attributes, ...Object.values(stepParts(step, source.values) ?? {}))
  if (step.content !== null) digests.push(step.content)
  return digests
}

/** All that carrying out or undoing a step needs, by digest, as far as `source` has it. Blobs are named, not held. */
export function stepValues(step: Step, source: ValueSource): { readonly [digest: string]: Json } {
  const entries: [string, Json][] = []
  for (const key of stepValueDigests(step, source)) {
    const value = own(source.values, key) ?? own(source.contents, key)
    if (value !== undefined) entries.push([key, value])
  }
  return Object.fromEntries(entries)
}

/** A step's document with its parts in place; null when it is not known yet, or when `values` lacks a piece of it. */
export function stepDocument(step: Step, values: ValueSource['values']): StepDocument | null {
  const parts = stepParts(step, values)
  if (parts === null) return null
  const entries: [string, Json][] = []
  for (const [name, key] of Object.entries(parts)) {
    const value = values[key]
    if (value === undefined) return null
    entries.push([name, value])
  }
  return Object.fromEntries(entries)
}

/** Part → digest of a step's document; null when the document is not known yet, or not among `values`. */
export function stepParts(step: Step, values: ValueSource['values']): { readonly [part: string]: string } | null {
  const value = step.attributes === null ? undefined : values[step.attributes]
  if (value === undefined || value === null || typeof value !== 'object' || !('parts' in value)) return null
  const parts = value['parts']
  if (parts === undefined || parts === null || typeof parts !== 'object' || Array.isArray(parts)) return null
  return Object.values(parts).every((key) => typeof key === 'string') ? (parts as { readonly [part: string]: string }) : null
}
