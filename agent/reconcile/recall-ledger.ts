import { setTimeout as delay } from 'node:timers/promises'
import type { Documents } from '../log/documents.ts'
import type { NewEvent } from '../log/event-types.ts'
import type { EventStore } from '../log/store.ts'
import type { SiteRepository } from '../site/repository.ts'
import type { Store } from '../stage/store.ts'
import { openLedger, replaceLedger } from '../state/open-ledger.ts'
import type { LiveLedger } from '../state/open-ledger.ts'
import type { State } from '../state/state.ts'
import { behindMessage, isLater } from './compare-ledger.ts'
import { adoptLedger } from './ledger-branch.ts'

export interface RecallOptions {
  readonly store: EventStore
  readonly documents: Documents
  readonly site: SiteRepository
  readonly objects: Store
  /** Milliseconds between two tries to reach the site repository. */
  readonly everyMs: number
  readonly onUnreachable: (error: unknown) => void
  readonly signal: AbortSignal
}

/** The ledger that an agent goes on from. */
export interface Recalled {
  readonly ledger: LiveLedger
  /** Of this life: above that of the published ledger, whose agent is an older one from here on. */
  readonly epoch: number
  /** Why the agent has to start frozen: the published ledger was later than its own log. */
  readonly behind: string | null
}

/**
 * Recalls what was applied: from the agent's own log, unless that is empty or older than the ledger that was published.
 * Then the published one counts.
 *
 * An agent with an empty log waits for the site repository: without the ledger there it would take a running cluster for
 * a new one.
 *
 * @throws {LedgerBranchError} when the published ledger cannot be read.
 */
export async function recallLedger({ store, documents, site, objects, everyMs, onUnreachable, signal }: RecallOptions): Promise<Recalled> {
  // First of all: whoever else writes this log stops now.
  const first = await store.raiseEpoch()
  const isNew = store.last === 0
  for (;;) {
    try {
      await site.fetch(signal)
      break
    } catch (error) {
      signal.throwIfAborted()
      onUnreachable(error)
      if (!isNew || (error as { code?: unknown }).code !== 'SITE_UNREACHABLE') break
      await delay(everyMs, undefined, { signal })
    }
  }
  const published = await adoptLedger(site, objects, signal)
  const above = published?.run?.epoch ?? 0
  const epoch = above >= first ? await store.raiseEpoch(above) : first
  if (isNew) return { ledger: await openLedger(store, documents, published === null ? {} : { initial: published }), epoch, behind: null }

  const own = await openLedger(store, documents)
  await own.upToDate()
  if (published === null || !isLater(published.run, own.current.run)) return { ledger: own, epoch, behind: null }
  const behind = behindMessage(published.run, own.current.run)
  await own[Symbol.asyncDispose]()
  await replaceLedger(store, published)
  await site.followLedger(signal)
  return { ledger: await openLedger(store, documents), epoch, behind }
}

/**
 * What an agent whose log is behind writes before anything else: it is frozen, what was approved counts no more, and a
 * run that the old log has not seen the end of is over. A person looks, thaws, and applies.
 */
export function behindEvents(state: State, reason: string): readonly NewEvent[] {
  const by = 'the agent'
  const { run, frozen, approvals } = state
  return [
    ...(frozen === null ? [{ type: 'freeze.on', data: { by, reason } } as const] : []),
    ...[...approvals.values()].map(({ approval }) => ({ type: 'approval.voided', data: { node: null, step: approval.step, once: approval.once, reason: 'it may have been used since' } }) as const),
    ...(run !== null && run.ended === null && run.cancelled === null ? [{ type: 'run.cancelled', data: { run: run.run, by } } as const] : []),
  ]
}
