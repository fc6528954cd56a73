import type { CelType } from './type.ts'

/** The variables of the macros around an expression, innermost first. */
export interface Scope {
  readonly name: string
  readonly type: CelType
  readonly outer: Scope | undefined
}

/** The innermost variable of that name, undefined if there is none. */
export function findLocal(scope: Scope | undefined, name: string): Scope | undefined {
  let at = scope
  while (at !== undefined && at.name !== name) at = at.outer
  return at
}
