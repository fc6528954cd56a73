import { setTimeout as sleep } from 'node:timers/promises'
import type { LogEvent } from '../log/event-types.ts'
import { takeTurns } from '../take-turns.ts'
import { RackError } from './rack-error.ts'

/** Something that goes wrong on purpose, once. */
export interface Disturbance {
  /** As it was asked for. */
  readonly text: string
  /** `kill-agent`: kill -9 of the admin agent, which is started again. `power-cut`: a machine loses power, and gets it back. */
  readonly what: 'kill-agent' | 'power-cut'
  /** The machine that loses power; null for the agent. */
  readonly machine: string | null
  /** The clock starts when this step is sent, or ends without ever being sent. */
  readonly step: string
  readonly delayMs: number
}

/** What became of a disturbance. */
export interface DisturbanceReport {
  readonly text: string
  /** Since the rack was started; null: it never came. */
  readonly seconds: number | null
  /** What its step was doing when it hit. */
  readonly during: 'running' | 'over' | null
}

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000 }

/**
 * Reads `kill-agent@STEP+DELAY` and `power-cut:MACHINE@STEP+DELAY`; the delay is `500ms`, `20s` or `1m`, or not there.
 *
 * @throws {RackError} RACK_BAD_DISTURBANCE with what would be right.
 */
export function parseDisturbance(text: string): Disturbance {
  const [, what, machine, step, number = '0', unit = 's'] = /^(kill-agent|power-cut)(?::([^@]+))?@(.+?)(?:\+([0-9]{1,6})(ms|s|m))?$/.exec(text) ?? []
  if (step === undefined || (what === 'power-cut') !== (machine !== undefined)) {
    throw new RackError('RACK_BAD_DISTURBANCE', `not a disturbance: ${text}; write kill-agent@install@web+20s, or power-cut:MACHINE@STEP+1s`)
  }
  return { text, what: what as Disturbance['what'], machine: machine ?? null, step, delayMs: Number(number) * (UNITS[unit] ?? 1) }
}

/** Says that machines and steps of disturbances exist. @throws {RackError} RACK_BAD_DISTURBANCE naming those that do. */
export function checkDisturbances(disturbances: readonly Disturbance[], { machines, steps }: { readonly machines: readonly string[]; readonly steps: readonly string[] }): void {
  for (const { text, machine, step } of disturbances) {
    if (machine !== null && !machines.includes(machine)) throw new RackError('RACK_BAD_DISTURBANCE', `${text}: the rack has no machine ${machine}; it has ${machines.join(', ')}`)
    if (!steps.includes(step)) throw new RackError('RACK_BAD_DISTURBANCE', `${text}: the plan has no step ${step}; it has ${steps.join(', ')}`)
  }
}

/** Disturbances that are under way. */
export interface Disturber extends AsyncDisposable {
  heard(event: LogEvent): void
  /** What came of each, in the order they were given. */
  readonly reports: readonly DisturbanceReport[]
  /** True while one whose step has begun is still to come, or is being carried out. */
  readonly pending: boolean
}

/** Watches the log for the steps of disturbances, and carries each out once, one at a time. Closing drops what has not begun. */
export function openDisturber(
  disturbances: readonly Disturbance[],
  options: { readonly carryOut: (disturbance: Disturbance) => Promise<void>; readonly elapsedMs: () => number; readonly onError: (error: Error) => void; readonly signal: AbortSignal },
): Disturber {
  const closing = new AbortController()
  const signal = AbortSignal.any([options.signal, closing.signal])
  const running = new Set<string>()
  const begun = new Set<Disturbance>()
  const carried = new Map<Disturbance, Omit<DisturbanceReport, 'text'>>()
  let pending = 0
  const inTurn = takeTurns()
  const tasks: Promise<void>[] = []

  const later = async (disturbance: Disturbance): Promise<void> => {
    pending++
    try {
      await sleep(disturbance.delayMs, undefined, { signal })
      await inTurn(async () => {
        signal.throwIfAborted()
        carried.set(disturbance, { seconds: Math.round(options.elapsedMs() / 1000), during: running.has(disturbance.step) ? 'running' : 'over' })
        await options.carryOut(disturbance)
      })
    } catch (error) {
      if (!signal.aborted) options.onError(error as Error)
    } finally {
      pending--
    }
  }
  return {
    heard(event) {
      const step = 'step' in event.data && typeof event.data.step === 'string' ? event.data.step : undefined
      if (step === undefined) return
      const sent = event.type === 'step.sent'
      const ended = event.type === 'step.succeeded' || event.type === 'step.unchanged' || event.type === 'step.failed' || event.type === 'step.unknown'
      if (sent) running.add(step)
      if (ended) running.delete(step)
      if (!sent && !ended) return
      for (const disturbance of disturbances) {
        if (disturbance.step !== step || begun.has(disturbance)) continue
        begun.add(disturbance)
        tasks.push(later(disturbance))
      }
    },
    get reports() {
      return disturbances.map(one => ({ text: one.text, ...(carried.get(one) ?? { seconds: null, during: null }) }))
    },
    get pending() {
      return pending > 0
    },
    async [Symbol.asyncDispose]() {
      closing.abort()
      await Promise.all(tasks)
    },
  }
}
