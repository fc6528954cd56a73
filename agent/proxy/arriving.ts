import { createHash } from 'node:crypto'
import type { Incoming } from '../stage/incoming.ts'
import type { ObjectHash } from '../stage/object-hash.ts'
import { StageError } from '../stage/stage-error.ts'
import type { Store } from '../stage/store.ts'

/** An object that is coming, in a file or in memory. */
export type Arriving = Pick<Incoming, 'bytes' | 'write' | 'restart' | 'check' | 'keep' | typeof Symbol.asyncDispose>

/** An object that is coming, in memory alone until it is kept. */
export interface HeldArriving extends Arriving {
  /** What came so far, and room for the rest. */
  readonly content: Buffer
}

/** Takes an object of known size into memory: nothing of it touches the disk before it is found to be right. */
export function holdArriving({ hash, bytes: size, store }: { readonly hash: ObjectHash; readonly bytes: number; readonly store: Store }): HeldArriving {
  const content = Buffer.allocUnsafeSlow(size)
  let bytes = 0
  const check: Incoming['check'] = () => {
    const actual: ObjectHash = `sha256:${createHash('sha256').update(content.subarray(0, bytes)).digest('hex')}`
    if (actual !== hash) throw new StageError('STORE_HASH_MISMATCH', `expected ${hash}, but ${String(bytes)} bytes of ${actual} came`, { data: { expected: hash, actual, bytes } })
    return { hash, bytes }
  }
  return {
    content,
    get bytes() {
      return bytes
    },
    write(chunk) {
      content.set(chunk, bytes)
      bytes += chunk.length
      return Promise.resolve()
    },
    restart() {
      bytes = 0
      return Promise.resolve()
    },
    check,
    keep: () => store.put(content, { expected: hash }),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  }
}
