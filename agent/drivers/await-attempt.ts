import type { TaskResult } from '../../schemas/protocol.ts'
import type { Environment } from '../log/event-types.ts'
import { stepStop } from './driver.ts'
import type { StepStop, Timers } from './driver.ts'
import type { NodeSession, NodeSessions } from './sessions.ts'
import { watchMachine } from './watch-machine.ts'

/** How waiting for an attempt came to an end. */
export type AttemptEnd =
  | { readonly kind: 'result'; readonly result: TaskResult }
  /** The node is back and cannot say how it ended: it was restarted meanwhile, or never heard of the attempt. */
  | { readonly kind: 'lost'; readonly reason: string }
  | { readonly kind: 'stopped'; readonly stop: StepStop }

export interface AwaitOptions {
  readonly machine: string
  readonly attempt: string
  /** Where the attempt runs. Sessions of the other environment say nothing about it. */
  readonly environment: Environment
  /** The session that it was sent over; undefined when an earlier life of the agent sent it. */
  readonly over: NodeSession | undefined
  /** Anything else that a new session may tell. */
  readonly onConnected?: (session: NodeSession) => void
  readonly timers: Timers
  readonly signal: AbortSignal
}

/** For how long a node may take to end an attempt that is cancelled, milliseconds. */
const GRACE = 30_000

/**
 * Waits until an attempt has ended, through any number of lost connections.
 *
 * Ends soon after the signal is aborted: at once for `CLOSED`; for `CANCELLED` and `TIMEOUT` the node is asked to stop
 * and has 30 seconds to say how it ended.
 */
export async function awaitAttempt(sessions: NodeSessions, options: AwaitOptions): Promise<AttemptEnd> {
  const { machine, attempt, signal, timers } = options
  const { promise, resolve } = Promise.withResolvers<AttemptEnd>()
  let grace: Disposable | undefined

  const look = (session: NodeSession): void => {
    options.onConnected?.(session)
    if (session.environment !== options.environment) return
    const entry = session.journal.get(attempt)
    if (entry?.state === 'finished') resolve({ kind: 'result', result: entry.result })
    else if (entry?.state === 'started') resolve({ kind: 'lost', reason: `the machine was restarted while ${attempt} ran` })
    else if (entry === undefined && session !== options.over) resolve({ kind: 'lost', reason: `the node knows nothing of ${attempt}` })
    else if (signal.aborted && stepStop(signal) !== 'CLOSED') session.cancel(attempt)
  }
  const stop = (): void => {
    const why = stepStop(signal)
    const session = sessions.session(machine)
    if (why === 'CLOSED' || session === undefined) return resolve({ kind: 'stopped', stop: why })
    session.cancel(attempt)
    grace = timers.after(GRACE, () => resolve({ kind: 'stopped', stop: why }))
  }

  using _subscription = sessions.subscribe((event) => {
    if (event.type === 'result' && event.machine === machine && event.result.attempt === attempt) resolve({ kind: 'result', result: event.result })
  })
  try {
    return await watchMachine(sessions, { machine, signal, look, stop, settled: promise })
  } finally {
    grace?.[Symbol.dispose]()
  }
}
