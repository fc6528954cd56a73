import { createInterface } from 'node:readline/promises'
import type { ApproveAnswer } from '../../schemas/control.ts'
import { controlClient } from '../control/control-client.ts'
import { sayControlError } from './order.ts'
import type { SocketOptions } from './order.ts'
import { printApproval } from './status.ts'

export interface ApproveOptions extends SocketOptions {
  /** Codes that `status` showed. */
  readonly seen?: readonly string[]
}

const CHANGED = 4

/**
 * `crowbar approve`: approves exactly what was shown: under the codes given, or here and now; on a terminal after asking.
 *
 * @returns 0 when something was approved, 1 when nothing was, 4 when what waits is not what was shown.
 */
export async function approveCommand(steps: readonly string[], options: ApproveOptions): Promise<number> {
  const client = controlClient(options.socket)
  try {
    const order = options.seen === undefined ? await look() : { steps, seen: options.seen }
    if (typeof order === 'number') return order
    const answer = await client.post<ApproveAnswer>('/approve', order)
    return say(answer)
  } catch (error) {
    return sayControlError(error)
  }

  async function look(): Promise<{ readonly steps: readonly string[]; readonly seen: readonly string[] } | number> {
    const shown = await client.post<ApproveAnswer>('/approve', { steps, dryRun: true })
    if (shown.outcome !== 'shown') return say(shown)
    if (process.stdin.isTTY && process.stderr.isTTY && !(await agree(shown))) {
      process.stderr.write('nothing was approved\n')
      return 1
    }
    return { steps: [...shown.approvals.map(({ step }) => step), ...shown.rollouts], seen: shown.approvals.map(({ code }) => code) }
  }

  function say(answer: ApproveAnswer): number {
    process.stdout.write(options.format === 'json' ? `${JSON.stringify(answer)}\n` : `${answer.message}\n`)
    return answer.outcome === 'approved' ? 0 : answer.outcome === 'changed' ? CHANGED : 1
  }
}

async function agree({ approvals, rollouts }: ApproveAnswer): Promise<boolean> {
  process.stderr.write(`${[...approvals.flatMap(one => printApproval(one)), ...rollouts.map(id => `${id} goes on after its pause`)].join('\n')}\n`)
  const lines = createInterface({ input: process.stdin, output: process.stderr })
  try {
    return /^y(es)?$/i.test((await lines.question('approve? [y/N] ')).trim())
  } finally {
    lines.close()
  }
}
