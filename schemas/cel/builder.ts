import type { Run } from './frame.ts'
import type { Resolution } from './check-result.ts'
import type { Expression } from './ast.ts'

/** What building a node needs to know: what names stand for, and which slot each macro variable has. */
export interface Builder {
  readonly resolutions: ReadonlyMap<Expression, Resolution>
  /** Macro variables around the node, outermost first; the position is the slot. */
  readonly locals: readonly string[]
  readonly build: (node: Expression, locals?: readonly string[]) => Run
}
