import type { Event } from '../../schemas/event.ts'
import { EVENT_VERSIONS } from './event-types.ts'
import type { LogEvent } from './event-types.ts'
import { LogError } from './log-error.ts'

/** Turns data of version `v` of a type into data of version `v + 1`. */
type Step = (data: Event['data']) => Event['data']

/** Runs had no waves. */
const withoutRollouts: Step = data => ({ ...data, rollouts: [] })

/** No step restarted a machine. */
const withoutBoot: Step = data => ({ ...data, boot: null })

/** By type and old version. */
const STEPS: Readonly<Record<string, Readonly<Record<number, Step>>>> = { 'run.started': { 1: withoutRollouts }, 'run.extended': { 1: withoutRollouts }, 'step.sent': { 1: withoutBoot } }

/**
 * Gives an event as this version of Crowbar knows it, whatever version wrote it.
 *
 * @param steps for tests. @throws {LogError} EVENT_UNKNOWN for a type or version of a newer Crowbar.
 */
export function upcast(event: Event, steps: typeof STEPS = STEPS, versions: Readonly<Record<string, number>> = EVENT_VERSIONS): LogEvent {
  const current = Object.hasOwn(versions, event.type) ? versions[event.type] : undefined
  if (current === undefined || event.v > current) {
    throw new LogError('EVENT_UNKNOWN', `event ${event.seq} is a ${event.type} of version ${event.v}, which this Crowbar does not know: the log was written by a newer one`, { data: { seq: event.seq, type: event.type, v: event.v } })
  }
  let data = event.data
  for (let v = event.v; v < current; v++) {
    const step = steps[event.type]?.[v]
    if (step === undefined) throw new LogError('EVENT_UNKNOWN', `no way from version ${v} of ${event.type} to version ${v + 1}`, { data: { seq: event.seq, type: event.type, v } })
    data = step(data)
  }
  // The types are closed and written by this program alone; the version is the check that matters.
  return { ...event, v: current, data } as unknown as LogEvent
}
