import { byCodePoint, digestLarge } from '../../schemas/canonical.ts'
import type { Cause, Change, Changes } from '../../schemas/changes.ts'
import type { Consequence } from '../../schemas/documents/words.ts'
import { isAdminMachine } from '../../schemas/incarnation.ts'
import { isErase, nodeErasedBy } from '../../schemas/operation.ts'
import type { Ledger, LedgerNode } from '../../schemas/ledger.ts'
import { own } from '../../schemas/own.ts'
import { renameLedger } from '../../schemas/rename-ledger.ts'
import { renamesOf } from '../../schemas/renames.ts'
import type { Missing, Need, Plan, Step } from '../../schemas/plan.ts'
import { stepTargets } from '../../schemas/step-targets.ts'
import { stepDocument, stepValues } from '../../schemas/step-values.ts'
import type { Json } from '../../schemas/shape.ts'
import { foldNames } from '../print/fold-names.ts'
import { becameAdmin } from './became-admin.ts'
import { withoutFounders } from './founder-needs.ts'
import { actionOf, dueOperations, erasedNodes } from './operations.ts'
import { overridesOf } from './overrides.ts'
import { needsThrough } from './needs-through.ts'
import { movedSince, readdressed } from './readdressed.ts'
import { renamedNodes, renameViolations } from './renamed.ts'
import { NO_DOCUMENT, releases, removals } from './removals.ts'
import type { Removal } from './removals.ts'
import { sharedDisks } from './shared-disks.ts'
import { rotation } from './shown-value.ts'
import { knots, rolloutsOf } from './rollouts.ts'
import { standing } from './standing.ts'
import type { Verdict } from './standing.ts'
import { stepChange } from './step-change.ts'
import type { BareChange } from './step-change.ts'

/** What the pure comparison cannot know by itself. */
export interface ChangeOptions {
  /** What the ledger is, when it is not the applied one: a plan or a commit, see ledgerOfPlan(). */
  readonly base?: Changes['base']
  /**
   * file:line:column of what set a value of a step (dotted path, part first; null: the step itself); null when unknown.
   * `rotated`: the secret whose version is all that differs.
   */
  readonly at?: (step: string, path: string | null, rotated?: string) => string | null
}

/**
 * What leads from a ledger to a plan: removals (dependants first), releases, and the steps of the plan that have to run,
 * in plan order, then those of operations (operations.ts). Waves: rollouts.ts. Pure; the same two give the same bytes.
 *
 * Steps are the plan's own, but for needs that only a comparison can know: what runs on a node waits for that node's
 * removals, an install waits for the release of the node that had the machine, and what comes after a step that stands
 * comes after what that one comes after (needs-through.ts); no member waits for the founder of a cluster that stands. A step whose only difference may be
 * a value that another changed step will tell is in the list with `certain: false`: when its document, resolved at
 * dispatch, has the digest that the ledger has as `inputs`, it stands and must not run.
 *
 * `protect` counts when the plan has it or the base had it: the ledger keeps it until a step of the node has succeeded
 * under a plan without it, and its discover step, whose document says it, is one. So what protects a node is taken away
 * by one change and the node is wiped by another.
 *
 * An install on a machine that the base has for another node of the plan says so (`heldBy`) and must not run: that node
 * has to leave it first, by changes of its own. One that left the site is released first, in the same changes. What
 * installs a node or erases its disks says which of them are not in its machine any more (`lacks`), and must not run.
 *
 * Nodes that have another name in the plan (`moved`) are compared as if what ran on them had run under it: so a rename by
 * itself runs nothing but what mentions the name. It is told apart (`renamed`), and comes before all changes.
 *
 * An installed node whose addresses the plan has otherwise is a violation (readdressed.ts), and so is a rename that
 * cannot be carried out (renamed.ts), or an admin node that the base has on a machine (became-admin.ts), and one disk under two nodes (shared-disks.ts). Policies are judged over the result by whoever has them.
 */
export function change(applied: Ledger, planned: Plan, options: ChangeOptions = {}): Changes {
  const renames = renamesOf(applied, planned)
  const base: Ledger = { ...applied, ...renameLedger(applied, renames) }
  const plan = withoutFounders(planned, base)
  const supposed = options.base?.kind === 'plan' || options.base?.kind === 'commit'
  const erased = erasedNodes(base, plan)
  const verdicts = standing(base, plan, { supposed, held: erased.held })
  const undone = removals(base, plan, verdicts)
  const released = releases(base, plan)
  const operations = dueOperations(base, plan, { verdicts, erased })
  const extra = addedNeeds({ undone, released, operations: operations.changes, plan })
  const through = needsThrough(plan, (step) => verdicts.has(step))
  const overwritten = new Set(plan.steps.flatMap((step) => (step.kind === 'install' && step.destructive && verdicts.has(step.id) ? [step.node ?? ''] : [])))
  const erasing = new Map(operations.changes.filter(({ step }) => isErase(step)).map(({ step }) => [step.node ?? '', new Set(stepTargets(step, plan.values).map(({ id }) => id))]))
  const sides = { base, plan, holders: holdersOf(base), erasing, overwritten }
  const was = new Map(undone.map(({ step, entry }) => [step.id, placeWas(entry.step)]))
  const bare: BareChange[] = [...undone.map(removalChange), ...released.map((release) => releaseChange(release, supposed))]
  for (const step of plan.steps) {
    const verdict = verdicts.get(step.id)
    if (verdict !== undefined) bare.push(stepChange(withNeeds(step, [...through(step), ...extra(step)]), verdict, sides))
  }
  for (const one of operations.changes) bare.push({ ...one, step: withNeeds(one.step, extra(one.step)) })
  const gone = disksGone(plan)
  const changes = bare.map((one) => finished(one, { base, plan, options, was, gone }))
  const rollouts = rolloutsOf(changes, plan)
  const renaming = { base, plan, renames, at: options.at }
  const result: Omit<Changes, 'id'> = {
    version: 1,
    base: options.base ?? baseOf(base),
    plan: plan.id,
    commit: plan.source.commit,
    changes,
    rollouts,
    overrides: overridesOf(changes, plan, options.at),
    moved: movedSince(base, plan),
    renamed: renamedNodes(renaming),
    ...erasedStay(base, erased.held, (node) => erased.by.has(node)),
    unchanged: plan.steps.length - verdicts.size,
    values: valuesOf(undone, base, plan),
    violations: [...renameViolations(changes, renaming), ...readdressed(base, plan, { runs: (step) => verdicts.has(step), at: options.at }), ...becameAdmin(base, plan), ...sharedDisks(changes, base, plan), ...operations.violations, ...knots(changes, rollouts)],
    // Which versions of packages are staged is nothing that a change waits for.
    missing: [...plan.missing.filter(({ what }) => what !== 'packages'), ...leftovers(base, plan), ...valuesLost(undone, base), ...tooLate(base, plan, { verdicts, held: erased.held }), ...operations.missing],
  }
  return { ...result, id: digestLarge(result) }
}

/** Nodes that were erased, or began to be, and of which nothing in these changes says that they are to be erased or installed. */
function erasedStay(base: Ledger, held: ReadonlySet<string>, goesOn: (node: string) => boolean): Pick<Changes, 'erased'> {
  const erased = [...held].toSorted(byCodePoint).flatMap((node) => {
    const step = own(base.nodes, node)?.erased?.step
    return step === undefined || goesOn(node) ? [] : [{ node, step }]
  })
  return erased.length === 0 ? {} : { erased }
}

function baseOf(ledger: Ledger): Changes['base'] {
  const { run } = ledger
  if (run !== null) return { kind: 'ledger', commit: run.commit, run: run.run, state: run.state }
  return { kind: Object.keys(ledger.nodes).length === 0 ? 'empty' : 'ledger', commit: null, run: null, state: null }
}

function holdersOf(base: Ledger): ReadonlyMap<string, readonly string[]> {
  const holders = new Map<string, readonly string[]>()
  for (const node of Object.values(base.nodes)) {
    const holds = node.incarnation !== null || Object.keys(node.attempted).some((id) => id === `install@${node.node}` || nodeErasedBy(id) !== null)
    if (node.machine !== null && holds) holders.set(node.machine, [...(holders.get(node.machine) ?? []), node.node])
  }
  return holders
}

function removalChange({ step, unfinished }: Removal): BareChange {
  const causes: Omit<Cause, 'at'>[] = [{ kind: 'removed', path: null, before: null, after: step.entry === null ? 'nothing is undone: the role has no `remove`' : null }]
  if (unfinished) causes.push({ kind: 'unfinished', path: null, before: null, after: null })
  const consequence = step.entry === null ? 'none' : step.destructive ? 'wipe' : 'remove'
  return { step, consequence, certain: true, causes, disks: [] }
}

function releaseChange({ step, node }: { readonly step: Step; readonly node: LedgerNode }, supposed: boolean): BareChange {
  // What runs on an admin node stays as it is; the ledger forgets it.
  const held = node.machine !== null ? !isAdminMachine(node.machine) : (!supposed && (Object.keys(node.steps).length > 0 || Object.keys(node.attempted).length > 0))
  const causes: Omit<Cause, 'at'>[] = [{ kind: 'removed', path: null, before: node.machine, after: null }]
  return { step, consequence: held ? 'release' : 'none', certain: true, causes, disks: [] }
}

const PROTECTED: ReadonlySet<Consequence> = new Set(['wipe', 'reinstall', 'release', 'remove'])

/** The line that bound a role which is undone, in the commit that it ran under. */
function placeWas(step: Step): string | null {
  return step.needs.find((need) => need.step.startsWith('install@') && need.at !== '')?.at ?? null
}

interface Finishing {
  readonly base: Ledger
  readonly plan: Plan
  readonly options: ChangeOptions
  /** Removal → where the site asked for what is undone. */
  readonly was: ReadonlyMap<string, string | null>
  readonly gone: ReadonlyMap<string, readonly string[]>
}

/** Node → disks that an installation of it writes, and that its machine does not have any more. */
function disksGone({ missing }: Plan): ReadonlyMap<string, readonly string[]> {
  const gone = new Map<string, string[]>()
  for (const { for: whom, disk } of missing) {
    if (disk === undefined) continue
    const node = whom.slice('node/'.length)
    gone.set(node, [...(gone.get(node) ?? []), disk])
  }
  return gone
}

function finished(one: BareChange, { base, plan, options, was, gone }: Finishing): Change {
  const { step } = one
  const node = step.node === null ? undefined : own(plan.nodes, step.node)
  const causes = one.causes.map((cause) => {
    const at = options.at?.(step.id, cause.path, rotation(cause.before, cause.after)?.secret) ?? null
    // A node's lifecycle is asked for where the node is written.
    return { ...cause, at: at ?? (cause.kind === 'removed' ? (was.get(step.id) ?? null) : cause.kind === 'operation' ? placeOfOperation(plan, cause.path) : step.kind === 'install' || step.kind === 'discover' ? (node?.at ?? null) : null) }
  })
  let protectedBy: string | null = null
  if (PROTECTED.has(one.consequence) && step.node !== null) {
    const past = own(base.nodes, step.node)
    // Where nothing is installed there is nothing to protect; disks that are not blank still need an approval.
    const first = step.kind === 'install' && (past === undefined || past.incarnation === null)
    if (!first) protectedBy = node?.protect === true ? (options.at?.(`discover@${step.node}`, 'protect') ?? node.at) : (past?.protect ?? null)
  }
  const disks = one.disks.map((disk) => {
    const at = options.at?.(step.id, `disk:${disk.id}`) ?? null
    return at === null ? disk : { ...disk, at }
  })
  const lacks = step.destructive && (step.kind === 'install' || isErase(step)) ? gone.get(step.node ?? '') : undefined
  return { ...one, causes, disks, needsApproval: one.consequence === 'wipe', protectedBy, ...(lacks === undefined ? {} : { lacks }) }
}

function placeOfOperation(plan: Plan, name: string | null): string | null {
  return plan.operations.find((operation) => operation.name === name)?.at ?? null
}

function withNeeds(step: Step, needs: readonly Need[]): Step {
  return needs.length === 0 ? step : { ...step, needs: [...step.needs, ...needs] }
}

interface Beside {
  readonly undone: readonly Removal[]
  readonly released: readonly { readonly step: Step; readonly node: LedgerNode }[]
  readonly operations: readonly BareChange[]
  readonly plan: Plan
}

/** Needs that only a comparison can know, by step. */
function addedNeeds({ undone, released, operations, plan }: Beside): (step: Step) => readonly Need[] {
  const onNode = new Map<string, Need[]>()
  for (const { step } of undone) {
    const name = step.node ?? ''
    onNode.set(name, [...(onNode.get(name) ?? []), { step: step.id, kind: 'lifecycle', at: '' }])
  }
  const freeing = new Map<string, Need>()
  for (const { step, node } of released) if (node.machine !== null) freeing.set(node.machine, { step: step.id, kind: 'lifecycle', at: '' })
  // What an operation does before it installs a node again, such as draining it, comes before the installation.
  const before = new Map<string, Need[]>()
  for (const { step } of operations) {
    if (actionOf(step) !== 'reinstall') continue
    const fences = step.needs.filter((need) => need.step.startsWith('operation/'))
    if (fences.length > 0) before.set(`install@${step.node ?? ''}`, fences)
  }
  return (step) => {
    if (step.node === null) return []
    if (step.kind === 'operation' && before.has(`install@${step.node}`)) return []
    const needs = step.kind === 'discover' ? [] : (onNode.get(step.node) ?? [])
    const machine = own(plan.nodes, step.node)?.machine ?? null
    const release = step.kind === 'install' || step.kind === 'hardware' || step.kind === 'discover' || step.runsOn === 'discovery' ? freeing.get(machine ?? '') : undefined
    return [...needs, ...(release === undefined ? [] : [release]), ...(before.get(step.runsOn === 'discovery' ? `install@${step.node}` : step.id) ?? [])]
  }
}

/** What the removals refer to and the plan does not carry. */
function valuesOf(undone: readonly Removal[], base: Ledger, plan: Plan): Changes['values'] {
  const values: { [digest: string]: Json } = {}
  for (const { step } of undone) {
    const own = step.attributes === NO_DOCUMENT.digest ? { [NO_DOCUMENT.digest]: NO_DOCUMENT.value } : stepValues(step, base)
    for (const [key, value] of Object.entries(own)) {
      if (!Object.hasOwn(plan.values, key) && !Object.hasOwn(plan.contents, key)) values[key] = value
    }
  }
  return values
}

/** Steps that were sent, never succeeded and are not wanted any more: what they left behind nobody knows how to undo. */
function leftovers(base: Ledger, plan: Plan): readonly Missing[] {
  let planned: ReadonlySet<string> | undefined
  const missing: Missing[] = []
  for (const node of Object.values(base.nodes)) {
    if (!Object.hasOwn(plan.nodes, node.node)) continue
    for (const id of Object.keys(node.attempted)) {
      planned ??= new Set(plan.steps.map((step) => step.id))
      if (planned.has(id) || Object.hasOwn(node.steps, id)) continue
      missing.push({ what: 'how to undo it', for: id, because: 'it was started, did not succeed and is no longer in the site' })
    }
  }
  return missing
}

/** Removals that cannot run: the ledger does not have everything that the role was given. */
function valuesLost(undone: readonly Removal[], base: Ledger): readonly Missing[] {
  return undone.flatMap(({ step }) => {
    const lost = step.entry !== null && (stepDocument(step, base.values) === null || (step.content !== null && base.values[step.content] === undefined))
    return lost ? [{ what: 'how to undo it', for: step.id, because: 'what it was given is not in the ledger any more' }] : []
  })
}

/** Roles of the discovery image that have not run on nodes which are installed already: they do before the next installation. */
function tooLate(base: Ledger, plan: Plan, { verdicts, held }: { readonly verdicts: ReadonlyMap<string, Verdict>; readonly held: ReadonlySet<string> }): readonly Missing[] {
  const nodes = new Map<string, string[]>()
  for (const step of plan.steps) {
    if (step.runsOn !== 'discovery' || step.node === null || held.has(step.node) || verdicts.has(step.id) || own(own(base.nodes, step.node)?.steps, step.id) !== undefined) continue
    const role = `${step.deployment}/${step.role}`
    nodes.set(role, [...(nodes.get(role) ?? []), step.node])
  }
  return [...nodes].map(([role, names]) => ({ what: 'a run in the discovery image', for: `${role} on ${foldNames(names)}`, because: 'installed already: it runs before the next installation there' }))
}
