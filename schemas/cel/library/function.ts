import type { Meter } from '../meter.ts'
import type { CelType } from '../type.ts'
import type { CelValue } from '../value.ts'

/** One way to call a function, as the checker sees it. The receiver of a method is the first parameter. */
export interface Signature {
  readonly params: readonly CelType[]
  readonly result: CelType
}

/**
 * What a function does. Undefined means that it does not apply to such arguments, which the caller turns into an error
 * or an unknown; so a function needs no care for unknowns and failures among its arguments, unless it takes anything.
 */
export type Apply = (meter: Meter, a: CelValue, b: CelValue, c: CelValue, d: CelValue) => CelValue | undefined

/** A function of the standard library, for one number of arguments. */
export interface LibraryFunction {
  /** Qualified: `size`, `math.greatest`. */
  readonly name: string
  readonly method: boolean
  /** Arguments, the receiver included; undefined: any number, and `apply` gets one list of them. */
  readonly arity: number | undefined
  readonly signatures: readonly Signature[]
  readonly apply: Apply
  /** Looks inside lists and maps, so that an unknown inside makes the result unknown. */
  readonly deep: boolean
}

export const T: CelType = { param: 'T' }
export const U: CelType = { param: 'U' }
export const LIST_T: CelType = { list: T }
export const MAP_TU: CelType = { map: [T, U] }
export const LIST_STRING: CelType = { list: 'string' }

/** Shorthand for a signature: the last type is the result. */
export function sig(...types: readonly [...CelType[], CelType]): Signature {
  return { params: types.slice(0, -1), result: types.at(-1) ?? 'dyn' }
}

/** `name(a, b)`. */
export function define(name: string, signatures: readonly Signature[], apply: Apply): LibraryFunction {
  return { name, method: false, arity: signatures[0]?.params.length, signatures, apply, deep: false }
}

/** `a.name(b)`. */
export function method(name: string, signatures: readonly Signature[], apply: Apply): LibraryFunction {
  return { ...define(name, signatures, apply), method: true }
}

/** The same function, looking inside the lists and maps it is given. */
export function deep(definition: LibraryFunction): LibraryFunction {
  return { ...definition, deep: true }
}
