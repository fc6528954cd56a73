import { approvalCovers, approvalFor, approvalKey, ApprovalError, everyDisk, mayWriteAnyDisk } from '../../schemas/approval.ts'
import type { Approval } from '../../schemas/changes.ts'
import { isErase } from '../../schemas/operation.ts'
import type { DiskState } from '../../schemas/inventory.ts'
import type { Plan, Step } from '../../schemas/plan.ts'
import type { Driver, Intent, StepContext, StepOutcome, StepWaiting, Timers } from '../drivers/driver.ts'
import type { NewEvent, StepSent, StepVersion } from '../log/event-types.ts'
import type { EventStore } from '../log/store.ts'
import type { LiveLedger } from '../state/open-ledger.ts'
import type { LiveState } from '../state/open-state.ts'
import type { State } from '../state/state.ts'
import { attemptId } from './attempt-id.ts'
import { outcomeEvents } from './outcome-events.ts'
import type { Work, WorkItem } from './work.ts'

/** Milliseconds between looks; a machine that says what it has asks sooner. */
const LOOK = 60_000

/** One step to carry out, under the plan that was in force when it was started. */
export interface Assignment {
  readonly run: number
  readonly item: WorkItem
  readonly work: Work
  /** Keys of plan and changes in the store. */
  readonly plan: string
  readonly changes: string
  readonly driver: Driver
  /** An attempt of an earlier life that is to be settled; undefined: run it. */
  readonly sent: StepSent | undefined
}

export interface CarryOutTools {
  readonly store: EventStore
  readonly state: LiveState
  readonly ledger: LiveLedger
  readonly timers: Timers
  readonly epoch: number
}

/** Beyond a step's own timeout, which its node keeps: then nobody waits for the answer any more. Milliseconds. */
export const TIMEOUT_MARGIN = 60_000

/**
 * Carries out one step: has it approved if it must be, hands it to its driver, and writes what came of it.
 *
 * @param stop aborted with `CANCELLED` or `CLOSED`; after `CLOSED` nothing is written: the next life settles it.
 * @returns how long to wait before asking again, milliseconds (Infinity: until something happens); 0: no matter.
 * @throws {LogError} when the log cannot be written. Everything else ends up as an outcome.
 */
export async function carryOut(assignment: Assignment, tools: CarryOutTools, stop: AbortController): Promise<number> {
  const { run, item, work, driver } = assignment
  const { step } = item
  const { store, state, timers, epoch } = tools
  const began = timers.now()
  let sent = assignment.sent
  // A lost log must end the agent, not the step.
  let broken: { readonly error: unknown } | undefined
  const append = async (events: readonly NewEvent[]): Promise<void> => {
    try {
      await store.append(events, { epoch })
    } catch (error) {
      broken ??= { error }
      throw error
    }
  }
  const version = (intent: Intent | undefined, n: number): StepVersion => ({
    run,
    step: step.id,
    node: step.node,
    digest: step.digest,
    once: step.once,
    commit: work.commit,
    plan: assignment.plan,
    changes: assignment.changes,
    machine: intent?.machine ?? machineOf(step, work.plan),
    n,
    inputs: intent?.inputs ?? null,
    told: intent?.told ?? null,
  })

  const budget = step.timeout * 1000 + TIMEOUT_MARGIN
  const spent = sent === undefined ? 0 : began - Date.parse(state.current.run?.steps.get(step.id)?.since ?? new Date(began).toISOString())
  // An agent that was away gives the node as long to come back as to answer late.
  using _deadline = timers.after(Math.max(budget - spent, TIMEOUT_MARGIN), () => stop.abort('TIMEOUT'))

  const context: StepContext = {
    plan: work.plan,
    changes: work.changes,
    change: item.change,
    run,
    commit: work.commit,
    ledger: tools.ledger.current,
    state: state.current,
    epoch,
    timers,
    mayBeUnchanged: item.change === undefined || (!item.change.certain && item.change.causes.length > 0 && item.change.causes.every((cause) => cause.kind === 'wants')),
    signal: stop.signal,
    async intend(intent) {
      if (sent !== undefined) throw new Error(`the ${driver.kind} driver sent ${step.id} twice`)
      const n = (state.current.tries.get(step.id) ?? 0) + 1
      const attempt = attemptId({ epoch, step: step.id, n })
      const data: StepSent = { ...version(intent, n), attempt, destructive: step.destructive, disks: intent.disks ?? null, stamp: intent.stamp ?? null, approved: intent.approved ?? false, boot: intent.boot ?? null }
      await append([{ type: 'step.sent', data }])
      sent = data
      return { attempt, n }
    },
    imaged: ({ node, machine, incarnation, attempt }) => append([{ type: 'node.imaged', data: { run, step: step.id, node, machine, incarnation, attempt } }]),
    progress: (text) => store.output({ attempt: sent?.attempt ?? attemptId({ epoch, step: step.id, n: 0 }), stream: 'progress', text }),
    seal: (value) => store.seal(value),
    unseal: (reference) => store.unseal(reference),
  }

  const outcome = await ask(assignment, context, sent)
  if (broken !== undefined) throw broken.error
  if (stop.signal.aborted && stop.signal.reason === 'CLOSED') return 0

  const seconds = Math.max(0, Math.round((timers.now() - began + spent) / 1000))
  const done = sent ?? version(undefined, 0)
  const { events, askAfterMs } = outcomeEvents(outcome, { step, version: done, sent, seconds, state: state.current, approval: () => approvalOf(step, done.machine, state.current) })
  await store.append(events, { epoch })
  if (sent !== undefined && done.machine !== null && outcome.kind !== 'waiting') driver.ended?.(sent.attempt, done.machine)
  return askAfterMs
}

async function ask(assignment: Assignment, context: StepContext, sent: StepSent | undefined): Promise<StepOutcome> {
  const { driver, item } = assignment
  try {
    if (sent !== undefined) return await driver.settle(item.step, sent, context)
    return unapproved(assignment, context) ?? (await driver.run(item.step, context))
  } catch (error) {
    const message = error instanceof Error ? (error.stack ?? error.message) : String(error)
    return { kind: 'failed', code: 'INTERNAL', message: `the ${driver.kind} driver broke down, which is a bug: ${message}`, retryable: false }
  }
}

/** Installs and erasures look at the disks first, so their driver asks for the approval. Whatever else deletes data is held here. */
function unapproved({ item, work }: Assignment, { state }: StepContext): StepWaiting | undefined {
  const { step, change } = item
  if (change?.needsApproval !== true || step.kind === 'install' || isErase(step)) return undefined
  const machine = machineOf(step, work.plan)
  const disks = atStake(step, machine, state)
  if (mayWriteAnyDisk(step) && disks.length === 0) return { kind: 'waiting', reason: `the disks of ${step.node} have not been looked at`, afterMs: LOOK, on: 'machine' }
  const given = state.approvals.get(step.id)?.approval
  const covers = given === undefined ? 'it deletes data, and nobody has approved it' : approvalCovers(given, { step: step.id, once: approvalKey(step), machine, disks, targets: everyDisk(disks) })
  if (covers === true) return undefined
  const approval = approvalOf(step, machine, state)
  return {
    kind: 'waiting',
    reason: given === undefined ? covers : `its approval is void: ${covers}`,
    afterMs: Infinity,
    on: 'person',
    ...(approval === null ? {} : { approval }),
    ...(given === undefined ? {} : { voids: covers }),
  }
}

function atStake(step: Step, machine: string | null, state: State): readonly DiskState[] {
  return machine === null || !mayWriteAnyDisk(step) ? [] : (state.machines.get(machine)?.disks ?? [])
}

function approvalOf(step: Step, machine: string | null, state: State): Approval | null {
  const disks = atStake(step, machine, state)
  try {
    return approvalFor(step, machine, disks, everyDisk(disks))
  } catch (error) {
    if (error instanceof ApprovalError) return null
    throw error
  }
}

function machineOf(step: Step, plan: Plan): string | null {
  return step.node === null ? null : (plan.nodes[step.node]?.machine ?? null)
}
