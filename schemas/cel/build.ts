import { buildCall } from './build-call.ts'
import type { Builder } from './builder.ts'
import { addEntry, keyMessage } from './map-entry.ts'
import { buildBind, buildMacro } from './build-macro.ts'
import { buildHas, buildIndex, buildSelect } from './build-member.ts'
import { buildBinary, buildLogical, buildUnary } from './build-operator.ts'
import { fail, spend } from './frame.ts'
import type { Run } from './frame.ts'
import { memberPath } from './qualified-name.ts'
import { merge, unknownIn } from './unknown.ts'
import { Failure, MapValue, Optional, TypeValue, Unknown } from './value.ts'
import type { CelValue } from './value.ts'
import type { Resolution } from './check-result.ts'
import type { Expression, NodeOf, Span } from './ast.ts'

/**
 * Compiles a checked expression into closures. What did not check fails when it is evaluated.
 *
 * @param outer variables of the macros around it, outermost first: slots of the frame.
 */
export function build(ast: Expression, resolutions: ReadonlyMap<Expression, Resolution>, outer: readonly string[] = []): Run {
  const within = (locals: readonly string[]): Builder => ({
    resolutions,
    locals,
    build: (node, inner = locals) => buildNode(node, within(inner)),
  })
  return within(outer).build(ast)
}

function buildNode(node: Expression, builder: Builder): Run {
  switch (node.kind) {
    case 'literal': {
      const { value } = node
      return () => value
    }
    case 'name':
      return buildName(node, builder)
    case 'select':
      return builder.resolutions.has(node) ? buildName(node, builder) : buildSelect(node, builder)
    case 'has':
      return buildHas(node, builder)
    case 'index':
      return buildIndex(node, builder)
    case 'call':
      return buildCall(node, builder)
    case 'unary':
      return buildUnary(node, builder)
    case 'binary':
      return buildBinary(node, builder)
    case 'logical':
      return buildLogical(node, builder)
    case 'conditional':
      return buildConditional(node, builder)
    case 'list':
      return buildList(node, builder)
    case 'map':
      return buildMap(node, builder)
    case 'macro':
      return buildMacro(node, builder)
    case 'bind':
      return buildBind(node, builder)
  }
}

function buildName(node: NodeOf<'name'> | NodeOf<'select'>, builder: Builder): Run {
  const slot = node.kind === 'name' && !node.absolute ? builder.locals.lastIndexOf(node.name) : -1
  if (slot >= 0) return (frame) => frame.slots[slot] ?? null
  const resolution = builder.resolutions.get(node)
  if (resolution?.kind === 'type') {
    const type = new TypeValue(resolution.name)
    return () => type
  }
  const name = resolution?.kind === 'variable' ? resolution.name : (memberPath(node)?.join('.') ?? '')
  return ({ bindings }) => {
    const value = Object.hasOwn(bindings, name) ? bindings[name] : undefined
    return value === undefined ? fail(node, `${name} has no value here`) : value
  }
}

function buildConditional(node: NodeOf<'conditional'>, builder: Builder): Run {
  const [test, yes, no] = [builder.build(node.test), builder.build(node.yes), builder.build(node.no)]
  return (frame) => {
    spend(frame, node)
    const choice = test(frame)
    if (choice === true) return yes(frame)
    if (choice === false) return no(frame)
    if (choice instanceof Failure) return choice
    if (!(choice instanceof Unknown)) return fail(node.test, '? needs true or false before it')
    // Either branch may be needed later, so the result waits for the inputs of both.
    return merge(choice, merge(unknownIn(frame, yes(frame)), unknownIn(frame, no(frame)))) ?? choice
  }
}

/** What an element that may be left out comes to: a value, undefined if it is left out, or what stands in the way. */
function unwrap(value: CelValue, span: Span): CelValue | undefined {
  if (value instanceof Optional) return value.present ? value.value : undefined
  return value instanceof Unknown || value instanceof Failure
    ? value
    : fail(span, 'after ? an optional value is needed')
}

function buildList(node: NodeOf<'list'>, builder: Builder): Run {
  const elements = node.elements.map(({ value, optional }) => ({ run: builder.build(value), optional, span: value }))
  const constant = node.elements.map(({ value, optional }) =>
    value.kind === 'literal' && !optional ? value.value : undefined,
  )
  const known = constant.filter((value) => value !== undefined)
  if (known.length === constant.length) return () => known
  return (frame) => {
    spend(frame, node, 1 + elements.length)
    const list: CelValue[] = []
    let waiting: Unknown | undefined
    for (const { run, optional, span } of elements) {
      const plain = run(frame)
      const value = optional ? unwrap(plain, span) : plain
      if (value === undefined) continue
      if (value instanceof Failure) return value
      // What is computed for an element may still fail, so the list is not known before its elements are.
      if (value instanceof Unknown) waiting = merge(waiting, value)
      list.push(value)
    }
    return waiting === undefined ? list : (merge(waiting, unknownIn(frame, list)) ?? list)
  }
}

function buildMap(node: NodeOf<'map'>, builder: Builder): Run {
  const entries = node.entries.map(({ key, value, optional }) => ({
    key: builder.build(key),
    value: builder.build(value),
    optional,
    keySpan: key,
    span: value,
  }))
  return (frame) => {
    spend(frame, node, 1 + entries.length)
    const map = new MapValue()
    let waiting: Unknown | undefined
    for (const entry of entries) {
      const key = entry.key(frame)
      const plain = entry.value(frame)
      const value = entry.optional ? unwrap(plain, entry.span) : plain
      if (key instanceof Failure) return key
      if (value === undefined) continue
      if (value instanceof Failure) return value
      if (key instanceof Unknown) waiting = merge(waiting, merge(key, unknownIn(frame, value)))
      else if (value instanceof Unknown) waiting = merge(waiting, value)
      else if (!addEntry(map, key, value)) return fail(entry.keySpan, keyMessage(key))
    }
    return waiting === undefined ? map : (merge(waiting, unknownIn(frame, map)) ?? map)
  }
}
