import { makeInt } from './arithmetic.ts'
import { compare, numberOf } from './compare.ts'
import { asDouble, asInt, double, Failure, isList, shrink, Uint } from '../value.ts'
import type { CelValue } from '../value.ts'
import type { CelType } from '../type.ts'
import { deep, define, sig } from './function.ts'
import type { LibraryFunction, Signature } from './function.ts'

const NUMBERS = ['int', 'uint', 'double'] as const

function extreme(sign: number): LibraryFunction['apply'] {
  return (meter, args) => {
    if (!isList(args)) return undefined
    const [first] = args
    const values = args.length === 1 && first !== undefined && isList(first) ? first : args
    if (values.length === 0) return new Failure('there is no value to choose from')
    meter.charge(values.length)
    let best: CelValue = values[0] ?? null
    for (const value of values) {
      if (numberOf(value) === undefined) return undefined
      if ((compare(value, best) ?? 0) * sign > 0) best = value
    }
    return best
  }
}

/** Any number of numbers, or one list of them. */
function variadic(name: string, sign: number): LibraryFunction {
  return { ...deep(define(name, [sig('dyn', 'dyn')], extreme(sign))), arity: undefined }
}

function rounded(name: string, round: (value: number) => number): LibraryFunction {
  return define(name, [sig('double', 'double')], (_meter, a) => {
    const float = asDouble(a)
    return float === undefined ? undefined : double(round(float))
  })
}

function asked(name: string, question: (value: number) => boolean): LibraryFunction {
  return define(name, [sig('double', 'bool')], (_meter, a) => {
    const float = asDouble(a)
    return float === undefined ? undefined : question(float)
  })
}

const SAME: readonly Signature[] = NUMBERS.map((type) => sig(type, type))
const BITS: readonly Signature[] = (['int', 'uint'] as const).map((type: CelType) => sig(type, type, type))

function bitwise(name: string, combine: (a: bigint, b: bigint) => bigint): LibraryFunction {
  return define(name, BITS, (_meter, a, b) => {
    if (a instanceof Uint) return b instanceof Uint ? new Uint(combine(a.value, b.value)) : undefined
    const x = asInt(a)
    const y = asInt(b)
    return x === undefined || y === undefined ? undefined : shrink(combine(x, y))
  })
}

function shift(name: string, move: (bits: bigint, by: bigint) => bigint): LibraryFunction {
  return define(name, [sig('int', 'int', 'int'), sig('uint', 'int', 'uint')], (_meter, a, b) => {
    const by = asInt(b)
    const bits = a instanceof Uint ? a.value : asInt(a)
    if (by === undefined || bits === undefined) return undefined
    if (by < 0n) return new Failure('bits cannot be shifted by a negative number')
    const moved = by > 63n ? 0n : move(BigInt.asUintN(64, bits), by)
    return a instanceof Uint ? new Uint(BigInt.asUintN(64, moved)) : shrink(BigInt.asIntN(64, moved))
  })
}

/** The math extension. */
export const MATH_FUNCTIONS: readonly LibraryFunction[] = [
  variadic('math.greatest', 1),
  variadic('math.least', -1),
  rounded('math.ceil', Math.ceil),
  rounded('math.floor', Math.floor),
  rounded('math.trunc', Math.trunc),
  rounded('math.round', (value) => Math.sign(value) * Math.round(Math.abs(value))),
  asked('math.isNaN', (value) => Number.isNaN(value)),
  asked('math.isInf', (value) => Math.abs(value) === Infinity),
  asked('math.isFinite', (value) => Number.isFinite(value)),
  define('math.abs', SAME, (_meter, a) => {
    if (a instanceof Uint) return a
    const int = asInt(a)
    if (int !== undefined) return makeInt(int < 0n ? -int : int)
    const float = asDouble(a)
    return float === undefined ? undefined : double(Math.abs(float))
  }),
  define('math.sign', SAME, (_meter, a) => {
    if (a instanceof Uint) return new Uint(a.value === 0n ? 0n : 1n)
    const int = asInt(a)
    if (int !== undefined) return int < 0n ? -1 : int > 0n ? 1 : 0
    const float = asDouble(a)
    return float === undefined ? undefined : double(Math.sign(float))
  }),
  bitwise('math.bitAnd', (a, b) => a & b),
  bitwise('math.bitOr', (a, b) => a | b),
  bitwise('math.bitXor', (a, b) => a ^ b),
  define('math.bitNot', [sig('int', 'int'), sig('uint', 'uint')], (_meter, a) => {
    if (a instanceof Uint) return new Uint(BigInt.asUintN(64, ~a.value))
    const int = asInt(a)
    return int === undefined ? undefined : shrink(~int)
  }),
  shift('math.bitShiftLeft', (bits, by) => bits << by),
  shift('math.bitShiftRight', (bits, by) => bits >> by),
]
