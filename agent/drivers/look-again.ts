import type { Timers } from './driver.ts'
import type { NodeSessions } from './sessions.ts'

/** How long a look at all disks of a machine may take, milliseconds. */
const LONGEST = 5 * 60_000

/**
 * Has a machine look at its disks again, because what it said of them no longer holds, and waits until it has.
 *
 * Gives up quietly when the machine goes away, takes too long or the signal is aborted: whoever decides by its disks then
 * finds the old word, and the node refuses that as it did before.
 */
export async function lookAgain(sessions: NodeSessions, { machine, attempt, step, timers, signal }: { readonly machine: string; readonly attempt: string; readonly step: string; readonly timers: Timers; readonly signal: AbortSignal }): Promise<void> {
  const session = sessions.session(machine)
  if (session === undefined || signal.aborted) return
  // Not the id of an attempt of the step: nothing of it has to be settled later.
  const look = `${attempt}/look`
  const { promise, resolve } = Promise.withResolvers<void>()
  const stop = (): void => resolve()
  using _late = timers.after(LONGEST, stop)
  using _subscription = sessions.subscribe((event) => {
    if (event.type === 'result' && event.result.attempt === look) resolve()
    else if (event.type === 'disconnected' && event.machine === machine) resolve()
  })
  signal.addEventListener('abort', stop)
  try {
    session.send({ kind: 'inspect', attempt: look, step, timeout: LONGEST / 1000 })
    await promise
  } finally {
    signal.removeEventListener('abort', stop)
    sessions.session(machine)?.acknowledge(look)
  }
}
