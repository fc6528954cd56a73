import type { Timers } from '../drivers/driver.ts'

/** The longest wait that setTimeout() knows, milliseconds; it fires at once for a longer one. */
const LONGEST = 2 ** 31 - 1

/** The machine's own clock and timers. A waiting timer does not keep the process alive. */
export function systemTimers(): Timers {
  return {
    now: () => Date.now(),
    after(milliseconds, callback) {
      const timer = setTimeout(callback, Math.min(Math.max(0, milliseconds), LONGEST)).unref()
      return { [Symbol.dispose]: () => clearTimeout(timer) }
    },
  }
}
