import { everyDisk, mayWriteAnyDisk } from '../../schemas/approval.ts'
import type { Change } from '../../schemas/changes.ts'
import type { Consequence } from '../../schemas/documents/words.ts'
import type { Ledger } from '../../schemas/ledger.ts'
import { own } from '../../schemas/own.ts'
import type { Plan, Step } from '../../schemas/plan.ts'
import { artifactCauses, attributeCauses, contentCauses, entryCauses } from './causes.ts'
import type { BareCause } from './causes.ts'
import { packageCauses } from './package-causes.ts'
import { roleConsequence, worse } from './consequence.ts'
import type { Classed } from './consequence.ts'
import { documentDiff } from './document-diff.ts'
import { installCauses, installConsequence, diskFates, installDocument } from './install-change.ts'
import { shownValue } from './shown-value.ts'
import type { Verdict } from './standing.ts'

/** A change before its causes are placed in the site's files and protection is judged. */
export type BareChange = Omit<Change, 'causes' | 'needsApproval' | 'protectedBy'> & { readonly causes: readonly BareCause[] }

/** The two sides of a comparison. */
export interface Sides {
  readonly base: Ledger
  readonly plan: Plan
  /** Machine → the nodes that the base has installed on it, or began to: one, unless the base is at odds with itself. */
  readonly holders: ReadonlyMap<string, readonly string[]>
  /** Node → disks that an operation erases before the node is installed again. */
  readonly erasing: ReadonlyMap<string, ReadonlySet<string>>
  /** Nodes whose system is written anew, and not taken over as it is. */
  readonly overwritten: ReadonlySet<string>
}

/** A step of the plan that has to run: why, and what that does. */
export function stepChange(step: Step, verdict: Verdict, sides: Sides): BareChange {
  if (step.kind === 'install') return installChange(step, verdict, sides)
  if (step.kind === 'role') return roleChange(step, verdict, sides)
  if (step.kind === 'stage') return stageChange(step, verdict, sides)
  const causes = commonCauses(step, verdict, sides)
  return { step, ...plainConsequence(step), causes: orOther(causes), disks: [] }
}

/** Packages by their versions; where one side has none, that they are locked now or are not any more. */
function stageChange(step: Step, { entry, attempted }: Verdict, { base, plan }: Sides): BareChange {
  const causes = [...entryCauses(entry, attempted)]
  if (entry !== null) {
    const packages = packageCauses(entry.step, step, { before: base.values, after: plan.values })
    const locked = (attributes: string | null): string => (attributes === null ? 'not locked' : 'locked')
    if (packages !== null) causes.push(...packages)
    else if (entry.step.attributes !== step.attributes) causes.push({ kind: 'packages', path: null, before: locked(entry.step.attributes), after: locked(step.attributes) })
  }
  return { step, ...plainConsequence(step), causes: orOther(causes), disks: [] }
}

const NO_DISKS: ReadonlySet<string> = new Set()

function installChange(step: Step, verdict: Verdict, { base, plan, holders, erasing }: Sides): BareChange {
  const install = installDocument(step, plan.values)
  const machine = install?.machine ?? (step.node === null ? null : (own(plan.nodes, step.node)?.machine ?? null))
  const seen = machine !== null && Object.hasOwn(base.machines, machine) ? (base.machines[machine]?.disks ?? null) : null
  const before = verdict.entry === null ? null : installDocument(verdict.entry.step, base.values)
  const causes = [...entryCauses(verdict.entry, verdict.attempted), ...installCauses(before, install)]
  if (machine === null) causes.push({ kind: 'machine', path: 'claim', before: null, after: own(plan.nodes, step.node ?? '')?.selector ?? null })
  const others = machine === null ? [] : (holders.get(machine) ?? []).filter((holder) => holder !== step.node)
  for (const holder of others) causes.push({ kind: 'machine', path: 'node', before: holder, after: step.node })
  const staying = others.find((holder) => Object.hasOwn(plan.nodes, holder))
  return { step, ...(staying === undefined ? {} : { heldBy: staying }), ...installConsequence(step, install, { seen, attempted: verdict.attempted, erased: erasing.get(step.node ?? '') ?? NO_DISKS }), causes: orOther(causes), disks: diskFates(step.destructive || install?.method === 'image' ? (install?.targets ?? []) : [], seen ?? []) }
}

function roleChange(step: Step, verdict: Verdict, sides: Sides): BareChange {
  const { entry, onlyIfToldOtherwise } = verdict
  // What ran on another machine says nothing about what this one holds, and what was begun goes with its installation.
  const moved = verdict.reinstalled && machineDiffers(step, sides)
  const past = moved ? null : entry
  const attempted = moved || (verdict.reinstalled && sides.overwritten.has(step.node ?? '')) ? null : verdict.attempted
  const untold = entry === null ? [] : verdict.untold
  const causes = [...commonCauses(step, verdict, sides)]
  for (const { path, value } of untold) causes.push({ kind: 'wants', path, before: null, after: shownValue(value) })
  const classed = roleConsequence({
    step,
    past: past?.step ?? null,
    attempted,
    differences: past === null ? [] : documentDiff(past.step, sides.base.values, step, sides.plan.values),
    contentDiffers: past !== null && (past.step.content !== step.content || artifactCauses(past.step, step).length > 0),
    untold: untold.map((leaf) => leaf.path),
    onlyIfToldOtherwise,
  })
  return { step, ...classed, causes: orOther(causes), disks: classed.consequence === 'wipe' && mayWriteAnyDisk(step) ? disksAtStake(step, sides) : [] }
}

/** Of a machine whose disks may all be written. */
function disksAtStake(step: Step, { base, plan }: Sides): BareChange['disks'] {
  const machine = own(plan.nodes, step.node ?? '')?.machine ?? null
  const seen = machine === null ? [] : (own(base.machines, machine)?.disks ?? [])
  return diskFates(everyDisk(seen), seen)
}

function machineDiffers(step: Step, { base, plan }: Sides): boolean {
  const node = step.node ?? ''
  return own(base.nodes, node)?.machine !== own(plan.nodes, node)?.machine
}

function commonCauses(step: Step, verdict: Verdict, { base, plan }: Sides): readonly BareCause[] {
  const { entry, attempted } = verdict
  const causes = entryCauses(entry, attempted).filter((cause) => !verdict.reinstalled || cause.kind !== 'new')
  if (verdict.reinstalled) {
    causes.push({ kind: 'reinstalled', path: null, before: null, after: `install@${step.node ?? ''}` })
  }
  if (entry === null) return causes
  const differences = documentDiff(entry.step, base.values, step, plan.values)
  if (differences === null) causes.push({ kind: 'other', path: null, before: null, after: 'its attributes cannot be compared: they are not all known' })
  causes.push(...attributeCauses(differences ?? []))
  causes.push(...contentCauses(entry.step, step, { before: base.values, after: plan.contents }))
  causes.push(...artifactCauses(entry.step, step))
  return causes
}

function orOther(causes: readonly BareCause[]): readonly BareCause[] {
  return causes.length > 0 ? causes : [{ kind: 'other', path: null, before: null, after: null }]
}

/** Kinds whose consequence does not depend on what differs. */
function plainConsequence(step: Step): Classed {
  const table: { readonly [kind in Step['kind']]: Consequence } = {
    discover: 'none',
    stage: 'none',
    barrier: 'none',
    gate: 'none',
    packages: 'restart',
    network: 'network',
    power: 'reboot',
    hardware: 'wipe',
    operation: 'reboot',
    release: 'release',
    install: 'wipe',
    role: 'run',
  }
  return { consequence: step.destructive ? worse('wipe', table[step.kind]) : table[step.kind], certain: true }
}
