import type { Tried } from '../../schemas/control.ts'
import type { Step } from '../../schemas/plan.ts'
import type { StepView, Timers } from '../drivers/driver.ts'
import { dryRun } from '../drivers/dry-run.ts'
import type { RoleDriverOptions } from '../drivers/role.ts'
import type { CompiledWork } from '../engine/engine.ts'

export interface DryRunOptions extends RoleDriverOptions {
  readonly epoch: number
  readonly timers: Timers
  readonly view: () => Pick<StepView, 'ledger' | 'state' | 'unseal'>
  readonly signal: AbortSignal
}

/** Nodes that are asked at a time, each one step after another. */
const NODES = 50

/** Beyond a step's own timeout, which its node keeps, milliseconds. */
const MARGIN = 10_000

/** Asks the nodes what the steps of some work would do there, in the order of the plan. @returns by step; all of them. */
export async function dryRunWork(work: CompiledWork, options: DryRunOptions): Promise<ReadonlyMap<string, Tried>> {
  const tried = new Map<string, Tried>()
  const steps = work.changes.changes.map(({ step }) => step)
  const lines = [...Map.groupBy(steps, ({ node }) => node ?? '').values()]
  const began = options.timers.now()
  const ask = async (line: readonly Step[]): Promise<void> => {
    for (const step of line) {
      const stop = AbortSignal.any([options.signal, AbortSignal.timeout(step.timeout * 1000 + MARGIN)])
      const view: StepView = { ...work, ...options.view(), signal: stop }
      tried.set(step.id, await dryRun(step, view, { ...options, attempt: `${options.epoch}/${step.id}/dry-run/${began}` }))
    }
  }
  const next = lines.values()
  await Promise.all(Array.from({ length: Math.min(NODES, lines.length) }, async () => {
    for (const line of next) await ask(line)
  }))
  return tried
}
