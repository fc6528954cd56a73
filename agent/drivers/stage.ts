import type { Plan } from '../../schemas/plan.ts'

/** Where machines fetch a staged set. `sha256` is 64 hex digits. */
export type StagedSet =
  | { readonly kind: 'file'; readonly url: string; readonly sha256: string; readonly bytes: number }
  /** A flat apt repository. */
  | { readonly kind: 'repository'; readonly url: string; readonly hash: string }

/** Brings the artifact sets of a plan into the agent's store. */
export interface Stager {
  /**
   * Has the set in the store when it resolves; quick when it was there before.
   * @throws {Error} with a literal `code`, and `retryable: true` when trying again may help.
   */
  ensure(name: string, plan: Plan, options: { readonly signal: AbortSignal; readonly onProgress: (message: string) => void }): Promise<StagedSet & { readonly fresh: boolean }>
  /** What ensure() gave, without fetching anything; undefined when it is not in the store (any more). */
  locate(name: string, plan: Plan): Promise<StagedSet | undefined>
  /** Where machines fetch a file of a barclamp, by its SHA-256. */
  content(file: { readonly sha256: string; readonly bytes: number }): { readonly url: string; readonly sha256: string; readonly bytes: number }
}
