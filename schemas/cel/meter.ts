/**
 * What an evaluation may cost when the caller does not say: about a second of work at worst, and thousands of times
 * what a rule needs.
 */
export const DEFAULT_COST_LIMIT = 1_000_000

/** Thrown by `Meter.charge`, caught by `evaluate`; no expression can catch it. */
export class CostExceeded extends Error {}

/**
 * Counts the work of one evaluation in units that depend on the expression and its values alone.
 *
 * Each selection, index, operator, call, conditional and literal container costs 1, each turn of a macro 1 more. What
 * works through a value costs 1 more per 8 characters or bytes and per element it reads or makes; `matches` costs 1 per
 * 16 steps of (characters × size of the pattern).
 */
export class Meter {
  cost = 0
  readonly limit: number
  /** Where the evaluation is, for the error of `charge`. */
  offset = 0
  length = 0

  constructor(limit: number) {
    this.limit = limit
  }

  /** @throws {CostExceeded} when the limit is passed. Charge before the work that it stands for. */
  charge(units: number): void {
    this.cost += units
    if (this.cost > this.limit) throw new CostExceeded()
  }
}
