import type { LogEvent } from '../log/event-types.ts'
import type { EventStore } from '../log/store.ts'
import { applyEvent } from './fold.ts'
import { emptyState } from './growing-state.ts'
import { STATE_VERSION, stateFromJson, stateToJson } from './snapshot.ts'
import type { State } from './state.ts'

/** The state of a log, kept up to date until disposed of. */
export interface LiveState extends AsyncDisposable {
  /** As of the last event: an append() that has resolved is in it. The same object, growing. */
  readonly current: State
}

const SNAPSHOT = 'state'
const PAGE = 5000

/**
 * Folds a log up to its end, from the newest snapshot if there is one, and follows it.
 *
 * @param options.snapshotEvery events between snapshots; default 20,000. One more is written on disposal.
 */
export async function openState(store: EventStore, options: { readonly snapshotEvery?: number } = {}): Promise<LiveState> {
  const every = options.snapshotEvery ?? 20_000
  const saved = await store.loadSnapshot(SNAPSHOT, STATE_VERSION)
  const state = saved === undefined ? emptyState() : stateFromJson(saved.value)
  let savedAt = state.seq
  let saving = Promise.resolve()

  // What arrives while the past is read waits its turn.
  let early: LogEvent[] | undefined = []
  const take = (events: readonly LogEvent[]): void => {
    for (const event of events) if (event.seq > state.seq) applyEvent(state, event)
    if (state.seq - savedAt < every) return
    savedAt = state.seq
    saving = saving.then(save)
  }
  const save = async (): Promise<void> => {
    await store.saveSnapshot(SNAPSHOT, { seq: state.seq, version: STATE_VERSION, value: stateToJson(state) })
  }
  const subscription = store.subscribe((events) => (early === undefined ? take(events) : early.push(...events)))
  for (;;) {
    const page = await store.read({ after: state.seq, limit: PAGE })
    for (const event of page) applyEvent(state, event)
    if (page.length < PAGE) break
  }
  const waited = early
  early = undefined
  take(waited)

  return {
    current: state,
    async [Symbol.asyncDispose]() {
      subscription[Symbol.dispose]()
      await saving
      if (state.seq > savedAt) await save()
    },
  }
}
