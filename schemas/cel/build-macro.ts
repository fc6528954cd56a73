import { addEntry, keyMessage } from './map-entry.ts'
import type { Builder } from './builder.ts'
import { fail, spend } from './frame.ts'
import type { Frame, Run } from './frame.ts'
import { merge, unknownIn } from './unknown.ts'
import { entriesOf, Failure, isList, isRecord, typeWord, MapValue, NONE, Optional, Unknown } from './value.ts'
import type { CelValue } from './value.ts'
import type { NodeOf } from './ast.ts'

/** Elements to go through; `keys` only where the macro has two variables. */
interface Range {
  readonly keys: readonly CelValue[] | undefined
  readonly values: readonly CelValue[]
}

/** A macro's loop, for one range that is known. `step` sets the variables of turn `index`. */
type Loop = (frame: Frame, range: Range, step: (index: number) => void) => CelValue

/** `all`, `exists`, … `transformMap`. */
export function buildMacro(node: NodeOf<'macro'>, builder: Builder): Run {
  const range = builder.build(node.range)
  const slot = builder.locals.length
  const locals = [...builder.locals, ...node.variables]
  const body = builder.build(node.body, locals)
  const filter = node.filter && builder.build(node.filter, locals)
  const loop = loopOf(node, body, filter)
  const two = node.variables.length === 2
  return (frame) => {
    spend(frame, node)
    const value = range(frame)
    if (value instanceof Failure) return value
    if (value instanceof Unknown) {
      // What the elements will be asked for is found by asking an unknown one.
      frame.slots[slot] = value
      if (two) frame.slots[slot + 1] = value
      return merge(value, merge(filter && unknownIn(frame, filter(frame)), unknownIn(frame, body(frame)))) ?? value
    }
    const items = two ? pairs(value) : singles(value)
    if (items === undefined)
      return fail(node.range, `${node.macro} goes through a list or a map, this is ${typeWord(value)}`)
    const { keys, values } = items
    return loop(frame, items, (index) => {
      spend(frame, node)
      if (keys !== undefined) frame.slots[slot] = keys[index] ?? null
      frame.slots[keys === undefined ? slot : slot + 1] = values[index] ?? null
    })
  }
}

function singles(value: CelValue): Range | undefined {
  if (isList(value)) return { keys: undefined, values: value }
  if (value instanceof MapValue) return { keys: undefined, values: [...value.entries.values()].map(([key]) => key) }
  return isRecord(value) ? { keys: undefined, values: Object.keys(value) } : undefined
}

function pairs(value: CelValue): Range | undefined {
  if (isList(value)) return { keys: value.map((_, index) => index), values: value }
  const entries = entriesOf(value)
  return entries && { keys: entries.map(([key]) => key), values: entries.map(([, item]) => item) }
}

function loopOf(node: NodeOf<'macro'>, body: Run, filter: Run | undefined): Loop {
  switch (node.macro) {
    case 'all':
      return search(node, body, false)
    case 'exists':
      return search(node, body, true)
    case 'existsOne':
      return existsOne(node, body)
    case 'filter':
      return collect(node, undefined, body)
    case 'map':
    case 'transformList':
      return collect(node, body, filter)
    case 'transformMap':
      return collectMap(node, body, filter)
  }
}

function notBool(node: NodeOf<'macro'>, value: CelValue): Failure {
  return fail(node.body, `${node.macro} needs true or false, this is ${typeWord(value)}`)
}

/** One element that decides is enough, even if others fail or are unknown. */
function search(node: NodeOf<'macro'>, body: Run, decides: boolean): Loop {
  return (frame, { values }, step) => {
    let waiting: Unknown | undefined
    let failure: Failure | undefined
    for (let index = 0; index < values.length; index++) {
      step(index)
      const found = body(frame)
      if (found === decides) return decides
      if (typeof found === 'boolean') continue
      if (found instanceof Unknown) waiting = merge(waiting, found)
      else failure ??= found instanceof Failure ? found : notBool(node, found)
    }
    return waiting ?? failure ?? !decides
  }
}

function existsOne(node: NodeOf<'macro'>, body: Run): Loop {
  return (frame, { values }, step) => {
    let waiting: Unknown | undefined
    let count = 0
    for (let index = 0; index < values.length; index++) {
      step(index)
      const found = body(frame)
      if (found === true) count++
      else if (found instanceof Failure) return found
      else if (found instanceof Unknown) waiting = merge(waiting, found)
      else if (found !== false) return notBool(node, found)
    }
    return waiting ?? count === 1
  }
}

/** Which elements are taken: true, false, or what stands in the way. */
function taken(node: NodeOf<'macro'>, frame: Frame, filter: Run | undefined): boolean | Unknown | Failure {
  const found = filter === undefined ? true : filter(frame)
  if (typeof found === 'boolean' || found instanceof Unknown || found instanceof Failure) return found
  return fail(node.filter ?? node.body, `${node.macro} needs true or false, this is ${typeWord(found)}`)
}

/** Without `body`, the elements themselves. */
function collect(node: NodeOf<'macro'>, body: Run | undefined, filter: Run | undefined): Loop {
  return (frame, { values }, step) => {
    const list: CelValue[] = []
    let waiting: Unknown | undefined
    for (let index = 0; index < values.length; index++) {
      step(index)
      const take = taken(node, frame, filter)
      if (take === false) continue
      if (take instanceof Failure) return take
      if (take instanceof Unknown) waiting = merge(waiting, take)
      const value = body === undefined ? (values[index] ?? null) : body(frame)
      if (value instanceof Failure && take === true) return value
      if (value instanceof Unknown) waiting = merge(waiting, value)
      list.push(value)
    }
    return waiting === undefined ? list : (merge(waiting, unknownIn(frame, list)) ?? waiting)
  }
}

function collectMap(node: NodeOf<'macro'>, body: Run, filter: Run | undefined): Loop {
  return (frame, { keys = [], values }, step) => {
    const map = new MapValue()
    let waiting: Unknown | undefined
    for (let index = 0; index < values.length; index++) {
      step(index)
      const take = taken(node, frame, filter)
      if (take === false) continue
      if (take instanceof Failure) return take
      const value = body(frame)
      if (take instanceof Unknown) waiting = merge(waiting, merge(take, unknownIn(frame, value)))
      else if (value instanceof Failure) return value
      else if (value instanceof Unknown) waiting = merge(waiting, value)
      else if (!addEntry(map, keys[index] ?? null, value)) return fail(node, keyMessage(keys[index] ?? null))
    }
    return waiting === undefined ? map : (merge(waiting, unknownIn(frame, map)) ?? waiting)
  }
}

/** `cel.bind`, `optMap` and `optFlatMap`. */
export function buildBind(node: NodeOf<'bind'>, builder: Builder): Run {
  const value = builder.build(node.value)
  const slot = builder.locals.length
  const body = builder.build(node.body, [...builder.locals, node.variable])
  if (node.form === 'bind') {
    return (frame) => {
      spend(frame, node)
      frame.slots[slot] = value(frame)
      return body(frame)
    }
  }
  return (frame) => {
    spend(frame, node)
    const optional = value(frame)
    if (optional instanceof Failure) return optional
    if (!(optional instanceof Optional) && !(optional instanceof Unknown))
      return fail(node.value, `${node.form} needs an optional value, this is ${typeWord(optional)}`)
    if (optional instanceof Optional && !optional.present) return NONE
    frame.slots[slot] = optional instanceof Optional ? optional.value : optional
    const result = body(frame)
    if (optional instanceof Unknown) return merge(optional, unknownIn(frame, result)) ?? optional
    if (result instanceof Failure || result instanceof Unknown) return result
    if (node.form === 'optMap') return new Optional(true, result)
    return result instanceof Optional ? result : fail(node.body, 'optFlatMap needs an optional value as its result')
  }
}
