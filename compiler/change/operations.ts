import type { Changes } from '../../schemas/changes.ts'
import { OPERATION_ACTIONS } from '../../schemas/documents/words.ts'
import type { Consequence } from '../../schemas/documents/words.ts'
import { isHeld } from '../../schemas/ledger.ts'
import type { Ledger } from '../../schemas/ledger.ts'
import { isErase } from '../../schemas/operation.ts'
import type { OperationPart } from '../../schemas/operation.ts'
import { own } from '../../schemas/own.ts'
import type { Missing, Plan, PlanOperation, Step } from '../../schemas/plan.ts'
import { stepTargets } from '../../schemas/step-targets.ts'
import { stepDocument } from '../../schemas/step-values.ts'
import { foldNames } from '../print/fold-names.ts'
import { worse } from './consequence.ts'
import { diskFates } from './install-change.ts'
import type { BareChange } from './step-change.ts'
import type { Verdict } from './standing.ts'

/** What of the operations is to be done, and what is to be said about them. */
export interface DueOperations {
  readonly changes: readonly BareChange[]
  readonly violations: Changes['violations']
  readonly missing: readonly Missing[]
}

/** What the ledger says of one operation. */
interface History {
  /** Node → ids of the steps that ran there. */
  readonly ran: ReadonlyMap<string, ReadonlySet<string>>
  /** Nodes on which the last step ran. */
  readonly ended: ReadonlySet<string>
  /** All nodes that it was for, as far as steps that ran tell. */
  readonly members: ReadonlySet<string>
}

/**
 * The steps of operations that are not done yet.
 *
 * An operation that has ended on a node is history there and never runs again under its name, whatever becomes of its
 * document; once it has ended on all of its nodes, nodes that come later do not get it. A step that ran is not run again
 * when the operation goes on. Nodes whose disks were erased have nothing that an operation could work on, until they are
 * installed again; but they may be erased once more.
 */
export function dueOperations(base: Ledger, plan: Plan, { verdicts, erased }: { readonly verdicts: ReadonlyMap<string, Verdict>; readonly erased: Erased }): DueOperations {
  const histories = historiesOf(base)
  const { held } = erased
  const changes: BareChange[] = []
  const violations: Changes['violations'][number][] = []
  for (const operation of plan.operations) {
    const history = histories.get(operation.name)
    const due = operation.steps.filter((step) => isDue(step, operation, history) && (!held.has(step.node ?? '') || isErase(step) || erased.by.get(step.node ?? '') === operation.name))
    const wanting = due.filter((step) => actionOf(step) === 'reinstall' && !verdicts.has(`install@${step.node ?? ''}`))
    if (history === undefined && wanting.length > 0) violations.push(notAsked(operation, wanting))
    for (const step of due) {
      const attempted = own(own(base.nodes, step.node ?? '')?.attempted, step.id) ?? null
      changes.push({ step, ...classed(step), causes: [{ kind: 'operation', path: operation.name, before: null, after: null }, ...(attempted === null ? [] : [{ kind: 'unfinished' as const, path: null, before: null, after: null }])], disks: isErase(step) ? disksOf(step, base, plan) : [] })
    }
    const edited = operation.steps.filter((step) => history?.ended.has(step.node ?? '') === true && history.ran.get(step.node ?? '')?.has(step.id) !== true)
    if (edited.length > 0) {
      const nodes = foldNames(edited.map((step) => step.node ?? ''))
      violations.push({ policy: 'operations', level: 'warn', message: `${operation.name} has ended on ${nodes}, so what was added to it does not run there: give new work a name of its own.`, at: operation.at })
    }
  }
  return { changes, violations, missing: broken(histories, plan) }
}

/** Nodes without an installation that is to stay. */
export interface Erased {
  /** Nodes that were erased, or began to be, and those that are to be erased now: nothing else is done there. */
  readonly held: ReadonlySet<string>
  /** Of these, those that are to be erased now: node → the operation. */
  readonly by: ReadonlyMap<string, string>
}

/** Finds the nodes on which nothing stays installed: by the ledger, and by operations of the plan that are not done. */
export function erasedNodes(base: Ledger, plan: Plan): Erased {
  const held = new Set(Object.values(base.nodes).filter((node) => isHeld(node, own(plan.nodes, node.node))).map(({ node }) => node))
  const by = new Map<string, string>()
  const histories = plan.operations.some(({ steps }) => steps.some(isErase)) ? historiesOf(base) : new Map<string, History>()
  for (const operation of plan.operations) {
    for (const step of operation.steps) {
      if (step.node === null || !isErase(step) || operation.do.includes('reinstall') || !isDue(step, operation, histories.get(operation.name))) continue
      held.add(step.node)
      by.set(step.node, operation.name)
    }
  }
  return { held, by }
}

function disksOf(step: Step, base: Ledger, plan: Plan): BareChange['disks'] {
  const machine = own(plan.nodes, step.node ?? '')?.machine ?? ''
  return diskFates(stepTargets(step, plan.values), own(base.machines, machine)?.disks ?? [])
}

/** The action of an operation step: `reboot` of `operation/kernel/reboot@web1`. */
export function actionOf(step: Pick<Step, 'id'>): (typeof OPERATION_ACTIONS)[number] {
  const word = /^operation\/[^/]+\/([a-z]+)/.exec(step.id)?.[1]
  return OPERATION_ACTIONS.find((action) => action === word) ?? 'erase'
}

/** The operation that a step belongs to; null for steps of the desired state. */
export function operationOf(step: Pick<Step, 'id' | 'kind'>): string | null {
  return step.kind === 'operation' ? (step.id.split('/')[1] ?? null) : null
}

function isDue(step: Step, operation: PlanOperation, history: History | undefined): boolean {
  if (history === undefined) return true
  const node = step.node ?? ''
  if (history.ended.has(node) || history.ran.get(node)?.has(step.id) === true) return false
  return history.members.has(node) || !endedEverywhere(operation, history)
}

function endedEverywhere(operation: PlanOperation, { members, ended, ran }: History): boolean {
  return operation.steps.every((step) => {
    const node = step.node ?? ''
    return !members.has(node) || ended.has(node) || ran.get(node)?.has(step.id) === true
  })
}

function historiesOf(base: Ledger): ReadonlyMap<string, History> {
  const found = new Map<string, { readonly ran: Map<string, Set<string>>; readonly ended: Set<string>; readonly members: Set<string> }>()
  for (const node of Object.values(base.nodes)) {
    for (const [id, { step }] of Object.entries(node.steps)) {
      const name = operationOf(step)
      if (name === null) continue
      const history = found.get(name) ?? { ran: new Map<string, Set<string>>(), ended: new Set<string>(), members: new Set<string>() }
      found.set(name, history)
      const ran = history.ran.get(node.node) ?? new Set<string>()
      history.ran.set(node.node, ran.add(id))
      const document = stepDocument(step, base.values)
      const part = document?.['operation'] as unknown as OperationPart | undefined
      if (part !== undefined && part.place === part.of) history.ended.add(node.node)
      history.members.add(node.node)
      for (const member of (document?.['members'] as readonly string[] | undefined) ?? []) history.members.add(member)
    }
  }
  return found
}

/** Operations that stopped half-way and that nothing in the site carries on. */
function broken(histories: ReadonlyMap<string, History>, plan: Plan): readonly Missing[] {
  const planned = new Map(plan.operations.map((operation) => [operation.name, operation]))
  const missing: Missing[] = []
  for (const [name, { ran, ended }] of histories) {
    const steps = planned.get(name)?.steps ?? []
    const nodes = [...ran.keys()].filter((node) => Object.hasOwn(plan.nodes, node) && !ended.has(node) && !steps.some((step) => step.node === node))
    if (nodes.length > 0) missing.push({ what: 'its end', for: `operation/${name} on ${foldNames(nodes)}`, because: 'it was begun there and is no longer in the site: what it did before stays as it is' })
  }
  return missing
}

function notAsked(operation: PlanOperation, steps: readonly Step[]): Changes['violations'][number] {
  const nodes = steps.map((step) => step.node ?? '')
  return { policy: 'operations', level: 'deny', message: `${operation.name} is to install ${foldNames(nodes)} again, and the lock does not ask for that any more: write it there (crowbar reinstall ${nodes[0] ?? ''}), or take the operation out of the site.`, at: operation.at }
}

function classed(step: Step): { readonly consequence: Consequence; readonly certain: boolean } {
  const table: { readonly [action in ReturnType<typeof actionOf>]: Consequence } = {
    drain: 'run', resume: 'run', check: 'run', run: 'run', upgrade: 'restart', packages: 'restart', reboot: 'reboot', reinstall: 'reinstall', erase: 'wipe',
  }
  return { consequence: worse(table[actionOf(step)], step.onChange['default'] ?? 'none'), certain: !isErase(step) || step.once !== null }
}
