import { fail, locate, spend } from './frame.ts'
import type { Frame, Run } from './frame.ts'
import { NEGATE, OPERATORS } from './operators.ts'
import { absent, merge } from './unknown.ts'
import { Failure, typeWord, Unknown } from './value.ts'
import type { CelValue } from './value.ts'
import type { Builder } from './builder.ts'
import type { NodeOf } from './ast.ts'

/** `!a` and `-a`. */
export function buildUnary(node: NodeOf<'unary'>, builder: Builder): Run {
  const operand = builder.build(node.operand)
  const negative = node.operator === '-'
  return (frame) => {
    spend(frame, node)
    const value = operand(frame)
    if (!negative && typeof value === 'boolean') return !value
    const result = negative ? NEGATE(frame, value, null, null, null) : undefined
    return result === undefined
      ? (absent(frame, [value]) ?? fail(node, `${node.operator} does not apply to ${typeWord(value)}`))
      : locate(result, node)
  }
}

/** `&&` and `||`: one side that decides is enough, even if the other fails or is unknown. */
export function buildLogical(node: NodeOf<'logical'>, builder: Builder): Run {
  const left = builder.build(node.left)
  const right = builder.build(node.right)
  const decides = node.operator === '||'
  return (frame) => {
    spend(frame, node)
    const a = left(frame)
    if (a === decides) return decides
    const b = right(frame)
    if (b === decides) return decides
    if (typeof a === 'boolean' && typeof b === 'boolean') return !decides
    return undecided(node, a, b)
  }
}

/** An unknown may still decide, so it goes before an error. */
function undecided(node: NodeOf<'logical'>, a: CelValue, b: CelValue): CelValue {
  const waiting = merge(a instanceof Unknown ? a : undefined, b instanceof Unknown ? b : undefined)
  if (waiting !== undefined) return waiting
  if (a instanceof Failure) return a
  if (b instanceof Failure) return b
  const wrong = typeof a === 'boolean' ? { value: b, at: node.right } : { value: a, at: node.left }
  return fail(wrong.at, `${node.operator} needs true or false, this is ${typeWord(wrong.value)}`)
}

/** Two numbers as JavaScript numbers compare like their CEL values, ints and doubles alike. */
const QUICK: Readonly<Record<string, (a: number, b: number) => boolean>> = {
  '==': (a, b) => a === b,
  '!=': (a, b) => a !== b,
  '<': (a, b) => a < b,
  '<=': (a, b) => a <= b,
  '>': (a, b) => a > b,
  '>=': (a, b) => a >= b,
}

/** The binary operators that need both sides. */
export function buildBinary(node: NodeOf<'binary'>, builder: Builder): Run {
  const left = builder.build(node.left)
  const right = builder.build(node.right)
  const quick = QUICK[node.operator]
  const apply = (frame: Frame, a: CelValue, b: CelValue): CelValue => {
    const waiting = absent(frame, [a, b])
    if (waiting !== undefined) return waiting
    frame.offset = node.offset
    frame.length = node.length
    const result = OPERATORS[node.operator](frame, a, b, null, null)
    if (result === undefined) return fail(node, `${node.operator} does not apply to ${typeWord(a)} and ${typeWord(b)}`)
    return locate(result, node)
  }
  if (quick === undefined) return (frame) => (spend(frame, node), apply(frame, left(frame), right(frame)))
  return (frame) => {
    spend(frame, node)
    const a = left(frame)
    const b = right(frame)
    return typeof a === 'number' && typeof b === 'number' ? quick(a, b) : apply(frame, a, b)
  }
}
