/** How a transfer goes, after its options were agreed on. */
export interface TransferTerms {
  /** Bytes in a DATA packet (RFC 2348). */
  readonly blockBytes: number
  /** DATA packets per ACK (RFC 7440). */
  readonly windowBlocks: number
  /** Fixed time until a packet is sent again, milliseconds (RFC 2349); undefined: ours, which grows. */
  readonly timeoutMs: number | undefined
  /** Block number on the wire after 65535: 0, or 1 where the client asks so. */
  readonly rollover: 0 | 1
  /** What to acknowledge, in the client's order; empty: no OACK at all. */
  readonly accepted: ReadonlyMap<string, string>
}

/** What we are ready for. */
export interface TransferLimits {
  /** 1468 fills an Ethernet frame; a larger block is cut into fragments, which firmware loses. */
  readonly mostBlockBytes: number
  readonly mostWindowBlocks: number
}

/**
 * Agrees on the options of a read request (RFC 2347 §4). Unknown options and values out of bounds are left out, as if
 * they had not been asked for; nothing that was not asked for is acknowledged.
 *
 * @param size bytes of the whole file as it will be sent; the answer to `tsize`.
 */
export function negotiate(asked: ReadonlyMap<string, string>, size: number, limits: TransferLimits): TransferTerms {
  const accepted = new Map<string, string>()
  let blockBytes = 512
  let windowBlocks = 1
  let timeoutMs: number | undefined
  let rollover: 0 | 1 = 0
  for (const [name, text] of asked) {
    const value = /^[0-9]{1,10}$/.test(text) ? Number(text) : undefined
    if (value === undefined) continue
    if (name === 'blksize' && value >= 8 && value <= 65_464) {
      blockBytes = Math.min(value, limits.mostBlockBytes)
      accepted.set(name, String(blockBytes))
    } else if (name === 'tsize') {
      accepted.set(name, String(size))
    } else if (name === 'timeout' && value >= 1 && value <= 255) {
      timeoutMs = value * 1000
      accepted.set(name, text)
    } else if (name === 'windowsize' && value >= 1 && value <= 65_535) {
      windowBlocks = Math.min(value, limits.mostWindowBlocks)
      accepted.set(name, String(windowBlocks))
    } else if (name === 'rollover' && value <= 1) {
      rollover = value === 0 ? 0 : 1
      accepted.set(name, text)
    }
  }
  return { blockBytes, windowBlocks, timeoutMs, rollover, accepted }
}

/** The number that stands for block `n` (1, 2, 3, …) on the wire. */
export function wireBlock(n: number, rollover: 0 | 1): number {
  if (n < 65_536) return n
  return rollover === 0 ? n % 65_536 : ((n - 1) % 65_535) + 1
}
