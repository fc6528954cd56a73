import type { Expression, MacroName, SourceError, Span } from './ast.ts'

/** The macros on a range by name and number of arguments: how many of them are variables. */
const RANGE_MACROS: Readonly<
  Record<string, { readonly macro: MacroName; readonly variables: number; readonly filter: boolean }>
> = {
  'all/2': { macro: 'all', variables: 1, filter: false },
  'all/3': { macro: 'all', variables: 2, filter: false },
  'exists/2': { macro: 'exists', variables: 1, filter: false },
  'exists/3': { macro: 'exists', variables: 2, filter: false },
  'exists_one/2': { macro: 'existsOne', variables: 1, filter: false },
  'existsOne/2': { macro: 'existsOne', variables: 1, filter: false },
  'existsOne/3': { macro: 'existsOne', variables: 2, filter: false },
  'map/2': { macro: 'map', variables: 1, filter: false },
  'map/3': { macro: 'map', variables: 1, filter: true },
  'filter/2': { macro: 'filter', variables: 1, filter: false },
  'transformList/3': { macro: 'transformList', variables: 2, filter: false },
  'transformList/4': { macro: 'transformList', variables: 2, filter: true },
  'transformMap/3': { macro: 'transformMap', variables: 2, filter: false },
  'transformMap/4': { macro: 'transformMap', variables: 2, filter: true },
}

/** The node a macro call stands for, a mistake in its arguments, or undefined if this is no macro. */
export function expandMacro(
  name: string,
  target: Expression | undefined,
  args: readonly Expression[],
  span: Span,
): Expression | SourceError | undefined {
  if (target === undefined) return name === 'has' ? expandHas(args, span) : undefined
  const [first, second, third] = args
  if (name === 'bind' && args.length === 3 && target.kind === 'name' && target.name === 'cel') {
    return expandBind('bind', first, second, third, span)
  }
  if ((name === 'optMap' || name === 'optFlatMap') && args.length === 2)
    return expandBind(name, first, target, second, span)
  const key = `${name}/${args.length}`
  const shape = Object.hasOwn(RANGE_MACROS, key) ? RANGE_MACROS[key] : undefined
  if (shape === undefined) return undefined
  const variables: string[] = []
  for (const arg of args.slice(0, shape.variables)) {
    const variable = variableName(arg)
    if (typeof variable !== 'string') return variable
    if (variables.includes(variable))
      return { message: `the two variables of ${name} need different names`, offset: arg.offset, length: arg.length }
    variables.push(variable)
  }
  const filter = shape.filter ? args.at(-2) : undefined
  const body = args.at(-1)
  return body && { kind: 'macro', macro: shape.macro, range: target, variables, filter, body, ...span }
}

function expandHas(args: readonly Expression[], span: Span): Expression | SourceError {
  const [arg] = args
  if (arg === undefined || args.length !== 1 || arg.kind !== 'select') {
    return {
      message: 'has() takes one field, such as has(machine.bmc.address)',
      offset: span.offset,
      length: span.length,
    }
  }
  return {
    kind: 'has',
    operand: arg.operand,
    field: arg.field,
    optional: arg.optional,
    fieldSpan: arg.fieldSpan,
    ...span,
  }
}

function expandBind(
  form: 'bind' | 'optMap' | 'optFlatMap',
  name: Expression | undefined,
  value: Expression | undefined,
  body: Expression | undefined,
  span: Span,
): Expression | SourceError | undefined {
  if (name === undefined || value === undefined || body === undefined) return undefined
  const variable = variableName(name)
  return typeof variable === 'string' ? { kind: 'bind', form, variable, value, body, ...span } : variable
}

function variableName(arg: Expression): string | SourceError {
  if (arg.kind === 'name' && !arg.absolute) return arg.name
  return {
    message: 'expected the name of a variable, such as d in disks.filter(d, d.rotational)',
    offset: arg.offset,
    length: arg.length,
  }
}
