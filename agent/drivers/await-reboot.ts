import { stepStop } from './driver.ts'
import type { StepOutcome, Timers } from './driver.ts'
import type { NodeSession, NodeSessions } from './sessions.ts'
import { watchMachine } from './watch-machine.ts'

export interface AwaitRebootOptions {
  readonly node: string
  readonly machine: string
  readonly attempt: string
  /** The boot id that the machine had when the attempt was sent. */
  readonly boot: string
  /** The session that it was sent over; undefined when an earlier life of the agent sent it. */
  readonly over: NodeSession | undefined
  readonly timers: Timers
  readonly signal: AbortSignal
}

/**
 * Waits until a machine has been restarted: its installed system says another boot id at hello. Whoever restarted it, and
 * whatever became of the attempt: also a power cut is a restart.
 */
export async function awaitReboot(sessions: NodeSessions, options: AwaitRebootOptions): Promise<StepOutcome> {
  const { node, machine, attempt, boot, over, signal } = options
  const { promise, resolve } = Promise.withResolvers<StepOutcome>()
  const look = (session: NodeSession): void => {
    if (session.environment !== 'installed') return
    if (session.boot !== boot) return resolve({ kind: 'succeeded', provides: {} })
    const entry = session.journal.get(attempt)
    if (entry?.state === 'finished') resolve({ kind: 'failed', code: entry.result.code ?? 'FAILED', message: entry.result.message ?? `${node} was not restarted and did not say why`, retryable: true })
    else if (entry?.state === 'started' || (entry === undefined && session !== over)) resolve({ kind: 'unknown', reason: `${node} was not restarted by ${attempt}`, repeatable: true })
  }
  const stop = (): void => {
    const cancelled = stepStop(signal) !== 'TIMEOUT'
    resolve(cancelled ? { kind: 'cancelled' } : { kind: 'failed', code: 'TIMEOUT', message: `${node} did not come back within its time`, retryable: false })
  }
  using _subscription = sessions.subscribe((event) => {
    const session = event.type === 'result' && event.machine === machine && event.result.attempt === attempt ? sessions.session(machine) : undefined
    if (session !== undefined) look(session)
  })
  return await watchMachine(sessions, { machine, signal, look, stop, settled: promise })
}
