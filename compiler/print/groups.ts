import { approvalKey } from '../../schemas/approval.ts'
import { byCodePoint, canonical } from '../../schemas/canonical.ts'
import type { Cause, Change, Changes } from '../../schemas/changes.ts'
import { CONSEQUENCES } from '../../schemas/documents/words.ts'
import type { Consequence } from '../../schemas/documents/words.ts'
import { operationOf } from '../change/operations.ts'
import { isErase } from '../../schemas/operation.ts'
import { removedId } from '../../schemas/removal-id.ts'
import type { Plan } from '../../schemas/plan.ts'

/** What happens to a change when nobody does anything more. */
export type Permission = 'goes' | 'needs approval' | 'approve later' | 'protected' | 'held' | 'lacks a disk'

/** Changes that a reviewer reads as one: the same consequence, of the same work, on many nodes. */
export interface ChangeGroup {
  readonly consequence: Consequence
  readonly certain: boolean
  readonly kind: 'install' | 'release' | 'removal' | 'role' | 'operation' | 'other'
  /** `deployment/role`, `operation/<name>`; of other kinds the kind. */
  readonly subject: string
  readonly permission: Permission
  /** Installs of nodes that have no machine yet. */
  readonly unclaimed: boolean
  /** A check after each wave holds back the next one: whoever wrote that minds what happens there. */
  readonly gated: boolean
  readonly variants: readonly Variant[]
}

/** Changes of a group for exactly the same causes. */
export interface Variant {
  readonly causes: readonly Cause[]
  readonly changes: readonly Change[]
  /** Nodes that get the same with their new installation. */
  readonly atInstall: readonly string[]
}

/** Changes as a reviewer reads them. */
export interface Grouped {
  /** Worst first, what is certain before what may be, what a gate watches before the rest; most nodes first. */
  readonly groups: readonly ChangeGroup[]
  /** Node → how many roles run again only because it is installed anew. */
  readonly following: ReadonlyMap<string, number>
  /** Work on no node, or that leaves no trace there: what, and how often. */
  readonly quiet: readonly { readonly kind: QuietKind; readonly names: readonly string[] }[]
}

type QuietKind = 'stage' | 'discover' | 'barrier' | 'gate' | 'protect' | 'unprotect'

/** Groups changes for printing: removals, releases, installs, roles; what an install brings along is counted with it. */
export function groupChanges(changes: Changes): Grouped {
  const anew = new Set(changes.changes.filter((one) => one.step.kind === 'install').map((one) => one.step.node ?? ''))
  const following = new Map<string, number>()
  const brought = new Map<string, string[]>()
  const quiet = new Map<QuietKind, string[]>()
  const worst = worstOfOperations(changes)
  const watched = new Set(changes.rollouts.flatMap(({ gate, steps }) => (gate === null ? [] : steps)))
  const strictest = strictestOfOperations(changes)
  const groups = new Map<string, { readonly head: Omit<ChangeGroup, 'variants' | 'gated'>; readonly changes: Change[] }>()
  for (const one of changes.changes) {
    const { step } = one
    if (step.kind === 'stage' || step.kind === 'discover' || step.kind === 'barrier' || step.kind === 'gate') {
      const kind = quietKind(step.kind, one)
      const names = quiet.get(kind) ?? []
      quiet.set(kind, names)
      names.push(step.node ?? step.id.slice(step.id.indexOf('/') + 1))
      continue
    }
    if (one.consequence !== 'wipe' && anew.has(step.node ?? '') && one.causes.some((cause) => cause.kind === 'reinstalled')) {
      following.set(step.node ?? '', (following.get(step.node ?? '') ?? 0) + (step.kind === 'role' ? 1 : 0))
      const key = `${subjectOf(one)} ${causeKey(one)}`
      brought.set(key, [...(brought.get(key) ?? []), step.node ?? ''])
      continue
    }
    const head = headOf(one, { worst, strictest })
    const key = canonical({ ...head })
    const group = groups.get(key)
    if (group === undefined) groups.set(key, { head, changes: [one] })
    else group.changes.push(one)
  }
  const list = [...groups.values()].map((group): ChangeGroup => ({ ...group.head, gated: group.changes.some(({ step }) => watched.has(step.id)), variants: variantsOf(group.changes, brought) }))
  return { groups: list.toSorted(worstFirst), following, quiet: [...quiet].map(([kind, names]) => ({ kind, names })) }
}

/** The actions of an operation are told together, as the worst of them. */
function worstOfOperations(changes: Changes): ReadonlyMap<string, Consequence> {
  const worst = new Map<string, Consequence>()
  for (const { step, consequence } of changes.changes) {
    const name = operationOf(step)
    const known = name === null ? undefined : worst.get(name)
    if (name !== null && (known === undefined || CONSEQUENCES.indexOf(consequence) < CONSEQUENCES.indexOf(known))) worst.set(name, consequence)
  }
  return worst
}

const STRICT: readonly Permission[] = ['protected', 'held', 'lacks a disk', 'approve later', 'needs approval', 'goes']

/** What the whole of an operation waits for on a node: operation and node → the change that says so. */
function strictestOfOperations(changes: Changes): ReadonlyMap<string, Change> {
  const found = new Map<string, Change>()
  for (const one of changes.changes) {
    const name = operationOf(one.step)
    const key = `${name} ${one.step.node}`
    const known = found.get(key)
    if (name !== null && (known === undefined || STRICT.indexOf(permissionOf(one)) < STRICT.indexOf(permissionOf(known)))) found.set(key, one)
  }
  return found
}

/** A node that is discovered again only because of its `protect` is found already. */
function quietKind(kind: 'stage' | 'discover' | 'barrier' | 'gate', { causes }: Change): QuietKind {
  const [cause] = causes
  if (kind !== 'discover' || causes.length !== 1 || cause?.path !== 'protect') return kind
  return cause.after === true ? 'protect' : 'unprotect'
}

/** The nodes of a group, in its order. */
export function nodesOf(group: ChangeGroup): readonly string[] {
  return [...new Set(group.variants.flatMap((variant) => variant.changes.map((one) => one.step.node ?? 'the admin node')))]
}

/** What a change waits for, or whether it is refused. */
export function permissionOf(one: Change): Permission {
  if (one.protectedBy !== null) return 'protected'
  if (one.heldBy !== undefined) return 'held'
  if (one.lacks !== undefined) return 'lacks a disk'
  if (!one.needsApproval) return 'goes'
  const seen = (one.step.kind !== 'install' && !isErase(one.step)) || one.disks.some((disk) => disk.fate === 'wiped')
  const known = one.disks.every((disk) => disk.fate === 'kept' || disk.signature !== null)
  return approvalKey(one.step) !== null && seen && known ? 'needs approval' : 'approve later'
}

/** How many steps the changes leave alone, and the nodes that nothing happens on. */
export function untouched(changes: Changes, plan: Plan): { readonly steps: number; readonly nodes: readonly string[] } {
  const touched = new Set([...changes.changes.filter((one) => one.consequence !== 'none').map((one) => one.step.node), ...changes.renamed.map(({ to }) => to)])
  return { steps: changes.unchanged, nodes: Object.keys(plan.nodes).filter((name) => !touched.has(name)) }
}

function headOf(one: Change, { worst, strictest }: { readonly worst: ReadonlyMap<string, Consequence>; readonly strictest: ReadonlyMap<string, Change> }): Omit<ChangeGroup, 'variants' | 'gated'> {
  const { step, consequence, certain } = one
  const permission = permissionOf(one)
  const rest = { consequence, certain, permission, unclaimed: step.kind === 'install' && step.attributes === null }
  if (step.kind === 'install' || step.kind === 'release') return { ...rest, kind: step.kind, subject: step.kind }
  const operation = operationOf(step)
  const strict = strictest.get(`${operation} ${step.node}`) ?? one
  if (operation !== null) return { ...rest, certain: strict.certain, permission: permissionOf(strict), consequence: worst.get(operation) ?? consequence, kind: 'operation', subject: `operation/${operation}` }
  if (step.kind !== 'role') return { ...rest, kind: 'other', subject: step.id.replace(/@.*$/, '') }
  const subject = subjectOf(one)
  return { ...rest, kind: removedId(step.id) === null ? 'role' : 'removal', subject }
}

function variantsOf(changes: readonly Change[], brought: ReadonlyMap<string, readonly string[]>): readonly Variant[] {
  const variants = new Map<string, { readonly causes: readonly Cause[]; readonly changes: Change[] }>()
  for (const one of changes) {
    const key = causeKey(one)
    const variant = variants.get(key)
    if (variant === undefined) variants.set(key, { causes: one.causes, changes: [one] })
    else variant.changes.push(one)
  }
  return [...variants.values()]
    .map((variant): Variant => {
      const [first] = variant.changes
      return { ...variant, atInstall: first === undefined ? [] : (brought.get(`${subjectOf(first)} ${causeKey(first)}`) ?? []) }
    })
    .toSorted((a, b) => b.changes.length - a.changes.length)
}

function subjectOf({ step }: Change): string {
  return step.kind === 'role' ? `${step.deployment ?? ''}/${step.role ?? ''}` : step.kind
}

/** Installs of one group differ in machine and disks, which are told node by node, and in where their node is written. */
function causeKey(one: Change): string {
  if (one.step.kind === 'install') return canonical(one.causes.filter((cause) => cause.kind === 'os').map(({ before, after }) => ({ before, after })))
  if (one.step.kind === 'release' || one.step.kind === 'operation') return ''
  return canonical(one.causes.filter((cause) => cause.kind !== 'reinstalled').map((cause) => ({ ...cause })))
}

function worstFirst(a: ChangeGroup, b: ChangeGroup): number {
  return (
    CONSEQUENCES.indexOf(a.consequence) - CONSEQUENCES.indexOf(b.consequence) ||
    Number(b.certain) - Number(a.certain) ||
    Number(b.gated) - Number(a.gated) ||
    nodesOf(b).length - nodesOf(a).length ||
    byCodePoint(a.subject, b.subject)
  )
}
