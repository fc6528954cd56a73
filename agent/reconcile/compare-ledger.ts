import { LEDGER_REF } from '../../schemas/ledger.ts'
import type { LedgerRun } from '../../schemas/ledger.ts'
import { SEEN_LEDGER } from '../site/repository.ts'
import type { SiteRepository } from '../site/repository.ts'

/** The published ledger knows of work that this agent's log does not: another agent did it, or this log is an old copy. */
export class LedgerBehindError extends Error {
  readonly code = 'LEDGER_BEHIND'
}

/**
 * Whether the published ledger is later than an agent's own: of a higher epoch, or of the same one and further on.
 * Whatever a log knows is in its own ledger, and every agent takes part under an epoch of its own, so that its own
 * ledger is never behind what it published itself.
 */
export function isLater(published: LedgerRun | null, own: LedgerRun | null): boolean {
  if (published === null) return false
  if (own === null) return true
  return published.epoch > own.epoch || (published.epoch === own.epoch && published.seq > own.seq)
}

/**
 * Refuses to go on from a ledger that is older than the published one: what was done since would be done again, and the
 * knowledge of it be overwritten.
 *
 * @throws {LedgerBehindError}
 */
export async function refuseBehind(site: SiteRepository, own: LedgerRun | null, signal: AbortSignal): Promise<void> {
  const commit = await site.readRef(SEEN_LEDGER, signal)
  const text = commit === null ? undefined : (await site.readFiles(commit, 'run.json', signal)).get('run.json')
  const published = text === undefined ? null : (JSON.parse(text) as LedgerRun)
  if (isLater(published, own)) throw new LedgerBehindError(behindMessage(published, own))
}

/** What to tell a person about it. */
export function behindMessage(published: LedgerRun | null, own: LedgerRun | null): string {
  const place = (run: LedgerRun | null): string => (run === null ? 'no run' : `run ${run.run} of ${run.time}, epoch ${run.epoch}, event ${run.seq}`)
  return `${LEDGER_REF} of the site repository is at ${place(published)}, and this agent's log at ${place(own)}: another agent works on this cluster, or this data folder is an old copy`
}
