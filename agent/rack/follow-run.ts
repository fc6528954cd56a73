import { setTimeout as sleep } from 'node:timers/promises'
import type { Status } from '../../schemas/control.ts'
import type { ControlClient } from '../control/control-client.ts'
import type { LogEvent } from '../log/event-types.ts'

export interface FollowRunOptions {
  readonly signal: AbortSignal
  /** Told each event once, in order. */
  readonly onEvent: (event: LogEvent) => void
  /** Told about once a second while the agent answers. */
  readonly onStatus: (status: Status) => void
  /** Something may still happen to this run, although it has ended. */
  readonly unsettled: () => boolean
  /** Told when rollouts were let go on after a pause. */
  readonly onPause?: (rollouts: readonly string[]) => void
}

/** How long the last events may take to arrive after the run has ended, milliseconds. */
const LAST_EVENTS_MS = 5_000

/**
 * Follows the run until it ends and nothing more is to come, whether or not the agent is there all the time: a `partial`
 * run goes on when a machine turns up, and a rollout is let go on after its pause, since nobody is there to look.
 */
export async function followRun(client: ControlClient, options: FollowRunOptions): Promise<'complete' | 'partial' | 'failed'> {
  const enough = new AbortController()
  const signal = AbortSignal.any([options.signal, enough.signal])
  let heard = 0
  const listening = listen(client, { signal, onEvent: event => {
    heard = event.seq
    options.onEvent(event)
  } })
  try {
    for (;;) {
      const status = await client.get<Status>('/status').catch(() => undefined)
      if (status !== undefined) options.onStatus(status)
      const state = status?.run?.state
      if (await letGoOn(client, status, options)) continue
      // Nobody approves that anything is overwritten: what waits for that waits for ever.
      const over = state === 'complete' || state === 'failed' || (state === 'partial' && (status?.approvals.length ?? 0) > 0)
      if (over && !options.unsettled()) {
        const { seq } = await client.get<{ seq: number }>('/sequence')
        for (let waited = 0; heard < seq && waited < LAST_EVENTS_MS; waited += 50) await sleep(50, undefined, { signal })
        if (!options.unsettled()) return state
      }
      await sleep(1000, undefined, { signal })
    }
  } finally {
    enough.abort()
    await listening
  }
}

async function letGoOn(client: ControlClient, status: Status | undefined, { onPause }: FollowRunOptions): Promise<boolean> {
  if (status?.run?.state !== 'partial') return false
  const paused = status.rollouts.flatMap(({ id, state }) => (state === 'paused' ? [id] : []))
  if (paused.length === 0) return false
  try {
    await client.post('/approve', { steps: paused })
  } catch {
    // The agent is away; it will be asked again.
    return false
  }
  onPause?.(paused)
  return true
}

/** Reads the log as it grows, again from where it was when the agent was away. */
async function listen(client: ControlClient, { signal, onEvent }: { readonly signal: AbortSignal; readonly onEvent: (event: LogEvent) => void }): Promise<void> {
  let after = 0
  while (!signal.aborted) {
    try {
      for await (const event of client.lines<LogEvent>(`/events?after=${after}&follow`, signal)) {
        after = event.seq
        onEvent(event)
      }
    } catch {
      // The agent is away; it will be asked again.
    }
    await sleep(200, undefined, { signal }).catch(() => undefined)
  }
}
