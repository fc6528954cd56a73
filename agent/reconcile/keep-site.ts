import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Diagnostic } from '../../schemas/diagnostic.ts'
import { compileSite } from '../compile/compile.ts'
import type { CompiledSite, Filter } from '../compile/compile.ts'
import type { NewEvent } from '../log/event-types.ts'
import type { SiteRepository } from '../site/repository.ts'
import { follow } from '../site/follow.ts'
import type { Store } from '../stage/store.ts'
import type { LiveLedger } from '../state/open-ledger.ts'
import type { State } from '../state/state.ts'
import { takeTurns } from '../take-turns.ts'
import { refuseBehind } from './compare-ledger.ts'
import { ledgerFiles } from './ledger-branch.ts'
import { reconcile } from './reconcile.ts'
import type { Compiled, Reconciled } from './reconcile.ts'

export interface KeepSiteOptions {
  readonly site: SiteRepository
  readonly state: () => State
  readonly ledger: LiveLedger
  /** Where files of barclamps are kept for nodes to fetch. */
  readonly store: Store
  readonly compiler: readonly [string, ...string[]]
  readonly megabytes: number
  readonly deadlineMs: number
  /** Where the compiler keeps barclamps from git. */
  readonly cache: string
  /** For what the compiler writes; its content is not kept. */
  readonly folder: string
  readonly followMs: number
  readonly append: (events: readonly NewEvent[]) => Promise<void>
  /** A commit of the followed branch compiled and is committed whole. Called one at a time; the next look waits for it. */
  readonly onCompiled: (result: Extract<Reconciled, { kind: 'compiled' }>) => Promise<void>
  readonly onError: (error: unknown) => void
}

/** Keeps the plan in step with the branch and with what discovery finds. */
export interface SiteKeeper extends AsyncDisposable {
  /** The newest commit of the branch that compiled; null before the first. */
  readonly current: Compiled | null
  /** Looks at the branch and at what was discovered soon, and again if it is looking now. */
  look(): void
  /** Fetches, and looks now: what came of it. `rewritten`: also at a branch that does not come after the plan in force. */
  lookNow(signal: AbortSignal, options: { readonly rewritten: boolean }): Promise<Reconciled>
  /** Compiles any commit against the ledger as it is now. Null when the repository has no such revision. */
  compileRevision(revision: string, signal: AbortSignal, filter?: Filter): Promise<CompiledSite | null>
  /** Writes the ledger as it is now into the repository. */
  publish(signal: AbortSignal): Promise<void>
}

/** The least time between two looks of which the first could not be finished. */
const RETRY_MS = 5_000

/** Barclamps that could not be fetched now may be there in a while, without a new commit. */
function isOutOfReach(diagnostics: readonly Diagnostic[]): boolean {
  return diagnostics.some(({ code }) => code === 'BARCLAMP_UNREACHABLE')
}

/** Starts to follow the branch. Ends when it is disposed of; what is under way is given up. */
export async function keepSite(options: KeepSiteOptions): Promise<SiteKeeper> {
  const { site, append, store } = options
  const closing = new AbortController()
  let current: Compiled | null = null
  /** The event up to which the clone's ledger is folded. */
  let asOf = 0
  let told = ''
  const exclusive = takeTurns()
  let waiting = false
  let runs = 0
  let retry: NodeJS.Timeout | undefined
  await rm(options.folder, { recursive: true, force: true })

  const compile = async (commit: string, signal: AbortSignal, filter?: Filter): Promise<CompiledSite> => {
    const out = join(options.folder, String(++runs))
    try {
      const compiled = await compileSite({ compiler: options.compiler, repository: site.folder, commit, out, cache: options.cache, megabytes: options.megabytes, deadlineMs: options.deadlineMs, signal, ...(filter === undefined ? {} : { filter }) })
      if (compiled.kind === 'refused') return compiled
      await keepBlobs(compiled.blobs, store)
      const fresh: Compiled = { ...compiled, asOf }
      return fresh
    } finally {
      await rm(out, { recursive: true, force: true })
    }
  }
  const publish = async (signal: AbortSignal): Promise<void> => {
    await refuseBehind(site, options.ledger.current.run, signal)
    await options.ledger.upToDate()
    const ledger = options.ledger.current
    asOf = options.state().seq
    if (Object.keys(ledger.nodes).length === 0 && Object.keys(ledger.machines).length === 0 && ledger.run === null) return
    const upTo = asOf
    const published = await site.publishLedger(await ledgerFiles(ledger, store), `run ${ledger.run?.run ?? 0}: ${ledger.run?.state ?? 'nothing applied yet'}`, signal)
    if (published.outcome.kind !== 'pushed' && published.outcome.kind !== 'unchanged') {
      options.onError(new Error(`the ledger was not published (${published.outcome.kind}): ${published.outcome.message}`))
    }
    if (published.outcome.kind === 'pushed') await append([{ type: 'ledger.published', data: { commit: published.commit, run: ledger.run?.run ?? null, upTo } }])
  }
  const once = async (signal: AbortSignal, rewritten = false): Promise<Reconciled> => {
    // The compiler compares with the ledger that the clone has.
    await publish(signal)
    const state = options.state()
    const since = current?.commit ?? state.site.compiled?.commit ?? null
    const result = await reconcile({ site, since, rewritten, machines: state.machines.values(), discovery: current?.plan.site.automation.discovery ?? 'commit', compile, signal })
    await tell(result)
    if (result.kind === 'compiled') {
      current = result.compiled
      await options.onCompiled(result)
    }
    return result
  }
  const tell = async (result: Reconciled): Promise<void> => {
    const events: NewEvent[] = []
    if (result.kind === 'compiled') {
      const { plan, changes, commit } = result.compiled
      if (result.own.length > 0) events.push({ type: 'inventory.committed', data: { commit, machines: result.machines, lockChanged: true, proposed: false } })
      events.push({ type: 'site.compiled', data: { commit, planId: plan.id, changesId: changes.id, complete: plan.complete, changed: changes.changes.length, missing: plan.missing } })
    } else {
      events.push({ type: 'site.refused', data: { commit: result.commit, code: result.code, message: result.message, diagnostics: result.kind === 'refused' ? result.diagnostics : [] } })
    }
    // The same again is no news.
    const news = JSON.stringify(result.kind === 'compiled' ? [result.compiled.commit, result.compiled.changes.id] : result)
    if (news !== told) await append(events)
    told = news
  }
  const look = (): void => {
    if (waiting || closing.signal.aborted) return
    waiting = true
    void exclusive(async () => {
      waiting = false
      try {
        const result = await once(closing.signal)
        if ((result.kind === 'unpushed' && result.code.startsWith('PUSH_')) || (result.kind === 'refused' && isOutOfReach(result.diagnostics))) again()
      } catch (error) {
        if (closing.signal.aborted) return
        options.onError(error)
        again()
      }
    })
  }
  /** What a look could not do waits for no new commit or machine. */
  const again = (): void => {
    clearTimeout(retry)
    retry = setTimeout(look, Math.max(options.followMs, RETRY_MS))
  }
  const following = (async () => {
    for await (const news of follow(site, { signal: closing.signal, everyMs: options.followMs, since: null })) {
      if (news.kind === 'unreachable') await append([{ type: 'site.unreachable', data: { repository: site.folder, message: news.message } }])
      else look()
    }
  })().catch((error: unknown) => {
    if (!closing.signal.aborted) options.onError(error)
  })

  return {
    get current() {
      return current
    },
    look,
    lookNow: (signal, { rewritten }) => exclusive(async () => {
      await site.fetch(signal)
      return once(signal, rewritten)
    }),
    compileRevision: (revision, signal, filter) => exclusive(async () => {
      await publish(signal)
      const commit = await site.readRef(revision === site.branch ? 'refs/crowbar-remote/heads' : revision, signal)
      return commit === null ? null : compile(commit, signal, filter)
    }),
    publish: signal => exclusive(() => publish(signal)),
    async [Symbol.asyncDispose]() {
      closing.abort()
      await following
      await exclusive(() => Promise.resolve())
      clearTimeout(retry)
    },
  }
}

/** Every file of the plan's barclamps goes into the store under its hash, verified on the way. */
async function keepBlobs(folder: string, store: Store): Promise<void> {
  for (const name of await readdir(folder).catch(() => [])) {
    await store.put({ file: join(folder, name) }, { expected: `sha256:${name}` })
  }
}
