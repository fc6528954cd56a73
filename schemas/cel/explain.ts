import type { Expression, NodeOf } from './ast.ts'
import { build } from './build.ts'
import { check } from './check.ts'
import type { Resolution } from './check-result.ts'
import type { Environment } from './environment.ts'
import { Frame } from './frame.ts'
import type { Bindings } from './frame.ts'
import { toJson } from './json.ts'
import { CostExceeded, DEFAULT_COST_LIMIT } from './meter.ts'
import { parse } from './parse.ts'
import { entriesOf, Failure, isList, Unknown } from './value.ts'
import type { CelValue } from './value.ts'

/** A part of a condition that decided how the whole came out. Offsets are into the source. */
export interface Reason {
  readonly offset: number
  readonly length: number
  /** The part as it is written. */
  readonly text: string
  readonly result: boolean | 'unknown' | 'error'
  /** What of it is not written down, and what that was: `machine.memory.bytes` → `1073741824`. */
  readonly values: readonly { readonly text: string; readonly value: string }[]
  /** Of an error: what went wrong. Of an unknown: what it waits for. */
  readonly detail: string | null
}

/** How a condition came out and which parts of it made it so. */
export interface ConditionExplanation {
  readonly result: Reason['result']
  readonly reasons: readonly Reason[]
}

/**
 * Evaluates a condition part by part: which comparison, behind `&&`, `||`, `!`, `? :`, `all` and `exists`, decided.
 * Of `a && b` that is false the false ones are given, of one that is true both.
 *
 * @returns undefined when the source is no valid expression.
 */
export function explainCondition(source: string, environment: Environment, bindings: Bindings): ConditionExplanation | undefined {
  const { ast } = parse(source)
  if (ast === undefined) return undefined
  const { errors, resolutions } = check(ast, environment)
  if (errors.length > 0) return undefined
  const part: Part = { source, resolutions, bindings, locals: [] }
  return { result: resultOf(valueOf(ast, part)), reasons: explain(ast, part) }
}

interface Part {
  readonly source: string
  readonly resolutions: ReadonlyMap<Expression, Resolution>
  readonly bindings: Bindings
  /** Variables of the macros around, with the elements they stand for now. */
  readonly locals: readonly { readonly name: string; readonly value: CelValue }[]
}

function valueOf(node: Expression, { resolutions, bindings, locals }: Part): CelValue {
  const frame = new Frame(bindings, DEFAULT_COST_LIMIT)
  for (const { value } of locals) frame.slots.push(value)
  try {
    return build(node, resolutions, locals.map(({ name }) => name))(frame)
  } catch (error) {
    if (error instanceof CostExceeded || error instanceof RangeError) return new Failure('it costs too much')
    throw error
  }
}

function resultOf(value: CelValue): Reason['result'] {
  if (typeof value === 'boolean') return value
  return value instanceof Unknown ? 'unknown' : 'error'
}

function explain(node: Expression, part: Part): readonly Reason[] {
  const result = resultOf(valueOf(node, part))
  switch (node.kind) {
    case 'logical':
      // The operands that came out as the whole did: the false ones of a false `&&`, both of a true one.
      return [node.left, node.right].filter((operand) => resultOf(valueOf(operand, part)) === result).flatMap((operand) => explain(operand, part))
    case 'unary':
      return node.operator === '!' && result !== 'error' ? explain(node.operand, part) : [leaf(node, part)]
    case 'conditional': {
      const test = valueOf(node.test, part)
      return typeof test === 'boolean' ? [...explain(node.test, part), ...explain(test ? node.yes : node.no, part)] : explain(node.test, part)
    }
    case 'macro':
      return explainMacro(node, part, result)
    default:
      return [leaf(node, part)]
  }
}

/** Of `all` that is false the first element for which it is, of `exists` that is true the first for which it is. */
function explainMacro(node: NodeOf<'macro'>, part: Part, result: Reason['result']): readonly Reason[] {
  const range = valueOf(node.range, part)
  const [variable] = node.variables
  if ((node.macro !== 'all' && node.macro !== 'exists') || variable === undefined || node.variables.length > 1 || !isList(range) || typeof result !== 'boolean') return [leaf(node, part)]
  const decides = node.macro === 'exists'
  const inner = range.map((value): Part => ({ ...part, locals: [...part.locals, { name: variable, value }] }))
  const one = result === decides ? inner.find((element) => valueOf(node.body, element) === decides) : inner.length === 1 ? inner[0] : undefined
  if (one === undefined) return [{ ...leaf(node, part), values: [{ text: textOf(node.range, part), value: range.length === 0 ? 'empty' : shown(range) }] }]
  const [element] = one.locals.slice(-1)
  return explain(node.body, one).map((reason) => ({ ...reason, values: [...reason.values.filter(({ text }) => text !== variable), { text: variable, value: shown(element?.value ?? null) }] }))
}

function leaf(node: Expression, part: Part): Reason {
  const value = valueOf(node, part)
  const { offset, length } = node
  const detail = value instanceof Failure ? value.message : value instanceof Unknown ? value.inputs.join(', ') : null
  return { offset, length, text: textOf(node, part), result: resultOf(value), values: operandsOf(node).flatMap((operand) => shownOperand(operand, part)), detail }
}

/** What a leaf was computed from. */
function operandsOf(node: Expression): readonly Expression[] {
  switch (node.kind) {
    case 'binary':
      return [node.left, node.right]
    case 'unary':
    case 'has':
      return [node.operand]
    case 'call':
      return [...(node.target === undefined ? [] : [node.target]), ...node.args]
    case 'index':
      return [node.operand, node.index]
    case 'macro':
      return [node.range]
    default:
      return []
  }
}

function shownOperand(node: Expression, part: Part): Reason['values'] {
  if (isWritten(node)) return []
  const value = valueOf(node, part)
  return value instanceof Failure || value instanceof Unknown ? [] : [{ text: textOf(node, part), value: shown(value) }]
}

/** Whether an operand says its own value. */
function isWritten(node: Expression): boolean {
  return node.kind === 'literal' || (node.kind === 'list' && node.elements.every(({ value }) => isWritten(value)))
}

function textOf({ offset, length }: Expression, { source }: Part): string {
  return source.slice(offset, offset + length).replaceAll(/\s+/g, ' ')
}

const MAX_SHOWN = 120

function shown(value: CelValue): string {
  const json = toJson(value)
  const text = json.kind === 'json' ? JSON.stringify(json.json) : entriesOf(value) === undefined ? 'a value' : 'a map'
  return text.length <= MAX_SHOWN ? text : `${text.slice(0, MAX_SHOWN - 1)}…`
}
