import { canonical } from '../../schemas/canonical.ts'
import type { Approval } from '../../schemas/changes.ts'
import type { Step } from '../../schemas/plan.ts'
import type { StepOutcome, StepWaiting } from '../drivers/driver.ts'
import type { NewEvent, StepSent, StepVersion } from '../log/event-types.ts'
import type { State } from '../state/state.ts'

/** How often an attempt of one step may get lost in one run before it counts as failed. */
export const MAX_LOST = 5

export interface OutcomeSubject {
  readonly step: Step
  readonly version: StepVersion
  readonly sent: StepSent | undefined
  readonly seconds: number
  readonly state: State
  /** What a person approves who wants the step run once more. */
  readonly approval: () => Approval | null
}

/** What is written of an outcome, and when a waiting step is to be asked again, milliseconds from now. Pure. */
export function outcomeEvents(outcome: StepOutcome, subject: OutcomeSubject): { readonly events: readonly NewEvent[]; readonly askAfterMs: number } {
  const { step, version, seconds, sent, state } = subject
  const reference = { run: version.run, step: step.id, node: step.node }
  const untouched = 'untouched' in outcome && outcome.untouched === true ? { untouched: true } : {}
  const failed = (code: string, message: string, retryAfterMs: number | null): readonly NewEvent[] => [
    { type: 'step.failed', data: { ...bare(version), code, message, retryAfterMs, seconds, ...untouched } },
  ]
  switch (outcome.kind) {
    case 'succeeded':
    case 'unchanged': {
      const data = {
        ...bare(version),
        inputs: outcome.inputs ?? version.inputs,
        told: outcome.told ?? version.told ?? null,
        action: step.action,
        provides: outcome.provides,
        ...(outcome.facts === undefined ? {} : { facts: outcome.facts }),
        sealed: outcome.sealed ?? {},
        incarnation: outcome.incarnation ?? null,
        seconds,
      }
      return { events: [{ type: outcome.kind === 'succeeded' ? 'step.succeeded' : 'step.unchanged', data }], askAfterMs: 0 }
    }
    case 'waiting':
      if (sent !== undefined) return { events: failed('INTERNAL', `the driver of ${step.id} said that nothing was sent after it had sent ${sent.attempt}, which is a bug`, null), askAfterMs: 0 }
      return { events: waiting(outcome, subject), askAfterMs: outcome.on === 'person' ? Infinity : outcome.afterMs }
    case 'failed': {
      const before = earlier(state, version)
      const again = outcome.retryable && !step.destructive && (before?.failures ?? 0) < step.retries.max
      return { events: failed(outcome.code, outcome.message, again ? step.retries.backoff * 1000 : null), askAfterMs: 0 }
    }
    case 'cancelled':
      return { events: [{ type: 'step.cancelled', data: { ...reference, digest: step.digest, n: version.n, by: state.run?.cancelled ?? 'the node' } }], askAfterMs: 0 }
    case 'unknown': {
      if (sent === undefined) return { events: failed('INTERNAL', `the driver of ${step.id} lost an attempt that was never sent, which is a bug: ${outcome.reason}`, null), askAfterMs: 0 }
      const lost = earlier(state, version)?.lost ?? 0
      if (outcome.repeatable && lost >= MAX_LOST) return { events: failed('ATTEMPT_LOST', `${lost + 1} attempts got lost, the last one: ${outcome.reason}`, null), askAfterMs: 0 }
      const approval = outcome.repeatable ? null : subject.approval()
      return { events: [{ type: 'step.unknown', data: { ...reference, digest: step.digest, attempt: sent.attempt, reason: outcome.reason, again: outcome.repeatable, approval, ...untouched } }], askAfterMs: 0 }
    }
  }
}

/** A wait is written when it says something new. */
function waiting(outcome: StepWaiting, { step, version, state }: OutcomeSubject): readonly NewEvent[] {
  const events: NewEvent[] = []
  const given = state.approvals.get(step.id)?.approval
  if (outcome.voids !== undefined && given !== undefined) {
    events.push({ type: 'approval.voided', data: { node: step.node, step: step.id, once: given.once, reason: outcome.voids } })
  }
  const before = state.run?.steps.get(step.id)
  const approval = outcome.approval ?? null
  const same =
    before?.status === 'waiting' && before.digest === step.digest && before.reason === outcome.reason && before.on === outcome.on && canonical(before.approval) === canonical(approval)
  if (!same) events.push({ type: 'step.waiting', data: { run: version.run, step: step.id, node: step.node, digest: step.digest, reason: outcome.reason, on: outcome.on, approval } })
  return events
}

/** What the run has counted of this version of the step. */
function earlier(state: State, version: StepVersion): { readonly failures: number; readonly lost: number } | undefined {
  const step = state.run?.steps.get(version.step)
  return step?.digest === version.digest ? step : undefined
}

/** A version without what only `step.sent` says. */
function bare(version: StepVersion): StepVersion {
  const { run, step, node, digest, once, commit, plan, changes, machine, n, inputs, told = null } = version
  return { run, step, node, digest, once, commit, plan, changes, machine, n, inputs, told }
}
