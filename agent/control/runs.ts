import type { RunRecord } from '../../schemas/control.ts'
import type { LogEvent } from '../log/event-types.ts'
import type { EventStore } from '../log/store.ts'

const PAGE = 1000
const TYPES = ['run.started', 'run.extended', 'run.continued', 'run.ended'] as const

/** Every run that the log knows of, the newest first. */
export async function listRuns(store: EventStore): Promise<readonly RunRecord[]> {
  const events: LogEvent[] = []
  for (const type of TYPES) {
    for (let after = 0; ;) {
      const page = await store.read({ after, type, limit: PAGE })
      events.push(...page)
      const end = page.at(-1)
      if (end === undefined || page.length < PAGE) break
      after = end.seq
    }
  }
  return foldRuns(events.toSorted((a, b) => a.seq - b.seq))
}

/** The runs that these events are about, the newest first. Pure. */
export function foldRuns(events: readonly LogEvent[]): readonly RunRecord[] {
  const runs = new Map<number, RunRecord>()
  for (const { type, time, data } of events) {
    if (type === 'run.started') {
      runs.set(data.run, { run: data.run, commit: data.commit, state: 'running', reason: data.reason, started: time, ended: null, steps: data.steps, succeeded: 0, unchanged: 0, failed: 0, skipped: 0, waiting: 0 })
    } else if (type === 'run.extended') {
      change(runs, data.run, { commit: data.commit, steps: data.steps, state: 'running', ended: null, reason: data.reason })
    } else if (type === 'run.continued') {
      change(runs, data.run, { state: 'running', ended: null, reason: data.reason })
    } else if (type === 'run.ended') {
      const { run, ...sums } = data
      change(runs, run, { ...sums, ended: time })
    }
  }
  return [...runs.values()].toReversed()
}

function change(runs: Map<number, RunRecord>, run: number, what: Partial<RunRecord>): void {
  const before = runs.get(run)
  if (before !== undefined) runs.set(run, { ...before, ...what })
}
