import type { Driver, StepOutcome } from './driver.ts'

/**
 * Lets go of the machine of a node that left the plan. Nothing is sent and nothing is overwritten: the machine keeps what
 * is on its disks, is free to be claimed, and boots discovery the next time it starts. Its node agent is held from now on.
 */
export function releaseDriver(): Driver {
  const done = (): Promise<StepOutcome> => Promise.resolve({ kind: 'succeeded', provides: {} })
  return { kind: 'release', run: done, settle: done }
}
