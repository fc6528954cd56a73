import type { NodeSession, NodeSessions } from './sessions.ts'

export interface WatchOptions<T> {
  readonly machine: string
  readonly signal: AbortSignal
  /** Called with the machine's session now, if it has one, and with every later one. */
  readonly look: (session: NodeSession) => void
  /** Called when the signal aborts, or has. */
  readonly stop: () => void
  /** What `look` and `stop` settle. */
  readonly settled: Promise<T>
}

/** Looks at a machine each time it says hello, until something is settled. */
export async function watchMachine<T>(sessions: NodeSessions, { machine, signal, look, stop, settled }: WatchOptions<T>): Promise<T> {
  using _subscription = sessions.subscribe((event) => {
    if (event.type === 'connected' && event.session.machine === machine) look(event.session)
  })
  signal.addEventListener('abort', stop)
  try {
    const now = sessions.session(machine)
    if (now !== undefined) look(now)
    if (signal.aborted) stop()
    return await settled
  } finally {
    signal.removeEventListener('abort', stop)
  }
}
