import { fail, spend } from './frame.ts'
import type { Run } from './frame.ts'
import { lookUp } from './library/compare.ts'
import { merge, unknownIn } from './unknown.ts'
import {
  asSmallInt,
  Double,
  Failure,
  isList,
  isRecord,
  typeWord,
  MapValue,
  NONE,
  Optional,
  Uint,
  Unknown,
} from './value.ts'
import type { CelValue } from './value.ts'
import type { Builder } from './builder.ts'
import type { NodeOf, Span } from './ast.ts'

/** `a.b` and `a.?b`. */
export function buildSelect(node: NodeOf<'select'>, builder: Builder): Run {
  const operand = builder.build(node.operand)
  const { field, fieldSpan } = node
  if (node.optional) return (frame) => (spend(frame, node), optionalMember(operand(frame), field, fieldSpan))
  return (frame) => {
    spend(frame, node)
    const holder = operand(frame)
    if (typeof holder === 'object' && holder !== null && holder.constructor === Object) {
      const value = (holder as { readonly [key: string]: CelValue })[field]
      if (value !== undefined && Object.hasOwn(holder, field)) return value
    }
    return holder instanceof Optional ? optionalMember(holder, field, fieldSpan) : member(holder, field, fieldSpan)
  }
}

/** `has(a.b)`. */
export function buildHas(node: NodeOf<'has'>, builder: Builder): Run {
  const operand = builder.build(node.operand)
  const { field, fieldSpan } = node
  return (frame) => {
    spend(frame, node)
    const value = operand(frame)
    if (value instanceof Unknown || value instanceof Failure) return value
    const holder = value instanceof Optional ? value.value : value
    if (value instanceof Optional && !value.present) return false
    if (!(holder instanceof MapValue) && !isRecord(holder))
      return fail(fieldSpan, `${typeWord(holder)} has no fields, so no ${field}`)
    return lookUp(holder, field) !== undefined
  }
}

/** `a[b]` and `a[?b]`. */
export function buildIndex(node: NodeOf<'index'>, builder: Builder): Run {
  const operand = builder.build(node.operand)
  const index = builder.build(node.index)
  return (frame) => {
    spend(frame, node)
    const holder = operand(frame)
    const key = index(frame)
    if (holder instanceof Failure) return holder
    if (key instanceof Failure) return key
    // Which member it will be is not known, so the result waits for all that is inside as well.
    if (key instanceof Unknown) return merge(key, unknownIn(frame, holder)) ?? key
    return node.optional || holder instanceof Optional ? optionalMember(holder, key, node) : member(holder, key, node)
  }
}

/** The element or value; an error if there is none. */
function member(holder: CelValue, key: CelValue, span: Span): CelValue {
  if (holder instanceof Unknown || holder instanceof Failure) return holder
  const found = find(holder, key, span)
  if (found !== undefined) return found
  if (isList(holder)) return fail(span, `there is no element ${show(key)} in a list of ${holder.length}`)
  const missing = typeof key === 'string' ? { key, holder } : undefined
  return new Failure(`there is no key ${show(key)}`, span.offset, span.length, missing)
}

/** The same as an optional value: none if there is none, and none of nothing. */
function optionalMember(holder: CelValue, key: CelValue, span: Span): CelValue {
  const inner = holder instanceof Optional ? holder.value : holder
  if (inner instanceof Unknown || inner instanceof Failure) return inner
  if (holder instanceof Optional && !holder.present) return NONE
  const found = find(inner, key, span)
  if (found === undefined) return NONE
  return found instanceof Failure ? found : new Optional(true, found)
}

function find(holder: CelValue, key: CelValue, span: Span): CelValue | undefined {
  if (isList(holder)) {
    const index = asIndex(key)
    return index === undefined ? fail(span, `a list is indexed by int, not by ${typeWord(key)}`) : holder[index]
  }
  if (holder instanceof MapValue || isRecord(holder)) return lookUp(holder, key)
  return fail(span, `${typeWord(holder)} has no fields or elements, so no ${show(key)}`)
}

function asIndex(key: CelValue): number | undefined {
  if (key instanceof Double) return key.value
  return key instanceof Uint ? Number(key.value) : asSmallInt(key)
}

function show(key: CelValue): string {
  return typeof key === 'string'
    ? JSON.stringify(key.slice(0, 80))
    : typeof key === 'number'
      ? String(key)
      : `of type ${typeWord(key)}`
}
