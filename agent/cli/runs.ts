import type { RunRecord } from '../../schemas/control.ts'
import { controlClient } from '../control/control-client.ts'
import { sayControlError } from './order.ts'
import type { SocketOptions } from './order.ts'
import { table } from './table.ts'

/** `crowbar runs`: every run, the newest first. */
export async function runsCommand(options: SocketOptions): Promise<number> {
  try {
    const runs = await controlClient(options.socket).get<readonly RunRecord[]>('/runs')
    process.stdout.write(options.format === 'json' ? `${JSON.stringify(runs, null, 2)}\n` : printRuns(runs))
    return 0
  } catch (error) {
    return sayControlError(error)
  }
}

/** A line a run: what it carried out, when, and what came of it. */
export function printRuns(runs: readonly RunRecord[]): string {
  if (runs.length === 0) return 'no run yet\n'
  const headings = ['run', 'commit', 'state', 'started', 'ended', 'steps', 'ok', 'same', 'failed', 'skipped', 'waiting', 'because']
  const rows = runs.map(({ run, commit, state, started, ended, steps, succeeded, unchanged, failed, skipped, waiting, reason }) => [
    String(run), commit.slice(0, 12), state, minute(started), ended === null ? '-' : minute(ended),
    ...[steps, ...(ended === null ? [] : [succeeded, unchanged, failed, skipped, waiting])].map(String), ...(ended === null ? ['', '', '', '', ''] : []), reason,
  ])
  return `${table(headings, rows).join('\n')}\n`
}

function minute(time: string): string {
  return `${time.slice(0, 10)} ${time.slice(11, 19)}`
}
