import { printable } from '../control/printable.ts'
import type { LogEvent } from '../log/event-types.ts'

/**
 * One event as text for people; undefined for what only machines care about. Names and messages come from machines that
 * may lie: nothing of them moves a cursor, and no second line of one looks like an event of its own.
 */
export function tell(event: LogEvent): string | undefined {
  const text = words(event)
  return text === undefined ? undefined : printable(text.trimEnd().replaceAll('\n', '\n    '))
}

function words(event: LogEvent): string | undefined {
  switch (event.type) {
    case 'agent.started': return `agent ${event.data.node} started, epoch ${event.epoch}`
    case 'agent.stopped': return `agent stopped: ${event.data.reason}`
    case 'site.compiled': return `compiled ${event.data.commit.slice(0, 12)}: ${event.data.changed} steps to run${event.data.complete ? '' : `, ${event.data.missing.length} things not known yet`}`
    case 'site.refused': return `commit ${event.data.commit.slice(0, 12)} is not carried out: ${event.data.message}`
    case 'site.unreachable': return `the site repository cannot be reached: ${event.data.message}`
    case 'machine.seen': return `machine ${event.data.machine} seen: ${event.data.macs.join(' ')}, ${event.data.firmware}`
    case 'machine.quarantined': return `machine ${event.data.machine} is in quarantine: ${event.data.reason}`
    case 'machine.alarmed': return `ALARM: ${event.data.node ?? (event.data.macs.join(' ') || 'a machine')} at ${event.data.address ?? 'an unknown address'} was turned away: ${event.data.message}`
    case 'machine.admitted': return `machine ${event.data.machine} admitted by ${event.data.by}`
    case 'node.connected': return `${event.data.node ?? event.data.machine} connected (${event.data.environment})`
    case 'node.disconnected': return `${event.data.node ?? event.data.machine} disconnected: ${event.data.reason}`
    case 'node.imaged': return `${event.data.node}: the system is on its disk`
    case 'node.renamed': return event.data.nodes.map(({ from, to }) => `${from} is called ${to} from now on`).join('\n')
    case 'run.started': return `run ${event.data.run} of ${event.data.commit.slice(0, 12)} started: ${event.data.steps} steps`
    case 'run.extended': return `run ${event.data.run} goes on with ${event.data.commit.slice(0, 12)}: ${event.data.reason}`
    case 'run.continued': return `run ${event.data.run} goes on: ${event.data.reason}`
    case 'run.cancelled': return `run ${event.data.run} cancelled by ${event.data.by}`
    case 'run.ended': return `run ${event.data.run} ended ${event.data.state}: ${event.data.succeeded} succeeded, ${event.data.unchanged} unchanged, ${event.data.failed} failed, ${event.data.skipped} skipped, ${event.data.waiting} waiting${event.data.reason === '' ? '' : ` (${event.data.reason})`}`
    case 'rollout.resumed': return `${event.data.rollout} goes on after batch ${event.data.batch + 1}: ${event.data.by} said so`
    case 'run.refused': return `refused ${event.data.commit.slice(0, 12)}: ${event.data.message}`
    case 'step.sent': return `${event.data.step} started${event.data.n > 1 ? `, attempt ${event.data.n}` : ''}`
    case 'step.waiting': return `${event.data.step} waits: ${event.data.reason}`
    case 'step.succeeded': return `${event.data.step} succeeded${event.data.seconds > 0 ? ` in ${event.data.seconds} s` : ''}`
    case 'step.unchanged': return `${event.data.step} unchanged`
    case 'step.failed': return event.data.retryAfterMs !== null && event.data.step.startsWith('gate/') ? `${event.data.step} has not passed yet: ${event.data.message}` : `${event.data.step} FAILED: ${event.data.message} (${event.data.code})${event.data.retryAfterMs === null ? '' : `, again in ${Math.round(event.data.retryAfterMs / 1000)} s`}`
    case 'step.unknown': return `${event.data.step} unknown: ${event.data.reason}`
    case 'step.skipped': return `${event.data.step} skipped, because of ${event.data.cause}`
    case 'step.cancelled': return `${event.data.step} cancelled by ${event.data.by}`
    case 'approval.given': return `${event.data.approval.step} approved by ${event.data.by} for ${event.data.approval.disks.map(disk => disk.serial || disk.id).join(', ')}`
    case 'approval.voided': return `approval of ${event.data.step} is void: ${event.data.reason}`
    case 'inventory.committed': return `inventory and lock committed: ${event.data.commit.slice(0, 12)}${event.data.proposed ? ' (proposed)' : ''}`
    case 'ledger.published': return `ledger published: ${event.data.commit.slice(0, 12)}`
    case 'freeze.on': return `frozen by ${event.data.by}: ${event.data.reason}`
    case 'freeze.off': return `thawed by ${event.data.by}`
    case 'machine.enrolled':
    case 'machine.facts':
    case 'machine.disks':
    case 'step.accepted':
      return undefined
    // Each of them is heard of once.
    case 'boot.seen':
      return event.data.kind === 'boot.dhcp.foreign' ? `ANOTHER DHCP SERVER answers on ${word(event.data.data['interface'])}: ${word(event.data.data['server'])}` : undefined
  }
}

function word(value: unknown): string {
  return typeof value === 'string' ? value : '?'
}
