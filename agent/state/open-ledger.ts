import type { Changes } from '../../schemas/changes.ts'
import { EMPTY_LEDGER } from '../../schemas/ledger.ts'
import type { Ledger } from '../../schemas/ledger.ts'
import type { Plan } from '../../schemas/plan.ts'
import type { Json } from '../../schemas/shape.ts'
import { foldInto } from '../ledger/fold.ts'
import { draftOf } from '../ledger/ledger-draft.ts'
import type { Documents } from '../log/documents.ts'
import type { LogEvent } from '../log/event-types.ts'
import type { EventStore } from '../log/store.ts'
import { isWorkEvent, ledgerEventOf, ledgerEventOfStep } from './ledger-event-of.ts'
import type { EventWork, WorkEvent } from './ledger-event-of.ts'

/** The ledger of a log, kept up to date until disposed of. */
export interface LiveLedger extends AsyncDisposable {
  /** The same object, growing. As of the last event, unless a plan that only the disk has is still being read. */
  readonly current: Ledger
  /** Resolves when every event so far is folded in. Rejects when a document that an event refers to is missing. */
  upToDate(): Promise<void>
}

/**
 * Puts another ledger in the place of what the log says up to here; openLedger() then goes on from it. For a log that
 * is known to lack what was done since.
 */
export async function replaceLedger(store: EventStore, ledger: Ledger): Promise<void> {
  await store.saveSnapshot(SNAPSHOT, { seq: store.last, version: VERSION, value: ledger as unknown as Json })
}

const SNAPSHOT = 'ledger'
const VERSION = 1
const PAGE = 5000

/**
 * Folds a log into the ledger, from the newest snapshot if there is one, and follows it.
 *
 * @param options.initial what an empty log starts from: the published ledger, when the data folder is new.
 */
export async function openLedger(store: EventStore, documents: Documents, options: { readonly initial?: Ledger; readonly snapshotEvery?: number } = {}): Promise<LiveLedger> {
  const every = options.snapshotEvery ?? 20_000
  const saved = await store.loadSnapshot(SNAPSHOT, VERSION)
  const draft = draftOf(saved === undefined ? (options.initial ?? EMPTY_LEDGER) : (saved.value as unknown as Ledger))
  let seq = saved?.seq ?? 0
  let savedAt = seq
  const save = async (): Promise<void> => {
    savedAt = seq
    await store.saveSnapshot(SNAPSHOT, { seq, version: VERSION, value: draft as unknown as Json })
  }
  // A log that starts from a published ledger must find it again without being told.
  if (saved === undefined && options.initial !== undefined) await save()

  const foldStep = (event: WorkEvent, work: EventWork): void => {
    const said = ledgerEventOfStep(event, work)
    if (said !== undefined) foldInto(draft, said)
    seq = event.seq
  }
  /** Folds an event, if that takes nothing that has to be read first. */
  const foldNow = (event: LogEvent): boolean => {
    if (event.seq <= seq) return true
    if (isWorkEvent(event)) {
      const plan = documents.peek(event.data.plan)
      const changes = documents.peek(event.data.changes)
      if (plan === undefined || changes === undefined) return false
      foldStep(event, { plan: plan as unknown as Plan, changes: changes as unknown as Changes })
    } else {
      const said = ledgerEventOf(event)
      if (said !== undefined) foldInto(draft, said)
      seq = event.seq
    }
    return true
  }

  let queue: LogEvent[] = []
  let draining: Promise<void> | undefined
  let failure: { readonly error: unknown } | undefined
  const drain = async (): Promise<void> => {
    for (let event = queue.shift(); event !== undefined; event = queue.shift()) {
      if (foldNow(event) || !isWorkEvent(event)) continue
      const plan = (await documents.get(event.data.plan)) as unknown as Plan
      const changes = (await documents.get(event.data.changes)) as unknown as Changes
      foldStep(event, { plan, changes })
    }
    if (seq - savedAt >= every) await save()
  }
  const startDraining = (): void => {
    draining = drain()
      .catch((error: unknown) => (failure ??= { error }))
      .then(() => (draining = undefined))
  }
  const take = (events: readonly LogEvent[]): void => {
    let rest = events
    if (draining === undefined && queue.length === 0) {
      const stuck = events.findIndex((event) => !foldNow(event))
      rest = stuck === -1 ? [] : events.slice(stuck)
    }
    queue.push(...rest)
    if (draining === undefined && (queue.length > 0 || seq - savedAt >= every)) startDraining()
  }

  let early: LogEvent[] | undefined = []
  const subscription = store.subscribe((events) => (early === undefined ? take(events) : early.push(...events)))
  for (;;) {
    queue = await store.read({ after: seq, limit: PAGE })
    const length = queue.length
    await drain()
    if (length < PAGE) break
  }
  const waited = early
  early = undefined
  take(waited)

  return {
    current: draft,
    async upToDate() {
      while (draining !== undefined) await draining
      if (failure !== undefined) throw failure.error
    },
    async [Symbol.asyncDispose]() {
      subscription[Symbol.dispose]()
      await draining
      if (seq > savedAt && failure === undefined) await save()
    },
  }
}
