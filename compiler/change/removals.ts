import { byCodePoint, digest } from '../../schemas/canonical.ts'
import { LEDGER_ADMIN } from '../../schemas/ledger.ts'
import type { Ledger, LedgerEntry, LedgerNode } from '../../schemas/ledger.ts'
import type { Need, Plan, Step } from '../../schemas/plan.ts'
import { removalId } from '../../schemas/removal-id.ts'
import { stepDigest } from '../../schemas/step-digest.ts'
import type { Verdict } from './standing.ts'

/** A role step of the ledger that the plan no longer has, and the step that undoes it. */
export interface Removal {
  readonly step: Step
  readonly entry: LedgerEntry
  /** The removal was sent before and did not end well. */
  readonly unfinished: boolean
}

/** The document of a removal that runs nothing. */
export const NO_DOCUMENT = { value: { parts: {} }, digest: digest({ parts: {} }) } as const

/**
 * The removals that lead from a ledger to a plan, dependants before what they needed.
 *
 * Only role steps are undone, and only on a machine that goes on being the same installation of the same node: what a
 * new installation overwrites needs no removal, and a node that left the plan is released instead. A removal step is
 * the ledger's own step with action `remove`, its own values and content, and its declared `remove` as entry. Where the
 * role declares none, nothing is undone: the step has no entry, the jig `noop` and an empty document, and is there only
 * so that the ledger forgets the role when it has passed. The ledger entry of removedId(step.id) goes when a removal is
 * done.
 */
export function removals(base: Ledger, plan: Plan, verdicts: ReadonlyMap<string, Verdict>): readonly Removal[] {
  const planned = new Map(plan.steps.map((step) => [step.id, step]))
  const found = new Map<string, Removal>()
  for (const [, node] of entriesByName(base.nodes)) {
    if (!staysInstalled(node, { plan, verdicts, planned })) continue
    for (const [id, entry] of entriesByName(node.steps)) {
      if (entry.step.kind !== 'role' || entry.step.action !== 'run' || planned.has(id)) continue
      found.set(id, { step: removalStep(entry.step, node), entry, unfinished: Object.hasOwn(node.attempted, id) })
    }
  }
  return inReverse(found, base)
}

/** The steps that let go of nodes which the plan no longer has. Releasing by itself writes no disk. */
export function releases(base: Ledger, plan: Plan): readonly { readonly step: Step; readonly node: LedgerNode }[] {
  return entriesByName(base.nodes)
    .filter(([name]) => name !== LEDGER_ADMIN && !Object.hasOwn(plan.nodes, name))
    .map(([name, node]) => ({ step: releaseStep(name), node }))
}

interface Planned {
  readonly plan: Plan
  readonly planned: ReadonlyMap<string, Step>
  readonly verdicts: ReadonlyMap<string, Verdict>
}

function staysInstalled(node: LedgerNode, { plan, planned, verdicts }: Planned): boolean {
  if (node.node === LEDGER_ADMIN) return true
  const now = Object.hasOwn(plan.nodes, node.node) ? plan.nodes[node.node] : undefined
  if (now?.admin === true) return true
  if (now === undefined || now.machine !== node.machine) return false
  const install = planned.get(`install@${node.node}`)
  return install === undefined || !install.destructive || !verdicts.has(install.id)
}

function removalStep(step: Step, node: LedgerNode): Step {
  const deletesData = step.removal !== null && step.removal.deletesData
  const undo: Step = {
    ...step,
    id: removalId(step.id),
    action: 'remove',
    runsOn: 'node',
    entry: step.removal?.entry ?? null,
    ...(step.removal === null ? { jig: 'noop', content: null, attributes: NO_DOCUMENT.digest } : {}),
    artifacts: [],
    packages: [],
    provides: {},
    needs: [],
    once: deletesData ? digest({ remove: step.digest, incarnation: node.incarnation }) : null,
    destructive: deletesData,
    retries: deletesData ? { max: 0, backoff: 0 } : step.retries,
    cohort: 0,
  }
  return { ...undo, digest: stepDigest(undo) }
}

function releaseStep(name: string): Step {
  const step: Step = {
    id: `release@${name}`,
    kind: 'release',
    action: 'run',
    node: name,
    runsOn: 'admin',
    deployment: null,
    role: null,
    barclamp: null,
    content: null,
    jig: null,
    entry: null,
    attributes: null,
    artifacts: [],
    packages: [],
    provides: {},
    needs: [],
    once: null,
    destructive: false,
    timeout: 600,
    retries: { max: 0, backoff: 0 },
    onChange: {},
    removal: null,
    entries: {},
    cohort: 0,
    digest: '',
  }
  return { ...step, digest: stepDigest(step) }
}

/**
 * Gives each removal its needs and puts them in an order: a step is undone after the steps that needed it. Entries of
 * one ledger may come from different commits and need each other in a circle; then the first by id goes first.
 */
function inReverse(found: ReadonlyMap<string, Removal>, base: Ledger): readonly Removal[] {
  const needed = removedNeeds(found, base)
  const dependants = new Map<string, Need[]>()
  for (const [id, needs] of needed) {
    for (const need of needs) dependants.set(need.step, [...(dependants.get(need.step) ?? []), { step: id, kind: need.kind, at: need.at }])
  }
  const done = new Map<string, Removal>()
  const waiting = new Set([...found.keys()].toSorted(byCodePoint))
  while (waiting.size > 0) {
    const free = [...waiting].filter((id) => (dependants.get(id) ?? []).every((need) => done.has(need.step)))
    const next = free.length > 0 ? free : [...waiting].slice(0, 1)
    const level = next.map((id) => ordered(found.get(id) as Removal, dependants.get(id) ?? [], done))
    for (const [index, id] of next.entries()) {
      waiting.delete(id)
      done.set(id, level[index] as Removal)
    }
  }
  return [...done.values()]
}

function ordered(removal: Removal, after: readonly Need[], done: ReadonlyMap<string, Removal>): Removal {
  const needs: Need[] = []
  let cohort = 0
  for (const need of after.toSorted((a, b) => byCodePoint(a.step, b.step))) {
    const before = done.get(need.step)
    if (before === undefined) continue
    needs.push({ ...need, step: before.step.id })
    cohort = Math.max(cohort, before.step.cohort + 1)
  }
  return { ...removal, step: { ...removal.step, needs, cohort } }
}

/** For each removed step the removed steps that it needed, also through barriers and steps that stay. */
function removedNeeds(found: ReadonlyMap<string, Removal>, base: Ledger): ReadonlyMap<string, readonly Need[]> {
  const steps = new Map<string, Step>()
  for (const node of Object.values(base.nodes)) for (const entry of Object.values(node.steps)) steps.set(entry.step.id, entry.step)
  const needs = new Map<string, readonly Need[]>()
  for (const [id, removal] of found) {
    const nearest = new Map<string, Need>()
    const seen = new Set([id])
    // Members leave each by itself: one that is lost must not keep the founder.
    const open = removal.entry.step.needs.filter((need) => need.kind !== 'founder')
    for (let need = open.pop(); need !== undefined; need = open.pop()) {
      if (seen.has(need.step)) continue
      seen.add(need.step)
      if (found.has(need.step)) nearest.set(need.step, need)
      else open.push(...(steps.get(need.step)?.needs ?? []))
    }
    needs.set(id, [...nearest.values()])
  }
  return needs
}

function entriesByName<T>(from: { readonly [name: string]: T }): readonly (readonly [string, T])[] {
  return Object.entries(from).toSorted(([a], [b]) => byCodePoint(a, b))
}
