import type { Step } from '../../schemas/plan.ts'
import type { NewEvent, RunEnd } from '../log/event-types.ts'
import type { RunState, StepState } from '../state/state.ts'
import type { WavePosition } from './waves.ts'
import type { Work, WorkItem } from './work.ts'

/** What is written when a run ends: its sums, and, when a person cancelled it, every step that will not be. Pure. */
export function endEvents({ run, cancelled, steps }: RunState, { work, how, rollouts }: { readonly work: Work; readonly how: RunEnd; readonly rollouts: readonly WavePosition[] }): readonly NewEvent[] {
  const left = work.order.filter(({ id, step }) => isLeft(steps.get(id), step))
  const current = new Map(work.order.map(({ id, step }) => [id, step.digest]))
  // What was done before the run was last extended counts, too; another version of what is to be done does not.
  const count = (status: StepState['status']): number => [...steps].filter(([id, step]) => step.status === status && (current.get(id) ?? step.digest) === step.digest).length
  const failed = count('failed')
  const waiting = cancelled === null ? left.length : 0
  const held = rollouts.flatMap(({ state: at, reason: why }) => ((at === 'stopped' || at === 'paused') && why !== null ? [why] : []))
  const sums = cancelled !== null ? `cancelled by ${cancelled}` : how === 'complete' ? 'every step is done' : how === 'failed' ? `${failed} failed` : `${waiting} wait`
  const reason = cancelled === null ? [sums, ...held].join('; ') : sums
  const given = cancelled === null ? [] : left.map((open): NewEvent => ({ type: 'step.cancelled', data: { ...reference(run, open), n: steps.get(open.id)?.n ?? 0, by: cancelled } }))
  return [...given, { type: 'run.ended', data: { run, state: how, reason, succeeded: count('succeeded'), unchanged: count('unchanged'), failed, skipped: count('skipped'), waiting } }]
}

/** Whether this version of a step has not come to any end. */
export function isLeft(state: StepState | undefined, step: Step): boolean {
  if (state === undefined || state.digest !== step.digest) return true
  return state.status === 'waiting' || state.status === 'running' || state.status === 'retrying' || state.status === 'unknown'
}

/** The fields that say which step of a run an event is about. */
export function reference(run: number, { id, step }: WorkItem): { readonly run: number; readonly step: string; readonly node: string | null; readonly digest: string } {
  return { run, step: id, node: step.node, digest: step.digest }
}
