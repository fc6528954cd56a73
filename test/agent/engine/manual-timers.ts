import type { Timers } from '../../../agent/drivers/driver.ts'

/** A clock that stands until it is advanced. */
export interface ManualTimers extends Timers {
  /** Moves the clock on and calls back, in order, what falls due. */
  advance(milliseconds: number): void
}

export function manualTimers(start = Date.parse('2026-01-01T00:00:00.000Z')): ManualTimers {
  let now = start
  const waiting = new Set<{ readonly at: number; readonly callback: () => void }>()
  return {
    now: () => now,
    after(milliseconds, callback) {
      const entry = { at: now + milliseconds, callback }
      waiting.add(entry)
      return { [Symbol.dispose]: () => void waiting.delete(entry) }
    },
    advance(milliseconds) {
      const until = now + milliseconds
      for (;;) {
        const next = [...waiting].filter((entry) => entry.at <= until).toSorted((a, b) => a.at - b.at)[0]
        if (next === undefined) break
        waiting.delete(next)
        now = Math.max(now, next.at)
        next.callback()
      }
      now = until
    },
  }
}
