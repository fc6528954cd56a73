import type { ApproveAnswer } from '../../schemas/control.ts'
import { controlClient } from '../control/control-client.ts'
import { sayControlError } from './order.ts'
import type { SocketOptions } from './order.ts'

/** `crowbar approve`. @returns 0 when something was approved, 1 when nothing was. */
export async function approveCommand(steps: readonly string[], options: SocketOptions): Promise<number> {
  try {
    const answer = await controlClient(options.socket).post<ApproveAnswer>('/approve', { steps })
    process.stdout.write(options.format === 'json' ? `${JSON.stringify(answer)}\n` : `${answer.message}\n`)
    return answer.approved.length > 0 ? 0 : 1
  } catch (error) {
    return sayControlError(error)
  }
}
