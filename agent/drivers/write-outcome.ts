import type { TaskResult } from '../../schemas/protocol.ts'
import type { AttemptEnd } from './await-attempt.ts'
import type { StepOutcome } from './driver.ts'

/** What the end of an attempt that writes disks comes to. What got lost goes on; what wrote nothing is decided upon and asked for anew. */
export function writeOutcome(end: AttemptEnd, { machine, attempt }: { readonly machine: string; readonly attempt: string }): StepOutcome {
  switch (end.kind) {
    case 'stopped':
      return end.stop === 'TIMEOUT' ? { kind: 'failed', code: 'TIMEOUT', message: `machine ${machine} did not say within its time how ${attempt} ended`, retryable: false } : { kind: 'cancelled' }
    case 'lost':
      return { kind: 'unknown', reason: end.reason, repeatable: true }
    case 'result':
      if (wroteNothing(end.result.code)) return { kind: 'unknown', reason: `machine ${machine} wrote nothing: ${end.result.message}`, repeatable: true, untouched: true }
      return fromResult(end.result)
  }
}

/** All disks are held against what was approved before the first is written.  */
function wroteNothing(code: string | null): boolean {
  return code === 'DISK_CHANGED' || code === 'DISK_MISSING'
}

/** What is found before the first write and ends the step. */
const UNTOUCHED: ReadonlySet<string> = new Set(['DISK_BUSY', 'DISK_AMBIGUOUS', 'DISK_TOO_SMALL'])

function fromResult({ outcome, code, message }: TaskResult): StepOutcome {
  if (outcome === 'succeeded' || outcome === 'unchanged') return { kind: outcome, provides: {} }
  if (outcome === 'cancelled') return { kind: 'cancelled' }
  const text = message ?? 'it did not say why'
  if (code === 'INTERRUPTED') return { kind: 'unknown', reason: text, repeatable: true }
  return { kind: 'failed', code: code ?? 'FAILED', message: text, retryable: false, untouched: code !== null && UNTOUCHED.has(code) }
}
