import type { NodeSession, NodeSessions, SessionEvent } from '../../../agent/drivers/sessions.ts'
import type { Task } from '../../../schemas/protocol.ts'
import type { LifeRack } from './agent-life.ts'

/**
 * The one machine behind a real node server, as one that runs the discovery image: what an engine under test has instead
 * of a rack.
 *
 * @param options.away its machine is not connected.
 */
export function machineSessions(sessions: NodeSessions, { machine, onSend, away }: { readonly machine: string; readonly onSend: (task: Task) => void; readonly away: boolean }): LifeRack {
  const dressed = new WeakMap<NodeSession, NodeSession>()
  const dress = (session: NodeSession): NodeSession => {
    const known = dressed.get(session)
    if (known !== undefined) return known
    const made: NodeSession = {
      machine, environment: 'discovery', node: null, incarnation: null, boot: session.boot,
      get disks() {
        return session.disks
      },
      get journal() {
        return session.journal
      },
      send(task) {
        if (task.kind === 'install' || task.kind === 'erase') onSend(task)
        session.send(task)
      },
      cancel: (attempt) => session.cancel(attempt),
      reboot: () => undefined,
      acknowledge: (attempt) => session.acknowledge(attempt),
    }
    dressed.set(session, made)
    return made
  }
  const current = (): NodeSession | undefined => {
    const session = away ? undefined : sessions.session(machine)
    return session === undefined ? undefined : dress(session)
  }
  return {
    machines: new Map([[machine, {}]]),
    connect() {
      const listeners = new Set<(event: SessionEvent) => void>()
      return {
        session: current,
        subscribe(listener) {
          listeners.add(listener)
          const inner = sessions.subscribe((event) => {
            if (!away) listener(event.type === 'connected' ? { type: 'connected', session: dress(event.session) } : event)
          })
          return {
            [Symbol.dispose]() {
              listeners.delete(listener)
              inner[Symbol.dispose]()
            },
          }
        },
        connectAll() {
          const session = current()
          if (session !== undefined) for (const listener of listeners) listener({ type: 'connected', session })
        },
      }
    },
  }
}
