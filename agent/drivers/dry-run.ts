import type { Step } from '../../schemas/plan.ts'
import type { Tried } from '../../schemas/control.ts'
import type { DryRunTask } from '../../schemas/protocol.ts'
import { chooseJig } from '../jigs/choose-jig.ts'
import { awaitAttempt } from './await-attempt.ts'
import type { StepView, Timers } from './driver.ts'
import { installedSession } from './installed-session.ts'
import { contentOf, roleDocument } from './role-document.ts'
import type { RoleDriverOptions } from './role.ts'

/**
 * Asks a role's node what the step would do there. Nothing is written to the log: what is asked is no attempt of the step,
 * and nothing that it finds counts for the ledger.
 *
 * @param options.attempt a name that no attempt of this agent has had.
 */
export async function dryRun(step: Step, view: StepView, { attempt, timers, ...options }: RoleDriverOptions & { readonly attempt: string; readonly timers: Timers }): Promise<Tried> {
  const untried = (because: string): Tried => ({ foreseen: [], assumes: [], because })
  const { jig } = step
  if (step.kind !== 'role') return untried('only roles are tried on nodes')
  if (step.runsOn === 'discovery') return untried('it runs in the discovery image, before an installation')
  if (jig === null || chooseJig(jig) === undefined) return untried(`this agent has no jig ${jig}`)
  if (step.destructive) return untried('it is destructive')
  const given = await roleDocument(step, view, options)
  if (given.kind !== 'ready') return untried('reason' in given ? given.reason : 'message' in given ? given.message : given.kind)
  const session = installedSession(step, view, options.sessions)
  if ('kind' in session) return untried(session.reason)
  const task: DryRunTask = {
    kind: 'dry-run', attempt, step: step.id, jig, entry: step.entry ?? '', content: contentOf(step, view, options.stager), document: given.document, sensitive: [...given.sensitive], mask: [...given.mask],
    packages: step.packages, repository: null, provides: {}, timeout: step.timeout, preview: step.action === 'run' ? step.entries['preview'] ?? null : null,
  }
  session.send(task)
  const end = await awaitAttempt(options.sessions, { machine: session.machine, attempt, environment: 'installed', over: session, timers, signal: view.signal })
  options.sessions.session(session.machine)?.acknowledge(attempt)
  if (end.kind !== 'result') return untried(end.kind === 'lost' ? end.reason : `${step.node} did not say it within its time`)
  const { outcome, message, foreseen } = end.result
  if (foreseen === undefined) return untried(message ?? outcome)
  return { foreseen, assumes: assumed(step, view), because: null }
}

/** Steps that run again before this one and provide what it is given. */
function assumed(step: Step, { changes }: StepView): string[] {
  const running = new Set(changes.changes.map((change) => change.step.id))
  return step.needs.filter((need) => need.kind === 'data' && running.has(need.step)).map((need) => need.step)
}
