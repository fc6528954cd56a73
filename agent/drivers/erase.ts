import { digest } from '../../schemas/canonical.ts'
import type { OperationPart } from '../../schemas/operation.ts'
import type { Step } from '../../schemas/plan.ts'
import type { Json } from '../../schemas/shape.ts'
import { awaitAttempt } from './await-attempt.ts'
import { chooseDisks } from './choose-disks.ts'
import type { StepContext, StepOutcome } from './driver.ts'
import { lookAgain } from './look-again.ts'
import type { NetworkBoots } from './network-boots.ts'
import { waitForMachine } from './role-document.ts'
import type { NodeSession, NodeSessions } from './sessions.ts'
import { writeOutcome } from './write-outcome.ts'

export interface EraseOptions {
  readonly sessions: NodeSessions
  readonly boots: NetworkBoots
  /** Proves that this agent wrote something: `AgentKey.stamp`. */
  readonly stamp: (value: Json) => string
  readonly context: StepContext
}

/**
 * Has the disks that a node's installation writes overwritten, from the discovery image.
 *
 * Nothing is sent, and the machine goes on running its system, before a person has approved exactly what is on these
 * disks: also blank ones, since a look finds blank what only has zeros where it looks. What an interrupted attempt left
 * is taken up again under what that was allowed.
 */
export async function eraseDisks(step: Step, { targets }: OperationPart, { sessions, boots, stamp: stampOf, context }: EraseOptions): Promise<StepOutcome> {
  const machine = context.plan.nodes[step.node ?? '']?.machine ?? null
  if (machine === null) return waitForMachine(`${step.node} has no machine`)
  if (targets.length === 0) return { kind: 'failed', code: 'OPERATION_UNKNOWN', message: `${step.id} does not say which disks to erase`, retryable: false, untouched: true }
  const session = sessions.session(machine)
  const disks = session !== undefined && session.disks.length > 0 ? session.disks : (context.state.machines.get(machine)?.disks ?? [])
  if (disks.length === 0) return waitForMachine(`machine ${machine} is not connected, and its disks have not been looked at`)
  const decision = chooseDisks({ step, machine, targets, disks, approval: context.state.approvals.get(step.id)?.approval, unfinished: context.state.unfinished.get(step.id), alwaysAsk: true })
  switch (decision.kind) {
    case 'unknown':
    case 'missing':
      return waitForMachine(decision.reason)
    case 'ask':
      return { kind: 'waiting', reason: decision.reason, afterMs: Infinity, on: 'person', approval: decision.approval, ...(decision.voids === null ? {} : { voids: decision.voids }) }
    case 'write':
  }
  if (session === undefined) return waitForMachine(`machine ${machine} is not connected`)
  if (session.environment !== 'discovery') return boots.ask(session, 'to have its disks erased')

  boots.came(machine)
  const stamp = decision.resumed?.stamp ?? stampOf({ step: step.id, once: step.once, machine, approved: true, disks: decision.disks.map(({ id, serial, signature }) => ({ id, serial, signature })) })
  const { attempt } = await context.intend({ machine, inputs: digest(targets as unknown as Json), disks: decision.disks, stamp, approved: true })
  if (context.signal.aborted) return { kind: 'cancelled' }
  const orStamp = decision.resumed === null ? null : stamp
  session.send({ kind: 'erase', attempt, step: step.id, targets, expect: decision.disks.map(({ id, signature }) => ({ id, signature, orStamp })), stamp, timeout: step.timeout })
  return awaitErased(step, { sessions, machine, attempt, over: session, context })
}

/** Waits until an attempt to erase has ended. @param over undefined: an earlier life of the agent sent it. */
export async function awaitErased(step: Step, { sessions, machine, attempt, over, context }: { readonly sessions: NodeSessions; readonly machine: string; readonly attempt: string; readonly over: NodeSession | undefined; readonly context: StepContext }): Promise<StepOutcome> {
  const { timers, signal } = context
  const before = sessions.session(machine)?.disks
  const end = await awaitAttempt(sessions, { machine, attempt, environment: 'discovery', over, timers, signal })
  const outcome = writeOutcome(end, { machine, attempt })
  if ('untouched' in outcome && outcome.untouched === true && outcome.kind === 'unknown' && sessions.session(machine)?.disks === before) await lookAgain(sessions, { machine, attempt, step: step.id, timers, signal })
  return outcome
}
