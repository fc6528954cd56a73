import { formatType, optionalOf } from './type.ts'
import type { CelType } from './type.ts'
import { Bindings, isAssignable, renameParams, resolveType, settleType } from './unify.ts'
import type { CheckError, HostCall, Resolution } from './check-result.ts'
import type { Environment } from './environment.ts'
import type { Signature } from './library/function.ts'
import type { Expression, Span } from './ast.ts'

/** What one check finds on its way, and the questions about types that all of it asks. */
export class CheckContext {
  readonly environment: Environment
  readonly bindings = new Bindings()
  readonly errors: CheckError[] = []
  readonly reads = new Map<string, readonly string[]>()
  readonly calls: HostCall[] = []
  readonly resolutions = new Map<Expression, Resolution>()
  #fresh = 0

  constructor(environment: Environment) {
    this.environment = environment
  }

  /** Reports a mistake; what it is about is dyn from there on. */
  error(span: Span, message: string, suggestion?: string): CelType {
    const { offset, length } = span
    this.errors.push({ message, offset, length, ...(suggestion === undefined ? {} : { suggestion }) })
    return 'dyn'
  }

  /** A type that is not known yet. */
  newParam(): CelType {
    return { param: `?${this.#fresh++}` }
  }

  /** The type with what is known of its variables. */
  resolve(type: CelType): CelType {
    return resolveType(this.bindings, type)
  }

  /** Whether a value of type `given` may stand where `wanted` is asked for; binds type variables. */
  fits(wanted: CelType, given: CelType): boolean {
    return isAssignable(this.bindings, wanted, given)
  }

  /** The type in the words of a message. */
  show(type: CelType): string {
    return formatType(settleType(this.bindings, type))
  }

  /** Whether the type is a number, or may be one. */
  isNumber(type: CelType): boolean {
    const resolved = this.resolve(type)
    return (
      resolved === 'dyn' ||
      resolved === 'int' ||
      resolved === 'uint' ||
      resolved === 'double' ||
      (typeof resolved === 'object' && 'param' in resolved)
    )
  }

  /** Whether values of the two types may be equal. */
  comparable(a: CelType, b: CelType): boolean {
    return (this.isNumber(a) && this.isNumber(b)) || this.fits(a, b) || this.fits(b, a)
  }

  /** What an optional holds, where one is needed. */
  content(node: Expression, type: CelType): CelType {
    const content = this.newParam()
    if (this.fits(optionalOf(content), type)) return content
    return this.error(node, `after ? an optional value is needed, this is ${this.show(type)}`)
  }

  /** The result of the overloads that take these arguments; dyn if they differ in it; undefined if none does. */
  overload(signatures: readonly Signature[], args: readonly CelType[], { keep } = { keep: true }): CelType | undefined {
    const fitting: { result: CelType; trial: Bindings }[] = []
    for (const { params, result } of signatures) {
      if (params.length !== args.length) continue
      const suffix = `#${this.#fresh++}`
      const trial = this.bindings.fork()
      if (params.every((param, index) => isAssignable(trial, renameParams(param, suffix), args[index] ?? 'dyn'))) {
        fitting.push({ result: renameParams(result, suffix), trial })
      }
    }
    const [only, ...others] = fitting
    if (only === undefined) return undefined
    if (others.length === 0) {
      if (keep) only.trial.keep()
      return resolveType(only.trial, only.result)
    }
    const results = new Set(fitting.map(({ result, trial }) => formatType(settleType(trial, result))))
    return results.size === 1 ? settleType(only.trial, only.result) : 'dyn'
  }
}
