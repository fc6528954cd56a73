import type { Plan } from '../../schemas/plan.ts'
import { collect } from '../stage/collect.ts'
import type { Store } from '../stage/store.ts'
import { neededReferences } from './needed.ts'

/** Milliseconds between two collections of the store, and for how long what nothing leads to is kept. */
const COLLECT_MS = 24 * 60 * 60_000
const KEEP_MS = 30 * COLLECT_MS

export interface KeepCollectedOptions {
  readonly store: Store
  /** What is needed now; null: it is not known yet, and nothing is taken. */
  readonly needed: () => { readonly plan: Plan; readonly ledger: unknown } | null
  readonly now: () => number
  readonly log: (message: string, fields: Readonly<Record<string, unknown>>) => void
}

/** Takes out of the store, once a day, what nothing leads to any more. Not at once: the branch has to have compiled. */
export function keepCollected({ store, needed, now, log }: KeepCollectedOptions): Disposable {
  const timer = setInterval(() => {
    const known = needed()
    if (known === null) return
    collect(store, { documents: [JSON.stringify(known.plan), JSON.stringify(known.ledger)], references: neededReferences(known.plan), now: now(), graceMs: KEEP_MS })
      .then(({ removed }) => log('staged content was collected', { ...removed }), (error: unknown) => log('staged content could not be collected', { error: String(error) }))
  }, COLLECT_MS)
  return { [Symbol.dispose]: () => clearInterval(timer) }
}
