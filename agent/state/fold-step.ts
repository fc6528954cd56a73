import { nodeErasedBy } from '../../schemas/operation.ts'
import type { LogEvent, LogEventOf } from '../log/event-types.ts'
import type { GrowingState } from './growing-state.ts'
import type { StepState } from './state.ts'

type StepEvent = Extract<LogEvent, { type: `step.${string}` }>

/** Folds what happened to one step. Part of `applyEvent`. */
export function foldStep(state: GrowingState, event: StepEvent): void {
  noteAttempt(state, event)
  const { run: number, step: id, node } = event.data
  if (state.run === null || state.run.run !== number) return
  const before = state.run.steps.get(id)
  const after = next(before ?? fresh(node, event.time), event)
  if (after !== undefined) state.run.steps.set(id, after)
}

/** What outlives the run: how often a step was tried, and what was begun to be destroyed and is not whole again. Nothing was begun where the node wrote nothing. */
function noteAttempt(state: GrowingState, event: StepEvent): void {
  const { step } = event.data
  if (event.type === 'step.sent') {
    state.tries.set(step, Math.max(state.tries.get(step) ?? 0, event.data.n))
    const { attempt, n, once, machine, disks, stamp, approved, destructive } = event.data
    const { before: _older, ...last } = state.unfinished.get(step) ?? { before: null }
    if (destructive) state.unfinished.set(step, { attempt, n, once, machine, disks, stamp, approved, before: 'attempt' in last ? last : null })
  } else if ((event.type === 'step.failed' || event.type === 'step.unknown') && event.data.untouched === true) {
    const before = state.unfinished.get(step)?.before
    if (before) state.unfinished.set(step, { ...before, before: null })
    else state.unfinished.delete(step)
  } else if (event.type === 'step.succeeded' || event.type === 'step.unchanged') {
    state.unfinished.delete(step)
    // An approval is for one time.
    state.approvals.delete(step)
    const { node, machine, incarnation } = event.data
    const attempt = state.run?.steps.get(step)?.sent?.attempt ?? null
    if (node !== null && machine !== null && incarnation !== null) {
      state.nodes.set(node, { installed: { machine, incarnation, attempt } })
      forgetErasures(state, node)
    }
    const erased = nodeErasedBy(step)
    if (erased !== null) state.nodes.set(erased, { installed: null })
  }
}

/** What began to erase a node's disks is over: they are written anew. */
export function forgetErasures(state: GrowingState, node: string): void {
  for (const id of state.unfinished.keys()) if (nodeErasedBy(id) === node) state.unfinished.delete(id)
}

function next(step: StepState, event: StepEvent): StepState | undefined {
  switch (event.type) {
    case 'step.sent': {
      // Another version of the step starts with a clean sheet.
      const counted = step.digest === event.data.digest || step.digest === ''
      return { ...clean(step, event.data.digest, event.time), status: 'running', n: event.data.n, sent: event.data, failures: counted ? step.failures : 0, lost: counted ? step.lost : 0 }
    }
    case 'step.accepted':
      return step.sent?.attempt === event.data.attempt ? { ...step, accepted: true } : undefined
    case 'step.waiting':
      // Since it began to wait, whatever the reason has become: patience has an end.
      return {
        ...clean(step, event.data.digest, step.status === 'waiting' && step.digest === event.data.digest ? step.since : event.time),
        status: 'waiting',
        reason: event.data.reason,
        on: event.data.on,
        approval: event.data.approval,
      }
    case 'step.succeeded':
    case 'step.unchanged':
      return {
        ...clean(step, event.data.digest, event.time),
        status: event.type === 'step.succeeded' ? 'succeeded' : 'unchanged',
        provides: event.data.provides,
        sealed: event.data.sealed,
        seconds: event.data.seconds,
      }
    case 'step.failed':
      return failed(step, event)
    case 'step.unknown':
      return {
        ...clean(step, event.data.digest, event.time),
        status: event.data.again ? 'retrying' : 'unknown',
        lost: step.lost + 1,
        reason: event.data.reason,
        retryAt: event.data.again ? event.time : null,
        on: event.data.again ? null : 'person',
        approval: event.data.approval,
      }
    case 'step.skipped':
      return { ...clean(step, event.data.digest, event.time), status: 'skipped', reason: event.data.cause }
    case 'step.cancelled':
      return { ...clean(step, event.data.digest, event.time), status: 'cancelled', reason: event.data.by }
  }
}

function failed(step: StepState, event: LogEventOf<'step.failed'>): StepState {
  const { digest, code, message, retryAfterMs, seconds } = event.data
  const base = { ...clean(step, digest, event.time), failures: step.failures + 1, code, reason: message, seconds }
  if (retryAfterMs === null) return { ...base, status: 'failed' }
  return { ...base, status: 'retrying', retryAt: new Date(Date.parse(event.time) + retryAfterMs).toISOString() }
}

/** The same step with nothing left of the status before but what is counted. */
function clean(step: StepState, digest: string, since: string): StepState {
  const began = step.digest === digest ? step.began : since
  return { ...step, digest, since, began, sent: null, accepted: false, reason: null, code: null, on: null, approval: null, retryAt: null }
}

function fresh(node: string | null, since: string): StepState {
  return {
    status: 'waiting',
    node,
    digest: '',
    since,
    began: since,
    n: 0,
    failures: 0,
    lost: 0,
    sent: null,
    accepted: false,
    reason: null,
    code: null,
    on: null,
    approval: null,
    retryAt: null,
    provides: {},
    sealed: {},
    seconds: 0,
  }
}
