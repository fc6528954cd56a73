import type { Driver, StepOutcome } from './driver.ts'

/** A step that stands for others: it is done as soon as all that it needs is done, and then it is started. */
export function barrierDriver(): Driver {
  const done = (): Promise<StepOutcome> => Promise.resolve({ kind: 'succeeded', provides: {} })
  return { kind: 'barrier', run: done, settle: done }
}
