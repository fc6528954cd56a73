/** Carries out what it is given one after the other, each when the one before has ended, well or not. Settles as the work does. */
export type Turns = <T>(work: () => Promise<T>) => Promise<T>

/** One queue, and nothing in it. Its turns are over when `turns(async () => {})` is. */
export function takeTurns(): Turns {
  let last: Promise<unknown> = Promise.resolve()
  return work => {
    const next = last.then(work)
    last = next.catch(() => undefined)
    return next
  }
}
