import { CostExceeded, Meter } from './meter.ts'
import { Failure } from './value.ts'
import type { CelValue } from './value.ts'
import type { Span } from './ast.ts'

/** Values of the variables by name: JSON, or other CEL values, with unknowns in place of what is known later. */
export type Bindings = Readonly<Record<string, CelValue>>

/** One evaluation: its variables, those of the macros being run (by depth), and its meter. */
export class Frame extends Meter {
  readonly bindings: Bindings
  readonly slots: CelValue[] = []
  /** Where the expression being run starts in its template. */
  base = 0

  constructor(bindings: Bindings, limit: number) {
    super(limit)
    this.bindings = bindings
  }
}

/** A compiled node. */
export type Run = (frame: Frame) => CelValue

/** Charges one unit, or more, for a node. */
export function spend(frame: Frame, span: Span, units = 1): void {
  if ((frame.cost += units) > frame.limit) {
    frame.offset = span.offset
    frame.length = span.length
    throw new CostExceeded()
  }
}

/** An error at a node. */
export function fail(span: Span, message: string): Failure {
  return new Failure(message, span.offset, span.length)
}

/** Gives an error that knows no place the place of this node; anything else comes back as it is. */
export function locate(value: CelValue, span: Span): CelValue {
  return value instanceof Failure && value.offset < 0 ? fail(span, value.message) : value
}
