import { add, divide, modulo, multiply, negate, subtract } from './library/arithmetic.ts'
import { compare, contains, equals } from './library/compare.ts'
import { LIST_T, sig } from './library/function.ts'
import type { Apply, Signature } from './library/function.ts'
import type { BinaryOperator } from './ast.ts'
import type { CelType } from './type.ts'

const NUMBERS = ['int', 'uint', 'double'] as const
const ARITHMETIC: readonly Signature[] = NUMBERS.map((type) => sig(type, type, type))
const ORDERED: readonly CelType[] = ['bool', 'string', 'bytes', 'timestamp', 'duration']
const ORDER: readonly Signature[] = [
  ...NUMBERS.flatMap((a) => NUMBERS.map((b) => sig(a, b, 'bool'))),
  ...ORDERED.map((type) => sig(type, type, 'bool')),
]

/** Signatures of the operators; `==`, `!=` and `in` have rules of their own in the checker. */
export const OPERATOR_SIGNATURES: Readonly<Record<Exclude<BinaryOperator, '==' | '!=' | 'in'>, readonly Signature[]>> =
  {
    '+': [
      ...ARITHMETIC,
      sig('string', 'string', 'string'),
      sig('bytes', 'bytes', 'bytes'),
      sig(LIST_T, LIST_T, LIST_T),
      sig('timestamp', 'duration', 'timestamp'),
      sig('duration', 'timestamp', 'timestamp'),
      sig('duration', 'duration', 'duration'),
    ],
    '-': [
      ...ARITHMETIC,
      sig('timestamp', 'timestamp', 'duration'),
      sig('timestamp', 'duration', 'timestamp'),
      sig('duration', 'duration', 'duration'),
    ],
    '*': ARITHMETIC,
    '/': ARITHMETIC,
    '%': [sig('int', 'int', 'int'), sig('uint', 'uint', 'uint')],
    '<': ORDER,
    '<=': ORDER,
    '>': ORDER,
    '>=': ORDER,
  }

/** Signatures of the minus sign. */
export const NEGATION: readonly Signature[] = [sig('int', 'int'), sig('double', 'double')]

function ordered(test: (order: number) => boolean): Apply {
  return (meter, a, b) => {
    if (typeof a === 'string' && typeof b === 'string') meter.charge(Math.min(a.length, b.length) >> 3)
    const order = compare(a, b)
    return order === undefined ? undefined : test(order)
  }
}

/** What the operators do, for any values; `==` and `!=` give an unknown where that depends on one inside. */
export const OPERATORS: Readonly<Record<BinaryOperator, Apply>> = {
  '+': add,
  '-': subtract,
  '*': multiply,
  '/': divide,
  '%': modulo,
  '==': (meter, a, b) => equals(meter, a, b),
  '!=': (meter, a, b) => {
    const same = equals(meter, a, b)
    return typeof same === 'boolean' ? !same : same
  },
  '<': ordered((order) => order < 0),
  '<=': ordered((order) => order <= 0),
  '>': ordered((order) => order > 0),
  '>=': ordered((order) => order >= 0),
  in: contains,
}

export const NEGATE: Apply = negate
