import type { CelType } from './type.ts'
import type { CelValue } from './value.ts'

/**
 * A pure function that the host offers to expressions: `role('db')`, or with a `receiver` `node.address('cluster')`.
 *
 * `call` gets the receiver first, then the arguments, of the declared kinds and known to the last leaf; only what is
 * declared as an object comes as it is, perhaps with unknowns in its fields. It returns a CEL value (JSON is one), which
 * may hold or be an unknown, such as a field it was given, or a `Failure` with a message for the author; it never throws.
 *
 * Objects carry no name when they run. Where the type of a receiver is known, it decides which of several functions of
 * a name is meant; where it is dyn, the one whose declared fields include all that the value has.
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
