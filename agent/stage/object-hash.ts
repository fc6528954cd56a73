import { createHash } from 'node:crypto'

/** The name of an object: `sha256:` and 64 lower-case hex digits, over its bytes. */
export type ObjectHash = `sha256:${string}`

/** An object as it was put. */
export interface StoredObject {
  readonly hash: ObjectHash
  readonly bytes: number
}

/** True for `sha256:` and 64 lower-case hex digits. */
export function isObjectHash(text: string): text is ObjectHash {
  return /^sha256:[0-9a-f]{64}$/.test(text)
}

/** The name that bytes in memory have in a store. */
export function hashOf(content: Uint8Array | string): ObjectHash {
  return `sha256:${createHash('sha256').update(content).digest('hex')}`
}
