import { isNothing } from '../../schemas/changes.ts'
import type { Changes, Selection } from '../../schemas/changes.ts'
import type { ApplyAnswer, ApplyRequest, Tried } from '../../schemas/control.ts'
import type { Diagnostic } from '../../schemas/diagnostic.ts'
import { refusalOf } from '../../schemas/refusal.ts'
import { CompileError } from '../compile/compile.ts'
import type { CompiledSite, Filter } from '../compile/compile.ts'
import type { CompiledWork, Engine } from '../engine/engine.ts'
import { EngineError } from '../engine/engine-error.ts'
import type { EventStore } from '../log/store.ts'
import type { SiteKeeper } from '../reconcile/keep-site.ts'
import type { Compiled } from '../reconcile/reconcile.ts'
import type { State } from '../state/state.ts'
import { approve } from './approve.ts'

export interface ApplyTools {
  readonly engine: Engine
  readonly keeper: SiteKeeper
  readonly store: Pick<EventStore, 'read'>
  /** Why a run of this work, or of these steps of it, would be refused; undefined when it would begin. */
  readonly refusalOf: (work: CompiledWork, only: readonly string[] | null) => Promise<EngineError | undefined>
  /** Asks the nodes what the steps would do there. */
  readonly dryRun: (work: CompiledWork) => Promise<ReadonlyMap<string, Tried>>
  readonly signal: AbortSignal
}

/** Who gives orders over the socket: whoever may open it. */
export const BY = 'an operator'

/** How often a commit is compiled anew because steps ended while it was compiled. */
const TRIES = 5

/** Compiles a commit and begins its run, after the one that goes on; a dry run only says what that would be. */
export async function apply(request: ApplyRequest, tools: ApplyTools, tries = TRIES): Promise<ApplyAnswer> {
  const { engine, signal } = tools
  const found = await compiledFor(request, tools)
  if ('refused' in found) return refused(found.refused, found.commit, found.diagnostics)
  const { commit, plan, changes, asOf } = found.compiled
  if (found.compiled.lockChanged) return refused(`${short(commit)} was not compiled under its own lock: its lock file is stale (LOCK_STALE)`, commit, [])
  const denied = changes.violations.filter(({ level }) => level === 'deny').map(({ policy, message, at }) => `${policy}: ${message}${at === null ? '' : ` (${at})`}`)
  if (denied.length > 0) return { ...refused(denied.join('\n'), commit, []), denied: true }
  const { selection } = changes
  const steps = changes.changes.length
  const answer = (outcome: ApplyAnswer['outcome'], run: number | null, message: string): ApplyAnswer => ({ outcome, denied: false, run, commit, steps, message, diagnostics: [], ...(selection === undefined ? {} : { selection }) })
  const only = selection === undefined ? null : changes.changes.map(({ step }) => step.id)
  const isDry = request.dryRun !== undefined && request.dryRun !== false
  const foreseen = isDry ? await tools.refusalOf({ commit, plan, changes }, only) : undefined
  if (foreseen !== undefined) return refused(`the run would be refused: ${foreseen.message}`, commit, [])
  if (isDry) {
    if (request.dryRun === 'nodes' && engine.state.run?.ended === null) return refused(`run ${engine.state.run.run} goes on, and would change what the nodes say meanwhile: wait, or ask without nodes`, commit, [])
    const tried = request.dryRun === 'nodes' ? await tools.dryRun({ commit, plan, changes }) : undefined
    return { ...answer('planned', null, `${describe(changes)}${isNothing(changes) ? '' : '; nothing was started'}`), preview: preview(changes, engine.state, tried) }
  }
  const approved = async (): Promise<string> => (request.approve.length === 0 ? '' : ` ${(await approve({ steps: request.approve }, { work: { plan, changes }, engine, store: tools.store, by: BY })).message}`)
  const running = engine.state.run?.ended === null ? engine.state.run : null
  if (running !== null && running.work.commit === commit) {
    if (selection !== undefined) return refused(`run ${running.run} of ${short(commit)} goes on; --target and --exclude choose what a run begins with: cancel it first, or wait`, commit, [])
    return answer('extended', running.run, `run ${running.run} of ${short(commit)} goes on already.${await approved()}`)
  }
  const nothing = answer('nothing', null, selection === undefined ? `nothing to do: ${plan.steps.length} steps of ${short(commit)} stand as they are` : `nothing to do of what was chosen: ${describeSelection(selection)}`)
  // Else the engine is told also when there is nothing to do: what was approved of something else is void from here on.
  // A run that goes on may still do what this commit takes back, so it is waited for, too.
  if (isNothing(changes) && selection !== undefined) return nothing
  if (running !== null) {
    engine.hurry()
    await engine.idle({ signal })
  }
  try {
    const run = await engine.start({ commit, plan, changes }, { reason: 'apply', ...(only === null ? {} : { only }), ...(asOf === undefined ? {} : { asOf }) })
    if (run === undefined) return nothing
    const chosen = selection === undefined ? '' : ` ${describeSelection(selection)}.`
    return answer('started', run, `run ${run} of ${short(commit)}: ${describe(changes)}.${chosen}${await approved()}`)
  } catch (error) {
    if (!(error instanceof EngineError)) throw error
    // The run that was waited for has done some of it.
    if (error.code === 'WORK_STALE' && tries > 1) return apply(request, tools, tries - 1)
    return refused(error.message, commit, [])
  }
}

type Found = { readonly compiled: Compiled } | { readonly refused: string; readonly commit: string | null; readonly diagnostics: readonly Diagnostic[] }

/** The head of the branch with all that discovery found, or any other commit as it stands; with what was chosen of its changes. */
async function compiledFor({ ref, dryRun, target = [], exclude = [] }: ApplyRequest, { keeper, signal }: ApplyTools): Promise<Found> {
  const head = await keeper.lookNow(signal, { rewritten: ref === null && (dryRun === undefined || dryRun === false) })
  const isHead = ref === null || (head.kind === 'compiled' && (head.compiled.commit.startsWith(ref) || head.head.startsWith(ref)))
  if (isHead && head.kind !== 'compiled') return { refused: head.message, commit: head.commit, diagnostics: head.kind === 'refused' ? head.diagnostics : [] }
  const filter: Filter | undefined = target.length + exclude.length === 0 ? undefined : { target, exclude }
  if (isHead && head.kind === 'compiled' && filter === undefined) return { compiled: head.compiled }
  const revision = isHead && head.kind === 'compiled' ? head.compiled.commit : (ref ?? '')
  let other: CompiledSite | null
  try {
    other = await keeper.compileRevision(revision, signal, filter)
  } catch (error) {
    if (error instanceof CompileError && error.code === 'SELECTION_UNKNOWN') return { refused: error.message, commit: null, diagnostics: [] }
    throw error
  }
  if (other === null) return { refused: `the site repository has no revision ${revision}`, commit: null, diagnostics: [] }
  return other.kind === 'compiled' ? { compiled: other } : { refused: `${short(other.commit)} does not compile`, commit: other.commit, diagnostics: other.diagnostics }
}

/** What would run, and what of it a person or a protection keeps from running as things are. */
function preview(changes: Changes, state: State, tried: ReadonlyMap<string, Tried> | undefined): NonNullable<ApplyAnswer['preview']> {
  return {
    steps: changes.changes.map((change) => {
      const { step, consequence, needsApproval } = change
      const approval = needsApproval && !state.approvals.has(step.id) ? `an approval: crowbar approve ${step.id}` : null
      const found = tried?.get(step.id)
      return { id: step.id, node: step.node, consequence, waits: refusalOf(change) ?? approval, ...(found === undefined ? {} : { tried: found }) }
    }),
    rollouts: changes.rollouts.map(({ id, batches, pause }) => ({ id, batches: batches.map(batch => [...batch]), pause })),
  }
}

function refused(message: string, commit: string | null, diagnostics: readonly Diagnostic[]): ApplyAnswer {
  return { outcome: 'refused', denied: false, run: null, commit, steps: 0, message, diagnostics: [...diagnostics] }
}

function describe(changes: Changes): string {
  const counts = new Map<string, number>()
  for (const { consequence } of changes.changes) counts.set(consequence, (counts.get(consequence) ?? 0) + 1)
  const of = counts.size === 0 ? '' : ` (${[...counts].map(([consequence, count]) => `${consequence} ${count}`).join(', ')})`
  const names = changes.renamed.map(({ from, to }) => `${from} becomes ${to}`)
  return `${names.length === 0 ? '' : `${names.slice(0, 5).join(', ')}${names.length > 5 ? ` and ${names.length - 5} more` : ''}; `}${changes.changes.length} steps to run${of}, ${changes.unchanged} stand`
}

/** How a choice came out, in one line; the answer has all of it. */
function describeSelection({ pulledIn, deferred, excluded }: Selection): string {
  const some = (list: readonly { readonly step: string; readonly by: string }[], verb: string): string => {
    const named = list.slice(0, 5).map(({ step, by }) => `${step} (${verb} ${by})`).join(', ')
    return list.length > 5 ? `${named} and ${list.length - 5} more` : named
  }
  const parts = [
    pulledIn.length === 0 ? '' : `pulled in: ${some(pulledIn, 'needed by')}`,
    deferred.length === 0 ? '' : `deferred: ${some(deferred, 'needs')}`,
    `${excluded} left out`,
  ]
  return parts.filter(part => part !== '').join('; ')
}

function short(commit: string): string {
  return commit.slice(0, 12)
}
