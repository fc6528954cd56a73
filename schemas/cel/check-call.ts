import { memberPath } from './qualified-name.ts'
import { callSignatures, findFunctions, knownNames } from './resolve.ts'
import type { Callable } from './resolve.ts'
import { regexOf } from './library/strings.ts'
import { suggest } from './suggest.ts'
import type { CheckContext } from './check-context.ts'
import type { CelType } from './type.ts'
import type { NodeOf } from './ast.ts'

/** A call whose arguments are checked; the receiver of a method is the first of them. */
interface CheckedCall {
  readonly name: string
  readonly method: boolean
  readonly args: readonly CelType[]
}

/** Finds the functions that a call may mean. @returns the type of its result. */
export function checkCall(context: CheckContext, node: NodeOf<'call'>, call: CheckedCall): CelType {
  const { name, method, args } = call
  const functions = findFunctions(context.environment, { name, method, arity: args.length })
  if (functions.length === 0) return unknownFunction(context, node, call)
  const chosen = functions.filter(
    (callable) => context.overload(callSignatures(callable, args.length), args, { keep: false }) !== undefined,
  )
  context.resolutions.set(node, {
    kind: 'functions',
    functions: chosen.length > 0 ? chosen : functions,
    method,
  })
  const result = context.overload(
    functions.flatMap((callable) => callSignatures(callable, args.length)),
    args,
  )
  if (result === undefined) return context.error(node.nameSpan, callMessage(context, node.name, functions, call))
  if (chosen.some((callable) => callable.kind === 'host')) recordCall(context, node)
  checkPattern(context, node, name)
  return result
}

function recordCall(context: CheckContext, node: NodeOf<'call'>): void {
  const literals = node.args.map((arg) => {
    if (arg.kind !== 'literal') return undefined
    const { value } = arg
    return value === null || typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
      ? value
      : undefined
  })
  context.calls.push({
    name: node.name,
    receiver: node.target && memberPath(node.target),
    literals,
    offset: node.offset,
    length: node.length,
  })
}

/** A pattern written out is compiled here, so that its mistakes are found before it is ever used. */
function checkPattern(context: CheckContext, node: NodeOf<'call'>, name: string): void {
  const pattern = name === 'matches' ? node.args.at(-1) : undefined
  if (pattern?.kind !== 'literal' || typeof pattern.value !== 'string') return
  const regex = regexOf(pattern.value)
  if (typeof regex === 'string') context.error(pattern, `the pattern is not valid: ${regex}`)
}

function unknownFunction(context: CheckContext, node: NodeOf<'call'>, { name, method, args }: CheckedCall): CelType {
  const counts = [
    ...new Set(
      findFunctions(context.environment, { name, method, arity: undefined }).map((callable) => callable.arity ?? 0),
    ),
  ]
  if (counts.length > 0) {
    const offset = method ? 1 : 0
    const wanted = counts
      .map((count) => count - offset)
      .sort((a, b) => a - b)
      .join(' or ')
    return context.error(node.nameSpan, `${node.name} takes ${wanted} arguments, here are ${args.length - offset}`)
  }
  const names = [...knownNames(context.environment)]
  const found = suggest(name, names)
  const what = method ? 'method' : 'function'
  return context.error(
    node.nameSpan,
    `there is no ${what} ${name}${found === undefined || found === name ? '' : `; did you mean ${found}?`}`,
    found === name ? undefined : found,
  )
}

function callMessage(
  context: CheckContext,
  name: string,
  functions: readonly Callable[],
  { method, args }: CheckedCall,
): string {
  const show = (types: readonly CelType[]): string => types.map((type) => context.show(type)).join(', ')
  const wanted = functions.flatMap((callable) => callSignatures(callable, args.length)).slice(0, 6)
  const forms = wanted.map(({ params }) =>
    method ? `${show(params.slice(0, 1))}.${name}(${show(params.slice(1))})` : `${name}(${show(params)})`,
  )
  const given = method ? `${show(args.slice(0, 1))}.${name}(${show(args.slice(1))})` : `${name}(${show(args)})`
  return `there is no ${given}; there is ${forms.join(', ')}`
}
