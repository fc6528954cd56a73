import type { Changes } from '../../schemas/changes.ts'
import type { Plan, Step } from '../../schemas/plan.ts'
import { heldGeneration } from '../../schemas/step-targets.ts'
import { stepValues } from '../../schemas/step-values.ts'
import type { LedgerEvent } from '../ledger/ledger-event.ts'
import type { LogEvent, LogEventOf } from '../log/event-types.ts'

/** The plan and the changes that an event refers to. */
export interface EventWork {
  readonly plan: Plan
  readonly changes: Changes
}

/** Events that say nothing to the ledger without the plan that they are about. */
export type WorkEvent = LogEventOf<'step.sent' | 'step.succeeded' | 'step.unchanged'>

/** Whether ledgerEventOf() needs the plan and the changes of an event: keys of the store's documents. */
export function isWorkEvent(event: LogEvent): event is WorkEvent {
  return event.type === 'step.sent' || event.type === 'step.succeeded' || event.type === 'step.unchanged'
}

/** What an event of the log says to the ledger; undefined when nothing. */
export function ledgerEventOf(event: Exclude<LogEvent, WorkEvent>): LedgerEvent | undefined {
  const { seq } = event
  switch (event.type) {
    case 'agent.started':
      return { seq, type: 'agent.started', epoch: event.epoch }
    case 'node.renamed':
      return { seq, type: 'node.renamed', names: new Map(event.data.nodes.map(({ from, to }) => [from, to])) }
    case 'machine.disks':
      return { seq, type: 'machine.seen', machine: { id: event.data.machine, seen: event.time, disks: event.data.disks } }
    case 'run.started':
    case 'run.extended':
      return { seq, type: 'run.started', run: event.data.run, commit: event.data.commit, plan: event.data.planId, time: event.time, epoch: event.epoch }
    case 'step.failed':
    case 'step.unknown':
      return event.data.untouched === true && event.data.node !== null ? { seq, type: 'step.untouched', step: event.data.step, node: event.data.node } : undefined
    case 'run.ended':
      return { seq, type: 'run.ended', state: event.data.state, time: event.time }
    default:
      return undefined
  }
}

/** What an event about a step says to the ledger; undefined for a step that its plan does not have, which is a bug. */
export function ledgerEventOfStep(event: WorkEvent, work: EventWork): LedgerEvent | undefined {
  const step = findStep(event.data.step, work)
  if (step === undefined) return undefined
  const { seq, time } = event
  const node = step.node === null ? undefined : work.plan.nodes[step.node]
  const index = node?.index ?? null
  const holds = heldGeneration(step, work.plan.values)
  if (event.type === 'step.sent') return { seq, type: 'step.sent', step, index, machine: event.data.machine, disks: (event.data.disks ?? []).map((disk) => disk.id), ...(holds === undefined ? {} : { holds }) }
  const { machine, commit, incarnation, inputs, told = null, provides, sealed, facts } = event.data
  const role = step.deployment === null || step.role === null ? undefined : work.plan.roles[`${step.deployment}/${step.role}`]
  return {
    seq,
    type: 'step.succeeded',
    step,
    index,
    machine,
    incarnation,
    // An admin node has no step that runs again when its protection ends, and so would never lose it.
    protect: node?.protect === true && !node.admin ? node.at : null,
    founder: role?.founder ?? null,
    commit,
    time,
    inputs: inputs ?? step.digest,
    told,
    provides,
    ...(facts === undefined ? {} : { facts }),
    sealed,
    values: valuesOf(step, work),
  }
}

/** Finds a step by id: a removal in the changes, any other in the plan or its operations. Gates are in neither. */
export function findStep(id: string, work: EventWork): Step | undefined {
  let index = indexes.get(work.plan)
  if (index === undefined) {
    const operations = work.plan.operations.flatMap(({ steps }) => steps)
    index = new Map([...work.plan.steps, ...operations].map((step) => [step.id, step]))
    indexes.set(work.plan, index)
  }
  return index.get(id) ?? work.changes.changes.find((change) => change.step.id === id)?.step
}

/** Plans are large and looked into once a step. */
const indexes = new WeakMap<Plan, Map<string, Step>>()

/** A removal brings its values itself, any other step finds them in the plan. */
function valuesOf(step: Step, { plan, changes }: EventWork): Plan['values'] {
  const values = step.attributes !== null && changes.values[step.attributes] !== undefined ? changes.values : plan.values
  return stepValues(step, { values, contents: plan.contents })
}
