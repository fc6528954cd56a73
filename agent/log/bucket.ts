/** How much may be written down of what anybody on a network can cause. */
export interface BucketOptions {
  /** So many at once. */
  readonly burst: number
  /** So many a second, in the long run. */
  readonly perSecond: number
  /** Milliseconds; may jump. */
  readonly now: () => number
}

/** A token bucket: each call takes one token, and says how many calls before it got none; undefined when this one gets none. */
export function openBucket({ burst, perSecond, now }: BucketOptions): () => number | undefined {
  let tokens = burst
  let refilled = now()
  let dropped = 0
  return () => {
    const at = now()
    tokens = Math.min(burst, tokens + (Math.max(0, at - refilled) / 1000) * perSecond)
    refilled = at
    if (tokens < 1) {
      dropped++
      return undefined
    }
    tokens--
    const before = dropped
    dropped = 0
    return before
  }
}
