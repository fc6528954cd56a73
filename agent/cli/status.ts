import type { PendingApproval, Status, StepStatus } from '../../schemas/control.ts'
import { controlClient } from '../control/control-client.ts'
import { sayControlError } from './order.ts'
import type { SocketOptions } from './order.ts'
import { table } from './table.ts'

/** `crowbar status`. */
export async function statusCommand(options: SocketOptions): Promise<number> {
  try {
    const status = await controlClient(options.socket).get<Status>('/status')
    process.stdout.write(options.format === 'json' ? `${JSON.stringify(status, null, 2)}\n` : printStatus(status))
    return status.run?.state === 'failed' ? 1 : 0
  } catch (error) {
    return sayControlError(error)
  }
}

/** One screen: the site, the run, each node, what waits and what for. */
export function printStatus(status: Status): string {
  const lines = [
    `${status.agent.node}  epoch ${status.agent.epoch}${status.agent.frozen ? '  FROZEN' : ''}${status.agent.ready ? '' : `  not ready: ${status.agent.readyReason ?? ''}`}`,
    `site  ${status.site.repository} ${status.site.branch} ${status.site.commit?.slice(0, 12) ?? '-'}  ${status.site.state}${status.site.reason === null ? '' : `: ${status.site.reason}`}`,
    status.run === null ? 'run   none yet' : `run   ${status.run.run} of ${status.run.commit.slice(0, 12)}: ${status.run.state}`,
    ...(status.held === null ? [] : [`held  ${status.held.commit.slice(0, 12)} is not applied by itself: ${status.held.because}; look at it (crowbar apply --dry-run), then crowbar apply`]),
    '',
    ...table(['node', 'os', 'address', 'connected', 'doing'], status.nodes.map(node => [node.name, node.os ?? '-', node.address ?? '-', node.connected ?? 'no', node.doing])),
  ]
  const rollouts = status.rollouts.filter(({ state }) => state !== 'done')
  if (rollouts.length > 0) lines.push('', ...table(['rollout', 'batch', 'state', 'because'], rollouts.map(({ id, batch, batches, state, reason }) => [id, `${batch} of ${batches}`, state, reason ?? ''])))
  const unclaimed = status.machines.filter(machine => machine.node === null)
  if (unclaimed.length > 0) lines.push('', ...table(['machine', 'unclaimed'], unclaimed.map(machine => [machine.id, machine.summary])))
  const open = status.steps.filter(step => !DONE.has(step.state))
  if (open.length > 0) lines.push('', ...table(['step', 'state', 'because'], open.map(step => [step.id, step.state, step.reason ?? ''])))
  for (const approval of status.approvals) {
    lines.push('', ...printApproval(approval), `  crowbar approve ${approval.step} --seen ${approval.code}`)
  }
  return `${lines.join('\n')}\n`
}

/** What a step would overwrite, disk by disk. */
export function printApproval({ step, machine, disks }: PendingApproval): string[] {
  const overwrites = disks.map(disk => `  ${disk.serial || disk.id}  ${(disk.bytes / 1e9).toFixed(1)} GB  ${disk.summary}`)
  return [`APPROVAL NEEDED  ${step} on machine ${machine} ${disks.length === 0 ? 'deletes data' : 'overwrites:'}`, ...overwrites]
}

const DONE: ReadonlySet<StepStatus['state']> = new Set(['succeeded', 'unchanged'])
