import { build } from './build.ts'
import { check } from './check.ts'
import type { CheckError, HostCall } from './check-result.ts'
import { Frame } from './frame.ts'
import type { Bindings, Run } from './frame.ts'
import { CostExceeded, DEFAULT_COST_LIMIT } from './meter.ts'
import { parse } from './parse.ts'
import { unknownIn } from './unknown.ts'
import { suggest } from './suggest.ts'
import { entriesOf, Failure } from './value.ts'
import type { CelValue } from './value.ts'
import type { CelType } from './type.ts'
import type { Environment } from './environment.ts'

/** A compiled expression, to be evaluated any number of times. */
export interface Program {
  readonly source: string
  readonly type: CelType
  /** See `CheckResult`. */
  readonly reads: readonly (readonly string[])[]
  readonly calls: readonly HostCall[]
  readonly run: Run
}

export type CompileResult =
  | { readonly program: Program; readonly errors: readonly [] }
  | { readonly program: undefined; readonly errors: readonly CheckError[] }

/** `evaluateUnchecked`: run it whatever the checker says; mistakes then show when the evaluation meets them. */
export interface CompileOptions {
  readonly evaluateUnchecked?: boolean
}

/** Parses, checks and compiles an expression. Never throws; every mistake that the types show is reported at once. */
export function compile(
  source: string,
  environment: Environment,
  { evaluateUnchecked = false }: CompileOptions = {},
): CompileResult {
  const { ast, errors } = parse(source)
  if (ast === undefined) return { program: undefined, errors }
  const checked = check(ast, environment)
  if (checked.errors.length > 0 && !evaluateUnchecked) return { program: undefined, errors: checked.errors }
  const { type, reads, calls, resolutions } = checked
  return { program: { source, type, reads, calls, run: build(ast, resolutions) }, errors: [] }
}

/** What an evaluation came to. Offsets are into the source of the expression. */
export type Evaluation =
  | { readonly kind: 'value'; readonly value: CelValue }
  /** `inputs`: every unknown that may be needed, whichever way it goes; sorted. */
  | { readonly kind: 'unknown'; readonly inputs: readonly string[] }
  /** `suggestion`: the key that was probably meant, where a map lacks one. */
  | {
      readonly kind: 'error'
      readonly message: string
      readonly offset: number
      readonly length: number
      readonly suggestion?: string
    }

/** `costLimit`: see `Meter` for what is counted; the default is `DEFAULT_COST_LIMIT`. */
export interface EvaluateOptions {
  readonly costLimit?: number
}

/**
 * Evaluates a program. The same program, bindings and limit give the same result at the same cost, anywhere.
 *
 * `unknown || true` is true and `unknown && false` is false; else what touches an unknown is unknown. An error that is
 * certain whatever the unknowns turn out to be is an error now.
 */
export function evaluate(program: Program, bindings: Bindings, options: EvaluateOptions = {}): Evaluation {
  return evaluateMetered(program, bindings, options).result
}

/** The same, with what it cost. */
export function evaluateMetered(
  program: Program,
  bindings: Bindings,
  { costLimit = DEFAULT_COST_LIMIT }: EvaluateOptions = {},
): { readonly result: Evaluation; readonly cost: number } {
  const frame = new Frame(bindings, costLimit)
  try {
    return { result: outcome(frame, program.run(frame)), cost: frame.cost }
  } catch (error) {
    if (error instanceof CostExceeded) return { result: tooCostly(frame), cost: frame.cost }
    // Bindings so deep that walking them overflows the stack, or a string beyond what the engine holds.
    if (error instanceof RangeError)
      return {
        result: {
          kind: 'error',
          message: 'a value is too large or nested too deep',
          offset: 0,
          length: program.source.length,
        },
        cost: frame.cost,
      }
    throw error
  }
}

function outcome(frame: Frame, value: CelValue): Evaluation {
  if (value instanceof Failure) return errorOf(value)
  const waiting = unknownIn(frame, value)
  return waiting === undefined ? { kind: 'value', value } : { kind: 'unknown', inputs: waiting.inputs }
}

/** Most keys among which the one that was meant is looked for. */
const MAX_CANDIDATES = 1000

function errorOf({ message, offset, length, missing }: Failure): Evaluation {
  const error = { kind: 'error', message, offset: Math.max(0, offset), length } as const
  const keys =
    missing === undefined
      ? []
      : (entriesOf(missing.holder) ?? []).flatMap(([key]) => (typeof key === 'string' ? key : []))
  const suggestion = missing === undefined || keys.length > MAX_CANDIDATES ? undefined : suggest(missing.key, keys)
  return suggestion === undefined ? error : { ...error, message: `${message}; did you mean ${suggestion}?`, suggestion }
}

function tooCostly({ limit, base, offset, length }: Frame): Evaluation {
  return {
    kind: 'error',
    message: `the expression needs more than its cost limit of ${limit}`,
    offset: base + offset,
    length,
  }
}
