import type { NewEvent } from '../log/event-types.ts'
import type { ReportNodeEvent } from './node-event.ts'

export interface ReportNodesOptions {
  readonly append: (events: readonly NewEvent[]) => void
  readonly log: (message: string, fields?: Readonly<Record<string, unknown>>) => void
}

/** Puts what the node server tells into the event log; what only people care about goes to the log for people. */
export function reportNodes({ append, log }: ReportNodesOptions): ReportNodeEvent {
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
        if (event.alarm) append([{ type: 'machine.alarmed', data: { code: event.code, message: event.message, address: event.address, macs: event.macs, node: event.node } }])
        return log('machine turned away', { code: event.code, message: event.message, address: event.address, macs: event.macs, node: event.node })
    }
  }
}
