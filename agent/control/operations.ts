import type { Changes } from '../../schemas/changes.ts'
import type { ApplyAnswer, ApplyRequest } from '../../schemas/control.ts'
import type { Diagnostic } from '../../schemas/diagnostic.ts'
import type { Engine } from '../engine/engine.ts'
import { EngineError } from '../engine/engine-error.ts'
import type { EventStore } from '../log/store.ts'
import type { SiteKeeper } from '../reconcile/keep-site.ts'
import type { Compiled } from '../reconcile/reconcile.ts'
import type { LiveLedger } from '../state/open-ledger.ts'
import { approve } from './approve.ts'
import { printable } from './printable.ts'
import type { ControlOperations } from './serve-control.ts'
import { describeStatus } from './status.ts'

export interface OperationsOptions {
  readonly agent: { readonly node: string; readonly version: string }
  readonly site: { readonly repository: string; readonly branch: string }
  readonly store: EventStore
  readonly ledger: LiveLedger
  readonly engine: Engine
  readonly keeper: SiteKeeper
  /** Null when machines can boot; else what is still missing. */
  readonly notReady: () => string | null
  /** Lets a machine out of quarantine, and looks at it again. */
  readonly admit: (machine: string, by: string) => Promise<void>
  /** `agent.json` for a machine that is installed already and is to be this node. */
  readonly joining: (node: string) => unknown
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly signal: AbortSignal
}

/** Who gives orders over the socket: whoever may open it. */
const BY = 'an operator'
const PAGE = 1000
/** How often a commit is compiled anew because steps ended while it was compiled. */
const TRIES = 5

/** What the control API does, over the parts of the agent. */
export function operations(options: OperationsOptions): ControlOperations {
  const { engine, keeper, store } = options
  return {
    status: () => {
      const notReady = options.notReady()
      return Promise.resolve(printable(describeStatus({
        agent: { ...options.agent, ready: notReady === null, readyReason: notReady },
        site: options.site,
        state: engine.state,
        ledger: options.ledger.current,
        plan: keeper.current?.plan ?? null,
        changes: engine.work?.changes ?? null,
        schedule: engine.schedule ?? null,
        now: options.now(),
      })))
    },
    apply: request => apply(request, options),
    approve: request => approve(request, { work: engine.work ?? keeper.current, engine, store, by: BY }),
    freeze: frozen => (frozen ? engine.freeze({ by: BY, reason: 'asked for' }) : engine.thaw({ by: BY })),
    async admit(machine) {
      const record = engine.state.machines.get(machine)
      if (record === undefined) return `no machine ${machine} was ever seen; what was: ${[...engine.state.machines.keys()].join(', ') || 'none'}`
      if (record.quarantined === null) return `machine ${machine} is not in quarantine`
      await options.admit(machine, BY)
      return `machine ${machine} is admitted`
    },
    cancel: () => engine.cancel({ by: BY }),
    join: node => Promise.resolve(options.joining(node)),
    sequence: () => Promise.resolve(store.last),
    async *events({ after, follow, signal }) {
      if (follow) {
        yield* store.follow({ after, signal })
        return
      }
      for (let last = after; ;) {
        const page = await store.read({ after: last, limit: PAGE })
        yield* page
        const end = page.at(-1)
        if (end === undefined || page.length < PAGE) return
        last = end.seq
      }
    },
    async *output({ step }) {
      for (const attempt of await attemptsOf(step, store)) {
        for (let after = 0; ;) {
          const page = await store.outputs({ attempt, after, limit: PAGE })
          yield* page
          const end = page.at(-1)
          if (end === undefined || page.length < PAGE) break
          after = end.id
        }
      }
    },
    document: name => Promise.resolve((name === 'plan' ? keeper.current?.plan : (engine.work?.changes ?? keeper.current?.changes)) ?? null),
  }
}

async function apply(request: ApplyRequest, options: OperationsOptions, tries = TRIES): Promise<ApplyAnswer> {
  const { engine, keeper, signal } = options
  const found = await compiledFor(request, keeper, signal)
  if ('refused' in found) return refused(found.refused, found.commit, found.diagnostics)
  const { commit, plan, changes, asOf } = found.compiled
  if (found.compiled.lockChanged) return refused(`${short(commit)} was not compiled under its own lock: its lock file is stale (LOCK_STALE)`, commit, [])
  const denied = changes.violations.filter(({ level }) => level === 'deny').map(({ policy, message, at }) => `${policy}: ${message}${at === null ? '' : ` (${at})`}`)
  if (denied.length > 0) return { ...refused(denied.join('\n'), commit, []), denied: true }
  const steps = changes.changes.length
  if (request.dryRun === true) return { outcome: 'planned', denied: false, run: null, commit, steps, message: describe(changes), diagnostics: [] }
  const running = engine.state.run?.ended === null ? engine.state.run : null
  if (running !== null && running.work.commit === commit) {
    const approved = request.approve.length === 0 ? '' : ` ${(await approve({ steps: request.approve }, { work: { plan, changes }, engine, store: options.store, by: BY })).message}`
    return { outcome: 'extended', denied: false, run: running.run, commit, steps, message: `run ${running.run} of ${short(commit)} goes on already.${approved}`, diagnostics: [] }
  }
  if (steps === 0) return { outcome: 'nothing', denied: false, run: null, commit, steps: 0, message: `nothing to do: ${plan.steps.length} steps of ${short(commit)} stand as they are`, diagnostics: [] }
  if (running !== null) {
    engine.hurry()
    await engine.idle({ signal })
  }
  try {
    const run = await engine.start({ commit, plan, changes }, { reason: 'apply', ...(asOf === undefined ? {} : { asOf }) })
    if (run === undefined) return { outcome: 'nothing', denied: false, run: null, commit, steps: 0, message: `nothing to do at ${short(commit)}`, diagnostics: [] }
    const approved = request.approve.length === 0 ? '' : ` ${(await approve({ steps: request.approve }, { work: { plan, changes }, engine, store: options.store, by: BY })).message}`
    return { outcome: 'started', denied: false, run, commit, steps, message: `run ${run} of ${short(commit)}: ${describe(changes)}.${approved}`, diagnostics: [] }
  } catch (error) {
    if (!(error instanceof EngineError)) throw error
    // The run that was waited for has done some of it.
    if (error.code === 'WORK_STALE' && tries > 1) return apply(request, options, tries - 1)
    return refused(error.message, commit, [])
  }
}

type Found = { readonly compiled: Compiled } | { readonly refused: string; readonly commit: string | null; readonly diagnostics: readonly Diagnostic[] }

/** The head of the branch with all that discovery found, or any other commit as it stands. */
async function compiledFor({ ref, dryRun }: ApplyRequest, keeper: SiteKeeper, signal: AbortSignal): Promise<Found> {
  const head = await keeper.lookNow(signal, { rewritten: ref === null && dryRun !== true })
  const isHead = ref === null || (head.kind === 'compiled' && (head.compiled.commit.startsWith(ref) || head.head.startsWith(ref)))
  if (isHead) return head.kind === 'compiled' ? { compiled: head.compiled } : { refused: head.message, commit: head.commit, diagnostics: head.kind === 'refused' ? head.diagnostics : [] }
  const other = await keeper.compileRevision(ref, signal)
  if (other === null) return { refused: `the site repository has no revision ${ref}`, commit: null, diagnostics: [] }
  return other.kind === 'compiled' ? { compiled: other } : { refused: `${short(other.commit)} does not compile`, commit: other.commit, diagnostics: other.diagnostics }
}

async function attemptsOf(step: string | null, store: EventStore): Promise<string[]> {
  const attempts: string[] = []
  for (let after = 0; ;) {
    const page = await store.read({ after, type: 'step.sent', limit: PAGE })
    for (const event of page) if (event.type === 'step.sent' && (step === null || event.data.step === step)) attempts.push(event.data.attempt)
    const end = page.at(-1)
    if (end === undefined || page.length < PAGE) return attempts
    after = end.seq
  }
}

function refused(message: string, commit: string | null, diagnostics: readonly Diagnostic[]): ApplyAnswer {
  return { outcome: 'refused', denied: false, run: null, commit, steps: 0, message, diagnostics: [...diagnostics] }
}

function describe(changes: Changes): string {
  const counts = new Map<string, number>()
  for (const { consequence } of changes.changes) counts.set(consequence, (counts.get(consequence) ?? 0) + 1)
  return `${changes.changes.length} steps to run (${[...counts].map(([consequence, count]) => `${consequence} ${count}`).join(', ')}), ${changes.unchanged} stand`
}

function short(commit: string): string {
  return commit.slice(0, 12)
}
