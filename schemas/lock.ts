import { either, integer, list, literal, map, object, optional, string } from './shape.ts'
import type { TypeOf } from './shape.ts'

/** A disk of an array that goes on without it: what an install has to know of it, also when it is not in its machine any more. */
const lockedDisk = object({ id: string({}, 'As diskId() gives it.'), serial: string(), bytes: integer({ min: 0 }) })

/**
 * `site.lock.json`: what must not move stays put. Written one entry a line, keys sorted, so that git merges it.
 * Keys are addresses: `node`, `deployment/role`, `network/node`.
 */
export const lockShape = object({
  kind: literal('lock'),
  version: literal(1),
  /** node → machine id. */
  claims: map(string()),
  /** node → { os that a rule chose, hardware that a rule chose, generation of the installation }. */
  nodes: map(object({ index: integer({ min: 0 }), os: optional(string()), hardware: optional(string()), generation: optional(integer({ min: 0 })), was: optional(string({}, 'The name that it had, while its document says `moved`.')) })),
  /** `deployment/role` → bound nodes by index, founder first bound. An index is never reused: `next` only grows. */
  bindings: map(object({ members: map(integer({ min: 0 })), next: integer({ min: 0 }), founder: optional(string()) })),
  /** `network/node`, or `network/deployment:name` for virtual addresses → address. */
  addresses: map(string()),
  /** `node/entry` → ids of the disks that the entry of its hardware document has; without such a document `node/system`. */
  disks: optional(map(list(either([string(), lockedDisk])))),
  /** `URL ref` of a git repository with barclamps → commit. Neither holds a space. */
  barclamps: map(string()),
  /** Artifact set → digest of its file below artifacts/. */
  artifacts: map(string()),
})
export type Lock = TypeOf<typeof lockShape>
export type LockedDisk = NonNullable<Lock['disks']>[string][number]

export function idOfLocked(disk: LockedDisk): string {
  return typeof disk === 'string' ? disk : disk.id
}

/** The lock of a site that has none yet. */
export const EMPTY_LOCK: Lock = { kind: 'lock', version: 1, claims: {}, nodes: {}, bindings: {}, addresses: {}, disks: {}, barclamps: {}, artifacts: {} }
