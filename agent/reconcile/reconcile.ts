import type { Diagnostic } from '../../schemas/diagnostic.ts'
import { CompileError } from '../compile/compile.ts'
import type { CompiledSite } from '../compile/compile.ts'
import type { SiteRepository } from '../site/repository.ts'
import type { MachineRecord } from '../state/state.ts'
import { INVENTORY, inventoryFiles } from './inventory-files.ts'

/** `asOf`: the event of the log up to which the ledger was folded that its changes lead away from. */
export type Compiled = Extract<CompiledSite, { kind: 'compiled' }> & { readonly asOf?: number }

/** What the site repository and the compiler came to agree on. */
export type Reconciled =
  /** `own`: commits of the agent that were made on the way; the plan is of the last of them. `head` is what they stand on. */
  | { readonly kind: 'compiled'; readonly compiled: Compiled; readonly head: string; readonly own: readonly string[]; readonly machines: readonly string[] }
  /** The commit, or the facts on top of it, do not compile. */
  | { readonly kind: 'refused'; readonly commit: string; readonly code: string; readonly message: string; readonly diagnostics: readonly Diagnostic[] }
  /** What has to be committed before anything runs could not be pushed. */
  | { readonly kind: 'unpushed'; readonly commit: string; readonly code: string; readonly message: string }

export interface ReconcileOptions {
  readonly site: SiteRepository
  /** The commit that the plan is made of until now; null before the first. */
  readonly since: string | null
  /** A person asks for the branch as it is, also when it does not come after `since`. */
  readonly rewritten: boolean
  /** Every machine that is known. */
  readonly machines: Iterable<MachineRecord>
  /** `automation.discovery` of the site as last compiled. */
  readonly discovery: string
  readonly compile: (commit: string, signal: AbortSignal) => Promise<CompiledSite>
  readonly signal: AbortSignal
}

const TRIES = 5

/**
 * Compiles the followed branch, after committing what discovery found and the lock that follows from it, by
 * compare-and-swap: when somebody else was first it fetches, compiles again and pushes again, and never merges or forces.
 *
 * @throws {CompileError}, {SiteError} when compiler or clone do not work; the cluster stays as it is.
 */
export async function reconcile(options: ReconcileOptions): Promise<Reconciled> {
  const { site, compile, signal } = options
  for (let attempt = 1; ; attempt++) {
    const head = (attempt === 1 ? await site.head(signal) : null) ?? (await site.fetch(signal))
    if (options.since !== null && !options.rewritten && !(await site.isAncestor(options.since, head, signal))) return rewritten(head, options.since, site.branch)
    const files = options.discovery === 'off' ? new Map<string, string>() : inventoryFiles(options.machines, await site.readFiles(head, INVENTORY, signal))
    const seen = files.size === 0 ? head : await site.commitFiles({ base: head, files, message: messageFor(files) }, signal)
    const first = await compile(seen, signal)
    if (first.kind === 'refused') return refusal(first)
    const { commit, compiled } = first.lockChanged ? await lockIt(first, head, files, options) : { commit: seen, compiled: first }
    if (commit === head) return { kind: 'compiled', compiled, head, own: [], machines: [] }
    if (options.discovery === 'propose') return await offer(commit, head, options)
    const pushed = await site.push(commit, head, signal)
    if (pushed.kind === 'pushed') return { kind: 'compiled', compiled, head, own: [commit], machines: [...files.keys()].map(machineOf) }
    if (pushed.kind !== 'rejected' || attempt === TRIES) {
      return { kind: 'unpushed', commit, code: `PUSH_${pushed.kind.toUpperCase()}`, message: `inventory and lock could not be pushed, so nothing new runs: ${pushed.message}` }
    }
  }
}

/** Commits were taken away, and with them perhaps the lock that says which node is which machine: not to be followed unasked. */
function rewritten(commit: string, since: string, branch: string): Reconciled {
  const message = `the branch ${branch} was rewritten: ${commit.slice(0, 12)} does not come after ${since.slice(0, 12)}, which is in force; look at it, and "crowbar apply" takes it as it is`
  return { kind: 'refused', commit, code: 'SITE_REWRITTEN', message, diagnostics: [] }
}

/** Puts the lock that the compiler asks for on top of the head, together with the inventory, and compiles that. */
async function lockIt(first: Compiled, head: string, files: ReadonlyMap<string, string>, { site, compile, signal }: ReconcileOptions): Promise<{ commit: string; compiled: Compiled }> {
  const all = new Map([...files, ['site.lock.json', first.lockText]])
  const commit = await site.commitFiles({ base: head, files: all, message: messageFor(all) }, signal)
  const compiled = await compile(commit, signal)
  if (compiled.kind === 'refused' || compiled.lockChanged) throw new CompileError('COMPILER_FAILED', `the compiler does not keep its own lock at ${commit}: this is a bug`)
  return { commit, compiled }
}

/** Leaves what was found for people to merge; until they do, the site is as it was. */
async function offer(commit: string, head: string, { site, compile, signal }: ReconcileOptions): Promise<Reconciled> {
  const proposed = await site.propose(commit, signal)
  if (proposed.kind !== 'pushed') return { kind: 'unpushed', commit, code: `PUSH_${proposed.kind.toUpperCase()}`, message: proposed.message }
  const compiled = await compile(head, signal)
  if (compiled.kind === 'refused') return refusal(compiled)
  if (compiled.lockChanged) return { kind: 'unpushed', commit: head, code: 'LOCK_PROPOSED', message: 'the lock has to change first; merge the branch crowbar/inventory' }
  return { kind: 'compiled', compiled, head, own: [], machines: [] }
}

function refusal(compiled: Extract<CompiledSite, { kind: 'refused' }>): Reconciled {
  const errors = compiled.diagnostics.filter(one => one.severity === 'error')
  const [first] = errors
  const place = first?.range === undefined ? '' : `${first.range.path}:${first.range.start.line}:${first.range.start.column}: `
  return {
    kind: 'refused',
    commit: compiled.commit,
    code: first?.code ?? 'SITE_REFUSED',
    message: first === undefined ? 'the compiler refused it' : `${place}${first.summary}${errors.length > 1 ? ` (and ${errors.length - 1} more)` : ''}`,
    diagnostics: compiled.diagnostics,
  }
}

function messageFor(files: ReadonlyMap<string, string>): string {
  const machines = [...files.keys()].filter(path => path.startsWith(INVENTORY)).map(machineOf)
  if (machines.length === 0) return 'lock: keep what was allocated'
  return `inventory: ${machines.length > 3 ? `${machines.length} machines` : machines.join(', ')}${files.has('site.lock.json') ? ', and the lock that follows' : ''}`
}

function machineOf(path: string): string {
  return path.slice(INVENTORY.length, -'.json'.length)
}
