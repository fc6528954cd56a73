import { attemptOf } from '../../schemas/attempted.ts'
import { outlivesInstallation } from '../../schemas/incarnation.ts'
import { isErase } from '../../schemas/operation.ts'
import { LEDGER_ADMIN } from '../../schemas/ledger.ts'
import type { Ledger, LedgerEntry, LedgerNode } from '../../schemas/ledger.ts'
import type { StepKind } from '../../schemas/plan.ts'
import { removedId } from '../../schemas/removal-id.ts'
import { renameLedger } from '../../schemas/rename-ledger.ts'
import type { Renames } from '../../schemas/renames.ts'
import { boundRole, forgetLostRoles } from './bootstrap.ts'
import { draftOf } from './ledger-draft.ts'
import type { LedgerDraft } from './ledger-draft.ts'
import type { LedgerEvent, StepSent, StepSucceeded, StepUntouched } from './ledger-event.ts'

/** The ledger after an event. For many events fold them into one draftOf(). */
export function foldLedger(ledger: Ledger, event: LedgerEvent): Ledger {
  const draft = draftOf(ledger)
  foldInto(draft, event)
  return draft
}

/**
 * Folds one event into a draft.
 *
 * Sending a step records it as attempted until it succeeds, so that nothing half done is taken for done. Sending one
 * that destroys also drops what it destroys: an install, an erasure or a change of hardware all that the node's installation
 * carries (and from an erasure on the node is held), a destructive role its own entry. What was dropped is there again when the node says that it wrote nothing. A removal is recorded under the step that it undoes, and drops that
 * step's entry when it is done; a done release drops the node. A rename changes nothing but names (schemas/rename-ledger.ts). Whether a node is protected is what the plan said at the
 * last success of one of its steps.
 */
export function foldInto(draft: LedgerDraft, event: LedgerEvent): void {
  switch (event.type) {
    case 'step.sent':
      sent(draft, event)
      break
    case 'step.untouched':
      untouched(draft, event)
      break
    case 'step.succeeded':
      succeeded(draft, event)
      break
    case 'step.removed':
      drop(draft, event.node ?? LEDGER_ADMIN, event.step)
      break
    case 'node.renamed':
      renamed(draft, event.names)
      break
    case 'machine.seen':
      draft.machines[event.machine.id] = event.machine
      break
    case 'run.started': {
      const { run, commit, plan, time, epoch, seq } = event
      draft.run = { version: 1, run, commit, plan, state: 'running', time, epoch, seq }
      break
    }
    case 'run.ended':
      if (draft.run !== null) draft.run = { ...draft.run, state: event.state, time: event.time }
      break
    case 'agent.started':
      if (draft.run !== null) draft.run = { ...draft.run, epoch: event.epoch }
      break
  }
  if (draft.run !== null) draft.run = { ...draft.run, seq: event.seq }
}

/** Kinds that leave nothing behind on a node when they are interrupted: to do them again is all there is to it. */
const WITHOUT_TRACE: ReadonlySet<StepKind> = new Set(['discover', 'stage', 'barrier', 'gate', 'power', 'release'])

function sent(draft: LedgerDraft, event: StepSent): void {
  const { step } = event
  if (WITHOUT_TRACE.has(step.kind)) return
  const before = nodeOf(draft, event)
  const undone = step.action === 'remove' ? removedId(step.id) : null
  const noted = undone ?? step.id
  const attempted = { ...before.attempted, [noted]: attemptOf(step, before.attempted[noted] ?? null) }
  if (!step.destructive || undone !== null) {
    put(draft, { ...before, attempted })
  } else if (step.kind === 'install' || step.kind === 'hardware' || isErase(step)) {
    keep(draft, before, step.id)
    put(draft, { ...erasedBy(event, before), machine: event.machine ?? before.machine, incarnation: null, attempted, steps: outliving(before, step.id) })
  } else {
    put(draft, { ...before, attempted, steps: without(before.steps, step.id) })
  }
  if (step.destructive && event.machine !== null) doubtDisks(draft, event.machine, event)
  forgetLostRoles(draft, before)
}

/** An erasure holds its node, unless its operation installs it again; an installation ends that. */
function erasedBy({ step, machine, holds }: StepSent, { erased, ...node }: LedgerNode): LedgerNode {
  if (holds !== undefined && machine !== null) return { ...node, erased: { step: step.id, machine, generation: holds } }
  return step.kind === 'install' || isErase(step) || erased === undefined ? node : { ...node, erased }
}

/** Remembers what an install takes away, unless an earlier attempt may have written something already. */
function keep(draft: LedgerDraft, before: LedgerNode, step: string): void {
  const { [before.node]: _stale, ...others } = draft.voided ?? {}
  setVoided(draft, Object.hasOwn(before.attempted, step) ? others : { ...others, [before.node]: { node: before, roles: { ...draft.roles } } })
}

/** Nothing was written: what the node had it still has. */
function untouched(draft: LedgerDraft, { node }: StepUntouched): void {
  const { [node]: voided, ...others } = draft.voided ?? {}
  if (voided === undefined) return
  setVoided(draft, others)
  put(draft, voided.node)
  for (const id of Object.keys(voided.node.steps)) {
    const role = id.slice(0, id.lastIndexOf('@'))
    const before = voided.roles[role]
    if (before !== undefined) draft.roles[role] ??= before
  }
}

function setVoided(draft: LedgerDraft, voided: NonNullable<LedgerDraft['voided']>): void {
  if (Object.keys(voided).length > 0) draft.voided = voided
  else delete draft.voided
}

/**
 * Until the node looks again, a disk that is being written is not one that was proved blank. One that was blank before
 * can carry nothing but this write, and is marked as if its stamp had been seen; it names the once-key, and no stamp
 * that a node reports is equal to it.
 */
function doubtDisks(draft: LedgerDraft, machine: string, { step, disks }: StepSent): void {
  const seen = draft.machines[machine]
  if (seen === undefined || disks.length === 0) return
  const doubted = seen.disks.map((disk) => {
    if (!disks.includes(disk.id)) return disk
    return { ...disk, blank: false, stamp: disk.blank && disk.stamp === null ? `sent:${step.once ?? step.digest}` : disk.stamp, summary: 'written to since it was looked at' }
  })
  draft.machines[machine] = { ...seen, disks: doubted }
}

function succeeded(draft: LedgerDraft, event: StepSucceeded): void {
  const { step } = event
  const undone = step.action === 'remove' ? removedId(step.id) : null
  if (undone !== null) return drop(draft, step.node ?? LEDGER_ADMIN, undone)
  if (step.kind === 'release' && step.node !== null) {
    const gone = draft.nodes[step.node]
    delete draft.nodes[step.node]
    if (gone !== undefined) forgetLostRoles(draft, gone)
    return
  }
  const before = nodeOf(draft, event)
  if (step.kind === 'install' || isErase(step)) setVoided(draft, without(draft.voided ?? {}, before.node))
  const entry: LedgerEntry = {
    digest: step.digest,
    inputs: event.inputs,
    ...(event.told === null ? {} : { told: event.told }),
    once: step.once,
    commit: event.commit,
    time: event.time,
    provides: event.provides,
    ...(event.facts === undefined ? {} : { facts: event.facts }),
    sealed: event.sealed,
    step,
  }
  Object.assign(draft.values, event.values)
  const attempted = without(before.attempted, step.id)
  if (step.kind === 'install' && event.incarnation !== null) {
    const kept = Object.fromEntries(Object.entries(attempted).filter(([id]) => before.steps[id] !== undefined && outlives(before.steps[id])))
    const { erased: _ended, ...installed } = before
    put(draft, protectedAs(event.protect, { ...installed, machine: event.machine, incarnation: event.incarnation, attempted: kept, steps: { ...outliving(before, step.id), [step.id]: entry } }))
    forgetLostRoles(draft, before)
    return
  }
  // The machine that a node is installed on stays its machine until an install on another one is sent.
  const machine = before.incarnation === null ? (event.machine ?? before.machine) : before.machine
  put(draft, protectedAs(event.protect, { ...before, machine, attempted, steps: { ...before.steps, [step.id]: entry } }))
  const role = boundRole(step)
  if (role !== null && (event.founder === null || event.founder === step.node)) draft.roles[role] = { bootstrapped: true }
}

function protectedAs(protect: string | null, node: LedgerNode): LedgerNode {
  const { protect: _before, ...rest } = node
  return { ...rest, ...(protect === null ? {} : { protect }) }
}

function drop(draft: LedgerDraft, name: string, step: string): void {
  const before = draft.nodes[name]
  if (before === undefined) return
  put(draft, { ...before, attempted: without(before.attempted, step), steps: without(before.steps, step) })
  forgetLostRoles(draft, before)
}

function nodeOf(draft: LedgerDraft, { step, index }: Pick<StepSent, 'step' | 'index'>): LedgerNode {
  const node = step.node ?? LEDGER_ADMIN
  const before = draft.nodes[node] ?? { version: 1, node, machine: null, incarnation: null, attempted: {}, steps: {} }
  return index === null ? before : { ...before, index }
}

/** What an unfinished install took away is forgotten: no node on which one is unfinished gets another name. */
function renamed(draft: LedgerDraft, names: Renames): void {
  const { nodes, values } = renameLedger(draft, names)
  for (const name of Object.keys(draft.nodes)) if (!Object.hasOwn(nodes, name)) delete draft.nodes[name]
  for (const name of names.keys()) setVoided(draft, without(draft.voided ?? {}, name))
  Object.assign(draft.nodes, nodes)
  Object.assign(draft.values, values)
}

function put(draft: LedgerDraft, node: LedgerNode): void {
  draft.nodes[node.node] = node
}

function outlives(entry: LedgerEntry): boolean {
  return outlivesInstallation(entry.step)
}

function outliving(node: LedgerNode, except: string): LedgerNode['steps'] {
  return Object.fromEntries(Object.entries(node.steps).filter(([id, entry]) => id !== except && outlives(entry)))
}

function without<T>(from: { readonly [key: string]: T }, key: string): { readonly [key: string]: T } {
  return Object.fromEntries(Object.entries(from).filter(([name]) => name !== key))
}
