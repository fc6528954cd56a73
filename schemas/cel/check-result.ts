import type { Callable } from './resolve.ts'
import type { CelType } from './type.ts'
import type { Expression, SourceError, Span } from './ast.ts'

/** A mistake that the types show; `suggestion` is the name that was probably meant. */
export interface CheckError extends SourceError {
  readonly suggestion?: string
}

/** What a name or call stands for, by its node. */
export type Resolution =
  | { readonly kind: 'variable'; readonly name: string }
  | { readonly kind: 'type'; readonly name: string }
  | { readonly kind: 'functions'; readonly functions: readonly Callable[]; readonly method: boolean }

/** A call of a host function. Arguments that are no literal are undefined. */
export interface HostCall extends Span {
  readonly name: string
  /** What it is called on, if that is a variable or a member of one. */
  readonly receiver: readonly string[] | undefined
  readonly literals: readonly (string | number | boolean | null | undefined)[]
}

export interface CheckResult {
  readonly type: CelType
  readonly errors: readonly CheckError[]
  /**
   * Every static member path that is read, from the variable on: `machine.disks[0].model` reads `['machine', 'disks']`.
   * Sorted, once each.
   */
  readonly reads: readonly (readonly string[])[]
  /** Every call of a host function, in the order of the source. */
  readonly calls: readonly HostCall[]
  readonly resolutions: ReadonlyMap<Expression, Resolution>
}
