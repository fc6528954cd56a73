import { openBucket } from '../log/bucket.ts'
import type { NewEvent } from '../log/event-types.ts'
import type { ReportNodeEvent } from './node-event.ts'

/** Alarms that are written into the log for ever. */
const ALARMS = { burst: 1000, perSecond: 0.2 } as const

export interface ReportNodesOptions {
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly append: (events: readonly NewEvent[]) => void
  readonly log: (message: string, fields?: Readonly<Record<string, unknown>>) => void
}

/** Puts what the node server tells into the event log; what only people care about goes to the log for people. */
export function reportNodes({ append, log, now }: ReportNodesOptions): ReportNodeEvent {
  const take = openBucket({ ...ALARMS, now })
  return event => {
    switch (event.type) {
      case 'enrolled':
        return append([{ type: 'machine.enrolled', data: { machine: event.machine, key: event.key, environment: event.environment, boot: event.boot } }])
      case 'connected': {
        const { machine, node, environment, incarnation, boot, address } = event
        return append([{ type: 'node.connected', data: { machine, node, environment, incarnation, boot, address } }])
      }
      case 'disconnected':
        return append([{ type: 'node.disconnected', data: { machine: event.machine, node: event.node, boot: event.boot, reason: event.reason } }])
      case 'held':
        return log('machine is held', { machine: event.machine, code: event.code, reason: event.reason })
      case 'refused':
        // Whoever reaches the port can cause these.
        if (event.alarm && take() !== undefined) append([{ type: 'machine.alarmed', data: { code: event.code, message: event.message, address: event.address, macs: event.macs, node: event.node } }])
        return log('machine turned away', { code: event.code, message: event.message, address: event.address, macs: event.macs, node: event.node })
    }
  }
}
