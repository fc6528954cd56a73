import type { StepWaiting } from './driver.ts'
import type { NodeSession } from './sessions.ts'

/** Milliseconds between looks; a machine that connects asks sooner. */
const LOOK = 60_000
/** How often a machine that runs from its disk is restarted before a person has to look. */
const MAX_RESTARTS = 3

/** Machines that run from their disk and are sent to the network, so that they come up in the discovery image. */
export interface NetworkBoots {
  /** Restarts the machine, and says what it is waited for. */
  ask(session: NodeSession, why: string): StepWaiting
  /** It came up in the discovery image. */
  came(machine: string): void
}

/** Counts in memory: an agent that is started anew tries again. */
export function networkBoots(): NetworkBoots {
  const restarts = new Map<string, number>()
  return {
    ask(session, why) {
      const { machine } = session
      const restarted = restarts.get(machine) ?? 0
      if (restarted >= MAX_RESTARTS) return { kind: 'waiting', reason: `machine ${machine} comes up from its disk; have it boot from the network`, afterMs: Infinity, on: 'person' }
      restarts.set(machine, restarted + 1)
      session.reboot(why)
      return { kind: 'waiting', reason: `machine ${machine} restarts ${why}`, afterMs: LOOK, on: 'machine' }
    },
    came: (machine) => void restarts.delete(machine),
  }
}
