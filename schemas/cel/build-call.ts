import { fail, locate, spend } from './frame.ts'
import type { Frame, Run } from './frame.ts'
import { matchesType } from './match-type.ts'
import { absent, unknownInAll } from './unknown.ts'
import { typeWord } from './value.ts'
import type { CelValue } from './value.ts'
import type { Builder } from './builder.ts'
import type { HostFunction } from './environment.ts'
import type { CelType } from './type.ts'
import type { Callable } from './resolve.ts'
import type { LibraryFunction } from './library/function.ts'
import type { NodeOf } from './ast.ts'

/** What a call of a host function costs. */
const HOST_COST = 10

/** A call of a library or host function. */
export function buildCall(node: NodeOf<'call'>, builder: Builder): Run {
  const resolution = builder.resolutions.get(node)
  if (resolution?.kind !== 'functions') return () => fail(node.nameSpan, `there is no function ${node.name}`)
  const { functions, method } = resolution
  const [only] = functions
  const nodes = method && node.target !== undefined ? [node.target, ...node.args] : node.args
  const args = nodes.map((arg) => builder.build(arg))
  if (functions.length === 1 && only?.kind === 'library' && only.arity !== undefined && !only.library.deep)
    return buildPlain(node, only.library, args)
  return (frame) => {
    spend(frame, node)
    const values = args.map((arg) => arg(frame))
    frame.offset = node.offset
    frame.length = node.length
    return locate(callAny(frame, node, functions, values), node)
  }
}

/** The common case: one library function that looks at its arguments itself. */
function buildPlain(node: NodeOf<'call'>, { apply }: LibraryFunction, args: readonly Run[]): Run {
  const [first, second, third, fourth] = args
  const finish = (frame: Frame, result: CelValue | undefined, values: () => readonly CelValue[]): CelValue =>
    result === undefined
      ? noOverload(frame, node, values())
      : typeof result === 'object'
        ? locate(result, node)
        : result
  if (first !== undefined && second === undefined) {
    return (frame) => {
      const a = first(frame)
      enter(frame, node)
      return finish(frame, apply(frame, a, null, null, null), () => [a])
    }
  }
  if (first !== undefined && second !== undefined && third === undefined) {
    return (frame) => {
      const a = first(frame)
      const b = second(frame)
      enter(frame, node)
      return finish(frame, apply(frame, a, b, null, null), () => [a, b])
    }
  }
  return (frame) => {
    const a = first?.(frame) ?? null
    const b = second?.(frame) ?? null
    const c = third?.(frame) ?? null
    const d = fourth?.(frame) ?? null
    enter(frame, node)
    return finish(frame, apply(frame, a, b, c, d), () => [a, b, c, d].slice(0, args.length))
  }
}

function enter(frame: Frame, node: NodeOf<'call'>): void {
  spend(frame, node)
  frame.offset = node.offset
  frame.length = node.length
}

function noOverload(frame: Frame, node: NodeOf<'call'>, values: readonly CelValue[]): CelValue {
  return absent(frame, values) ?? fail(node, `${node.name} does not take (${values.map(typeWord).join(', ')})`)
}

/** Tries the functions in order; the first that takes the values gives the result. */
function callAny(
  frame: Frame,
  node: NodeOf<'call'>,
  functions: readonly Callable[],
  values: readonly CelValue[],
): CelValue {
  const waiting = absent(frame, values)
  if (waiting !== undefined) return waiting
  for (const callable of functions) {
    const result =
      callable.kind === 'host'
        ? callHost(frame, node, callable, functions, values)
        : callLibrary(frame, callable.library, values)
    if (result !== undefined) return result
  }
  return noOverload(frame, node, values)
}

function callLibrary(frame: Frame, library: LibraryFunction, values: readonly CelValue[]): CelValue | undefined {
  const waiting = library.deep ? unknownInAll(frame, values) : undefined
  if (waiting !== undefined) return waiting
  if (library.arity === undefined) return library.apply(frame, values, null, null, null)
  const [a = null, b = null, c = null, d = null] = values
  return library.apply(frame, a, b, c, d)
}

function callHost(
  frame: Frame,
  node: NodeOf<'call'>,
  callable: Callable & { kind: 'host' },
  functions: readonly Callable[],
  values: readonly CelValue[],
): CelValue | undefined {
  // An object may hold unknowns in fields that the function never looks at.
  const inspected = values.filter((_, index) => !isObject(parameters(callable.host)[index]))
  const waiting = unknownInAll(frame, inspected)
  if (waiting !== undefined) return waiting
  const ambiguous = functions.length > 1
  const takes = ({ host }: Callable & { kind: 'host' }): boolean =>
    parameters(host).every((type, index) => matchesType(type, values[index] ?? null, { closed: ambiguous }))
  if (!takes(callable)) return undefined
  // Plain objects carry no name: where two kinds of them have the method, the fields must tell which it is.
  const others = functions.filter((other) => other !== callable && other.kind === 'host' && takes(other))
  if (others.length > 0)
    return fail(
      node.nameSpan,
      `${node.name} may mean ${others.length + 1} functions here, and the value does not tell which`,
    )
  frame.charge(HOST_COST)
  return callable.host.call(values)
}

function parameters({ receiver, params }: HostFunction): readonly CelType[] {
  return receiver === undefined ? params : [receiver, ...params]
}

function isObject(type: CelType | undefined): boolean {
  return typeof type === 'object' && 'object' in type
}
