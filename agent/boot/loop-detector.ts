/** Loaders a machine may fetch in one window without ever asking for its script. */
const mostFetches = 3
const windowMs = 120_000
/** Machines that are remembered, at most; the longest unseen is forgotten first. */
const mostMachines = 10_000

/**
 * Notices a machine that fetches its network boot program again and again: the program then does not do what it is for,
 * which is to ask for the script. Such a machine gets no loader until the window has passed, so that its firmware goes
 * on to the next device instead of turning in circles.
 */
export class LoopDetector {
  readonly #fetches = new Map<string, readonly number[]>()

  /**
   * Notes that a machine has fetched a loader whole.
   *
   * @param now monotonic milliseconds.
   * @returns how many it has fetched, if that is one too many; undefined else.
   */
  loaderSent(mac: string, now: number): number | undefined {
    const recent = [...this.#recent(mac, now), now]
    this.#fetches.delete(mac)
    this.#fetches.set(mac, recent)
    const [oldest] = this.#fetches.keys()
    if (this.#fetches.size > mostMachines && oldest !== undefined) this.#fetches.delete(oldest)
    return recent.length > mostFetches ? recent.length : undefined
  }

  /** Notes that a machine asked for its script: it is getting on. */
  scriptSent(mac: string): void {
    this.#fetches.delete(mac)
  }

  /** Whether a machine is going round in circles and should get no loader now. */
  isLooping(mac: string, now: number): boolean {
    return this.#recent(mac, now).length > mostFetches
  }

  #recent(mac: string, now: number): readonly number[] {
    return (this.#fetches.get(mac) ?? []).filter((at) => now - at < windowMs)
  }
}
