import { digest } from './canonical.ts'
import type { Step } from './plan.ts'

const DESTRUCTIVE = 'destructive:'

/**
 * What a ledger notes of a step that is sent, until it succeeds: its once-key or its digest, of a role that destroys by
 * running marked as such. Where something else was sent before and has not succeeded either, it is equal to nothing that is
 * ever sent: what the two have left behind together nobody knows.
 *
 * @param before what the ledger has noted of the step already.
 */
export function attemptOf({ kind, action, once, digest: version, destructive }: Pick<Step, 'kind' | 'action' | 'once' | 'digest' | 'destructive'>, before: string | null): string {
  const now = once ?? version
  // An install or a change of hardware overwrites whatever an earlier one has left.
  if (kind !== 'role' && kind !== 'packages' && kind !== 'network') return now
  const marked = destructive && action !== 'remove' ? `${DESTRUCTIVE}${now}` : now
  if (before === null || before === marked) return marked
  return `${isDestructiveAttempt(before) || isDestructiveAttempt(marked) ? DESTRUCTIVE : ''}${digest([before, marked])}`
}

/** Whether something that destroys is among what was begun. */
export function isDestructiveAttempt(attempted: string | null): boolean {
  return attempted !== null && attempted.startsWith(DESTRUCTIVE)
}
