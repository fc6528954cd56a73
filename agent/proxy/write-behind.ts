/** Forces objects to disk when clients do not wait for the disk: when nothing is arriving any more, or after a while. */
export interface WriteBehind {
  /** Something is on its way. */
  expect(): void
  /** It has come, or will not. */
  arrived(): void
  readonly write: <T>(work: () => Promise<T>) => Promise<T>
  /** Lets all that waits begin. */
  readonly hurry: () => void
}

/** Milliseconds without an arrival that count as calm. */
const CALM_MS = 100
/** For how long an object may wait, milliseconds. */
const LONGEST_MS = 2_000
/** Objects that may wait: each has a file open. */
const MOST_WAITING = 256
/** Objects that are forced to disk at once: each takes a thread of four for as long as the disk takes. */
const MOST_AT_ONCE = 2

export function openWriteBehind(): WriteBehind {
  let arriving = 0
  let working = 0
  let calm: NodeJS.Timeout | undefined
  const waiting = new Set<() => void>()
  const queue: (() => void)[] = []

  const hurry = (): void => {
    for (const begin of waiting) begin()
  }
  const wait = (): Promise<void> => new Promise(resolve => {
    const begin = (): void => {
      clearTimeout(timer)
      waiting.delete(begin)
      resolve()
    }
    const timer = setTimeout(begin, LONGEST_MS)
    waiting.add(begin)
  })
  const soon = (): void => {
    clearTimeout(calm)
    if (arriving === 0 && waiting.size > 0) calm = setTimeout(hurry, CALM_MS)
  }
  return {
    hurry,
    expect() {
      arriving += 1
      clearTimeout(calm)
    },
    arrived() {
      arriving -= 1
      soon()
    },
    async write(work) {
      if (waiting.size < MOST_WAITING) {
        const waited = wait()
        soon()
        await waited
      }
      if (working >= MOST_AT_ONCE) await new Promise<void>(resolve => queue.push(resolve))
      working += 1
      try {
        return await work()
      } finally {
        working -= 1
        queue.shift()?.()
      }
    },
  }
}
