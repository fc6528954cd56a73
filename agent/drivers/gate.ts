import type { Driver, StepContext, StepOutcome } from './driver.ts'

/**
 * Runs the `check` of a role after a batch of a rollout, as the role's driver runs roles. Until its time is over a check
 * that fails is one that has not passed yet, and is run again.
 */
export function gateDriver(role: Driver): Driver {
  return {
    kind: 'gate',
    refuse: (step, plan) => (step.entry === null ? `it is to check ${step.deployment}/${step.role}, which has no check` : role.refuse?.(step, plan)),
    async run(step, context) {
      const left = timeLeft(step, context)
      return withinTime(await role.run({ ...step, timeout: Math.max(1, Math.ceil(left / 1000)) }, context), step, context)
    },
    settle: async (step, sent, context) => withinTime(await role.settle(step, sent, context), step, context),
    ended: (attempt, machine) => role.ended?.(attempt, machine),
  }
}

/** Until the gate's time is over, milliseconds: it began when it was first tried. */
function timeLeft(step: { readonly id: string; readonly timeout: number }, { state, timers }: StepContext): number {
  const began = state.run?.steps.get(step.id)?.began
  return (began === undefined ? timers.now() : Date.parse(began)) + step.timeout * 1000 - timers.now()
}

function withinTime(outcome: StepOutcome, step: { readonly id: string; readonly timeout: number; readonly retries: { readonly backoff: number } }, context: StepContext): StepOutcome {
  const left = timeLeft(step, context)
  const over = (message: string): StepOutcome => ({ kind: 'failed', code: 'GATE_TIMEOUT', message: `not within ${step.timeout} seconds: ${message}`, retryable: false })
  if (outcome.kind === 'failed') return left <= step.retries.backoff * 1000 ? over(outcome.message) : { ...outcome, retryable: true }
  if (outcome.kind === 'waiting') return left <= 0 ? over(outcome.reason) : { ...outcome, afterMs: Math.min(outcome.afterMs, left) }
  return outcome
}
