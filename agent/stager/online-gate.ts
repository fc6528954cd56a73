/** Whether upstreams may be asked: the site says, so that nobody asks before it was looked at. */
export interface OnlineGate {
  /** As far as it is known now. */
  readonly now: () => boolean
  /** Waits until it is known, or until the signal aborts. */
  readonly soon: () => Promise<boolean>
  /** The site was looked at, with whatever result: its last plan, if there is one, says it from here on. */
  readonly open: () => void
}

/** @param allowed what the last plan says; false while there is none. */
export function openOnlineGate(allowed: () => boolean, signal: AbortSignal): OnlineGate {
  const looked = Promise.withResolvers<void>()
  let hasLooked = false
  const now = (): boolean => hasLooked && allowed()
  if (signal.aborted) looked.resolve()
  else signal.addEventListener('abort', () => looked.resolve(), { once: true })
  return {
    now,
    soon: () => looked.promise.then(now),
    open() {
      hasLooked = true
      looked.resolve()
    },
  }
}
