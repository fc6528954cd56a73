import type { Step } from '../../schemas/plan.ts'
import type { RoleTask, TaskResult } from '../../schemas/protocol.ts'
import { awaitAttempt } from './await-attempt.ts'
import type { StepContext } from './driver.ts'
import type { NodeSessions } from './sessions.ts'

/**
 * Asks the `check` of a role how an attempt of it ended that nobody knows the end of.
 *
 * The check is no attempt of the step: nothing has to be settled later, and the same check is asked for once.
 *
 * @param task the attempt as it was or would be sent.
 * @returns the check's result when it says that the step is done; undefined when it does not, or cannot be asked.
 */
export async function settleByCheck(step: Step, task: RoleTask, { sessions, machine, context }: { readonly sessions: NodeSessions; readonly machine: string; readonly context: StepContext }): Promise<TaskResult | undefined> {
  const entry = step.entries['check']
  const session = sessions.session(machine)
  if (entry === undefined || session?.environment !== 'installed' || context.signal.aborted) return undefined
  const attempt = `${task.attempt}/check`
  context.progress(`asking ${entry} how ${task.attempt} ended`)
  const crowbar = { ...(task.document['crowbar'] as object), action: 'check' }
  session.send({ ...task, attempt, entry, document: { ...task.document, crowbar } })
  const end = await awaitAttempt(sessions, { machine, attempt, environment: 'installed', over: session, timers: context.timers, signal: context.signal })
  sessions.session(machine)?.acknowledge(attempt)
  return end.kind === 'result' && (end.result.outcome === 'succeeded' || end.result.outcome === 'unchanged') ? end.result : undefined
}
