import type { NewEvent } from './event-types.ts'

/** The stream that an event belongs to: `agent`, `site`, `run/<n>`, `node/<name>`, `machine/<id>` or `boot/<mac>`. */
export function streamOf(event: NewEvent): string {
  switch (event.type) {
    case 'agent.started':
    case 'agent.stopped':
    case 'freeze.on':
    case 'freeze.off':
    case 'machine.alarmed':
      return 'agent'
    case 'site.compiled':
    case 'site.refused':
    case 'site.unreachable':
    case 'inventory.committed':
    case 'ledger.published':
    case 'node.renamed':
    case 'run.refused':
      return 'site'
    case 'machine.seen':
    case 'machine.enrolled':
    case 'machine.facts':
    case 'machine.disks':
    case 'machine.quarantined':
    case 'machine.admitted':
      return `machine/${event.data.machine}`
    case 'node.connected':
    case 'node.disconnected':
      return event.data.node === null ? `machine/${event.data.machine}` : `node/${event.data.node}`
    case 'approval.given':
    case 'approval.voided':
      return event.data.node === null ? 'agent' : `node/${event.data.node}`
    case 'boot.seen':
      return `boot/${event.data.mac ?? 'unknown'}`
    case 'node.imaged':
    case 'run.started':
    case 'run.extended':
    case 'run.continued':
    case 'run.cancelled':
    case 'run.ended':
    case 'rollout.resumed':
    case 'step.sent':
    case 'step.accepted':
    case 'step.waiting':
    case 'step.succeeded':
    case 'step.unchanged':
    case 'step.failed':
    case 'step.unknown':
    case 'step.skipped':
    case 'step.cancelled':
      return `run/${event.data.run}`
  }
}
