import type { Report } from '../../schemas/diagnostic.ts'
import { isTemplate } from '../../schemas/expression.ts'
import type { Json } from '../../schemas/shape.ts'
import { error } from '../diagnostics/diagnostic.ts'
import { knownNames } from '../diagnostics/known-names.ts'
import { rangeOf } from '../parse/document.ts'
import { placeOfOrigin } from './layer.ts'
import type { Layer, Origin } from './layer.ts'

/**
 * Layers put together, before anything is evaluated. `plain` is the value where nothing in it has to be evaluated; it is
 * one object however many nodes have it.
 */
export type Merged = { readonly origin: Origin; readonly plain: Json | undefined } & (
  | { readonly kind: 'map'; readonly entries: ReadonlyMap<string, Merged> }
  | { readonly kind: 'list'; readonly items: readonly Merged[] }
  | { readonly kind: 'scalar' }
  | { readonly kind: 'template'; readonly text: string }
  | { readonly kind: 'secret'; readonly path: string }
)

/** A value as it stands, with the templates and secrets in it found. */
export function unmerged(value: Json, origin: Origin, report: Report): Merged {
  return mergeValue(undefined, { value, origin }, report) ?? { kind: 'scalar', origin, plain: null }
}

/** Puts a layer over what is below. Maps merge, all else replaces; `$append`, `$remove` and `$unset` do as they say. */
export function mergeLayer(below: Merged | undefined, layer: Layer, report: Report): Merged {
  return mergeValue(below, { value: layer.value, origin: { layer, pointer: [] } }, report) ?? { kind: 'map', entries: new Map(), origin: { layer, pointer: [] }, plain: {} }
}

interface Above {
  readonly value: Json
  readonly origin: Origin
}

function mergeValue(below: Merged | undefined, { value, origin }: Above, report: Report): Merged | undefined {
  if (typeof value === 'string') return isTemplate(value) ? { kind: 'template', text: value, origin, plain: undefined } : { kind: 'scalar', origin, plain: value }
  if (value === null || typeof value !== 'object') return { kind: 'scalar', origin, plain: value }
  if (Array.isArray(value)) return list(itemsOf(value as readonly Json[], origin, report), origin)
  const object = value as { readonly [key: string]: Json }
  const keys = Object.keys(object)
  const [only] = keys
  if (keys.length === 1 && only === 'secret' && typeof object['secret'] === 'string') return { kind: 'secret', path: object['secret'], origin, plain: undefined }
  if (keys.some((key) => key.startsWith('$'))) return operate(below, { object, origin }, report)
  const entries = new Map(below?.kind === 'map' ? below.entries : [])
  for (const key of keys) {
    const inner = { layer: origin.layer, pointer: [...origin.pointer, key] }
    if (key === 'deferred') {
      report(error('ATTRIBUTE_INVALID', rangeOfOrigin(inner, 'key'), 'The key `deferred` is for Crowbar itself.', { fix: 'Give the attribute another name.' }))
      continue
    }
    const merged = mergeValue(entries.get(key), { value: object[key] as Json, origin: inner }, report)
    if (merged === undefined) entries.delete(key)
    else entries.set(key, merged)
  }
  return map(entries, origin)
}

const OPERATORS = ['$append', '$remove', '$unset']

function operate(below: Merged | undefined, { object, origin }: { readonly object: { readonly [key: string]: Json }; readonly origin: Origin }, report: Report): Merged | undefined {
  const complain = (key: string, summary: string, fix: string): void => report(error('ATTRIBUTE_OPERATOR', rangeOfOrigin({ layer: origin.layer, pointer: [...origin.pointer, key] }, 'key'), summary, { fix }))
  const keys = Object.keys(object)
  const stranger = keys.find((key) => !OPERATORS.includes(key))
  if (stranger !== undefined) {
    if (stranger.startsWith('$')) complain(stranger, `${stranger} is none of ${OPERATORS.join(', ')}.`, knownNames(stranger, OPERATORS))
    else complain(stranger, `${keys.filter((key) => key.startsWith('$')).join(' and ')} cannot stand beside other keys.`, 'Take one of them away.')
    return below
  }
  if ('$unset' in object) {
    if (object['$unset'] === true && keys.length === 1) return undefined
    complain('$unset', '$unset takes `true`, and stands alone.', 'Write { $unset: true }.')
    return below
  }
  if (below !== undefined && below.kind !== 'list') {
    complain(keys[0] as string, `${keys.join(' and ')} ${keys.length === 1 ? 'needs' : 'need'} a list in the layers below, and what they have is none.`, 'Write the value itself.')
    return below
  }
  let items = below?.items ?? []
  for (const key of ['$remove', '$append'] as const) {
    const value = object[key]
    if (value === undefined) continue
    if (!Array.isArray(value)) {
      complain(key, `${key} takes a list.`, `Write { ${key}: [ … ] }.`)
      continue
    }
    if (key === '$remove') {
      const gone = new Set(value.map((item) => JSON.stringify(item)))
      items = items.filter((item) => item.plain === undefined || !gone.has(JSON.stringify(item.plain)))
    } else {
      items = [...items, ...itemsOf(value as readonly Json[], { layer: origin.layer, pointer: [...origin.pointer, key] }, report)]
    }
  }
  return list(items, origin)
}

function itemsOf(values: readonly Json[], origin: Origin, report: Report): readonly Merged[] {
  return values.map((value, i) => {
    const inner = { layer: origin.layer, pointer: [...origin.pointer, i] }
    return mergeValue(undefined, { value, origin: inner }, report) ?? { kind: 'scalar', origin: inner, plain: null }
  })
}

function map(entries: ReadonlyMap<string, Merged>, origin: Origin): Merged {
  const plain: (readonly [string, Json])[] = []
  for (const [key, entry] of entries) {
    if (entry.plain === undefined) return { kind: 'map', entries, origin, plain: undefined }
    plain.push([key, entry.plain])
  }
  return { kind: 'map', entries, origin, plain: Object.fromEntries(plain) }
}

function list(items: readonly Merged[], origin: Origin): Merged {
  const plain = items.every((item) => item.plain !== undefined) ? items.map((item) => item.plain as Json) : undefined
  return { kind: 'list', items, origin, plain }
}

function rangeOfOrigin(origin: Origin, what: 'key' | 'value') {
  const { document, pointer } = placeOfOrigin(origin)
  return rangeOf(document, pointer, what)
}

/** What stands at a place, or the deepest thing on the way to it that has no parts of its own. */
export function mergedAt(merged: Merged, path: readonly (string | number)[]): { readonly found: Merged; readonly depth: number } | undefined {
  let at = merged
  for (const [depth, key] of path.entries()) {
    let next: Merged | undefined
    if (at.kind === 'map') next = at.entries.get(String(key))
    else if (at.kind === 'list') next = at.items[Number(key)]
    else return { found: at, depth }
    if (next === undefined) return undefined
    at = next
  }
  return { found: at, depth: path.length }
}
