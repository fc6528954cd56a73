import { change } from '../../../compiler/change/change.ts'
import { compile as compileSite } from '../../../compiler/compile.ts'
import type { Compiled } from '../../../compiler/compile.ts'
import type { GitTrees } from '../../../compiler/resolve/git-source.ts'
import { lockText } from '../../../compiler/allocate/lock-text.ts'
import { readBuiltin } from '../../../compiler/cli/session.ts'
import { treeOf } from '../../../compiler/tree/tree.ts'
import type { Changes } from '../../../schemas/changes.ts'
import type { Ledger } from '../../../schemas/ledger.ts'
import type { Lock } from '../../../schemas/lock.ts'
import type { Plan, Step } from '../../../schemas/plan.ts'
import { stepDocument } from '../../../schemas/step-values.ts'
import type { InstallDocument } from '../../../schemas/install.ts'
import { EDITED_SITE } from '../../builders/edited-site.ts'
import { applied, folded, ran, wasSent } from '../../builders/ledger.ts'
import { success } from '../compiling.ts'
import type { Texts } from '../compiling.ts'

const BUILTIN = readBuiltin()

/** What a commit leaves of the site: texts by path; undefined takes a file away. The lock is the one of before. */
export type Edit = Readonly<Record<string, string | undefined>>

const known = new Map<string, ReturnType<typeof success>>()

/** The same is compiled once, however many ledgers it is held against. */
export function compiled(edit: Edit, lock: Lock | null, crowbar = '0.0.0'): ReturnType<typeof success> {
  const key = JSON.stringify([Object.entries(edit).map(([path, text]) => [path, text ?? null]), lock, crowbar])
  const found = known.get(key) ?? fresh(edit, lock, crowbar)
  known.set(key, found)
  return found
}

function fresh(edit: Edit, lock: Lock | null, crowbar: string): ReturnType<typeof success> {
  const texts: Texts = Object.fromEntries(Object.entries({ ...EDITED_SITE, ...(lock === null ? {} : { 'site.lock.json': lockText(lock) }), ...edit }).flatMap(([path, text]) => (text === undefined ? [] : [[path, text]])))
  return success(compileTexts(texts, crowbar))
}

/** A repository that has, in folders of its own, the barclamps of EDITED_SITE; another commit of it has another ntp. */
export const REPOSITORY = { url: 'https://git.example.com/ops/barclamps.git', same: 'a'.repeat(40), edited: 'b'.repeat(40) } as const
const gitTrees: GitTrees = ({ commit }) => {
  if (commit === null) return { kind: 'unpinned' }
  const files = Object.entries(EDITED_SITE).flatMap(([path, text]) => (path.startsWith('barclamps/') ? [[path.replace('barclamps/', 'all/'), text]] : []))
  const tree = treeOf({ ...(Object.fromEntries(files) as Texts), ...(commit === REPOSITORY.edited ? { 'all/ntp/run.sh': 'run it\n' } : {}) })
  return { kind: 'found', commit, tree, diagnostics: [] }
}

/** Compiles exactly these files. */
export function compileTexts(texts: Texts, crowbar = '0.0.0'): Compiled {
  return compileSite({ tree: treeOf(texts), builtin: BUILTIN, crowbar, gitTrees })
}

const first = compiled({}, null)
export const { plan: base, lock } = first
export const installOf = (plan: Plan, node: string): InstallDocument => stepDocument(step(plan, `install@${node}`), plan.values)?.['install'] as unknown as InstallDocument
export function step(plan: Plan, id: string): Step {
  const found = [...plan.steps, ...plan.operations.flatMap((operation) => operation.steps)].find((one) => one.id === id)
  if (found === undefined) throw new Error(`no step ${id}`)
  return found
}

/** The disks of the machines as they were last looked at: all are in use, but for those of `mblank`. */
export const MACHINES = ['m1', 'm2', 'm3', 'mblank', 'mused'].map((id) => ({
  id,
  seen: '2026-03-01T09:00:00.000Z',
  disks: ['a', 'b'].map((letter) => {
    const [like] = installOf(base, 'n1').targets
    const blank = id === 'mblank'
    return { id: (like?.id ?? '').replace('m1-a', `${id}-${letter}`), serial: `${id}-${letter}`, model: 'disk', bytes: like?.bytes ?? 0, blank, signature: blank ? 'blank' : `${id}-${letter} in use`, summary: blank ? 'blank' : 'gpt: ext4 /', stamp: null }
  }),
}))
export const complete = applied(base, { machines: MACHINES })
export const LEDGERS: { readonly [state: string]: Ledger } = {
  complete,
  // The first run stopped before n3 was touched.
  partial: applied(base, { machines: MACHINES, only: (one) => one.node !== 'n3' && one.id !== 'barrier/app/db' }),
  // Of n2 the installation failed half-way, of n1 the last run of a role.
  failed: folded(complete, [wasSent(step(base, 'install@n2'), base), wasSent(step(base, 'app/db@n1'), base)]),
}

export const line = (one: Changes['changes'][number]): string => `${one.certain ? '' : 'may '}${one.consequence}${one.protectedBy === null ? '' : ' (refused)'} ${one.step.id}`
/** What a reviewer has to judge: without what has no consequence, and without roles that only follow an installation. */
export const consequences = (changes: Changes): readonly string[] =>
  changes.changes.filter((one) => one.consequence !== 'none' && !(one.consequence === 'run' && one.causes.some((cause) => cause.kind === 'reinstalled'))).map(line).toSorted()

export interface Row {
  readonly edit: string
  readonly to: Edit
  readonly lock?: Lock
  readonly crowbar?: string
  readonly onto?: (ledger: Ledger) => Ledger
  /** From a ledger that is complete; from the others the same and what these leave to do, unless it says so itself. */
  readonly gives: readonly string[]
  readonly partial?: readonly string[]
  readonly failed?: readonly string[]
  /** Violations, from a ledger that is complete. */
  readonly said?: readonly string[]
}
export function changesOf(row: Row, ledger: Ledger): Changes {
  return change(row.onto?.(ledger) ?? ledger, compiled(row.to, row.lock ?? lock, row.crowbar).plan)
}

/** What is left to do when nothing was edited. */
export const LEFT: { readonly [state: string]: readonly string[] } = {
  complete: [],
  partial: ['wipe install@n3'],
  failed: ['run app/db@n1', 'wipe install@n2'],
}

export const replaced = (path: string, from: string, to: string): Edit => {
  const text = EDITED_SITE[path] ?? ''
  if (!text.includes(from)) throw new Error(`${path} has no ${from}`)
  return { [path]: text.replaceAll(from, to) }
}
export const role = (from: string, to: string): Edit => replaced('app.yaml', from, to)
export const attributes = (text: string): Edit => role('  db: { nodes: [n1, n2] }', `  db: { nodes: [n1, n2], attributes: { db: { ${text} } } }`)
export const inventory = (id: string, from: string, to: string): Edit => replaced(`inventory/${id}.json`, from, to)
export const lockOf = (more: Partial<Lock>): Lock => ({ ...lock, ...more })
export const generation = (node: string, generation: number): Lock => lockOf({ nodes: { ...lock.nodes, [node]: { index: lock.nodes[node]?.index ?? 0, ...lock.nodes[node], generation } } })
export const KERNEL = 'kind: operation\nname: kernel\ndo: [check, reboot]\nnodes: [n1, j1]\n'
export const withKernel = compiled({ 'kernel.yaml': KERNEL }, lock).plan
export const kernelRan = (ledger: Ledger): Ledger => folded(ledger, withKernel.operations.flatMap((operation) => operation.steps.flatMap((one) => ran(one, withKernel))))
/** All roles that stand in a ledger ran again under an edit; what was begun there and what is not installed stay as they are. */
export const ranUnder = (edit: Edit, locked: Lock = lock) => (ledger: Ledger): Ledger => {
  const { plan } = compiled(edit, locked)
  const again = plan.steps.filter((one) => {
    const node = ledger.nodes[one.node ?? '']
    return one.kind === 'role' && node?.incarnation !== null && node?.steps[one.id] !== undefined && node.attempted[one.id] === undefined
  })
  return folded(ledger, again.flatMap((one) => ran(one, plan)))
}
