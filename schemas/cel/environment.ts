import type { CelType } from './type.ts'
import type { CelValue } from './value.ts'

/**
 * A pure function that the host offers to expressions: `role('db')`, or with a `receiver` `node.address('cluster')`.
 *
 * `call` gets the receiver first, then the arguments, all known to the last leaf and of the declared kinds. It returns
 * a CEL value (JSON is one), which may hold unknowns, or a `Failure` with a message for the author; it never throws.
 */
export interface HostFunction {
  readonly name: string
  readonly receiver?: CelType
  readonly params: readonly CelType[]
  readonly result: CelType
  readonly call: (args: readonly CelValue[]) => CelValue
}

/** What an expression may name. A variable's name may be dotted. */
export interface Environment {
  readonly variables: Readonly<Record<string, CelType>>
  readonly functions: readonly HostFunction[]
}
