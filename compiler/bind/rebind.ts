import { diskId } from '../../schemas/inventory.ts'
import { idOfLocked } from '../../schemas/lock.ts'
import type { Lock } from '../../schemas/lock.ts'
import type { BoundMachine } from './bound-site.ts'

/** What of a lock is to be decided anew. Everything else stays as the lock has it. */
export interface Rebind {
  /** `deployment/role`: members by `where` that do not match leave, and the last of those that are more than `count.max`. */
  readonly roles: ReadonlySet<string>
  /** Nodes that leave every role by `where` that they do not match. */
  readonly nodes: ReadonlySet<string>
  /** Nodes whose operating system rules choose anew. */
  readonly os: ReadonlySet<string>
  readonly hardware: ReadonlySet<string>
  /** Nodes that let their machine go when it is not one that they could claim. */
  readonly machine: ReadonlySet<string>
  /** Nodes that get others for disks which are not in their machine any more. */
  readonly disks: ReadonlySet<string>
}

const NOBODY: ReadonlySet<string> = new Set()
export const NO_REBIND: Rebind = { roles: NOBODY, nodes: NOBODY, os: NOBODY, hardware: NOBODY, machine: NOBODY, disks: NOBODY }

/** The lock without the choices that rules are to make anew. */
export function withoutChoices(lock: Lock, { os, hardware }: Rebind): Lock {
  if (os.size + hardware.size === 0) return lock
  const nodes = Object.entries(lock.nodes).map(([name, { os: system, hardware: kind, ...rest }]) => {
    return [name, { ...rest, ...(system === undefined || os.has(name) ? {} : { os: system }), ...(kind === undefined || hardware.has(name) ? {} : { hardware: kind }) }] as const
  })
  return { ...lock, nodes: Object.fromEntries(nodes) }
}

export interface Claimed {
  readonly claims: ReadonlyMap<string, string>
  readonly machines: ReadonlyMap<string, BoundMachine>
}

/** The lock without disks that have gone from the machines of the nodes that get others; those that are there stay. */
export function withoutLostDisks(lock: Lock, { disks: nodes }: Rebind, { claims, machines }: Claimed): Lock {
  if (nodes.size === 0) return lock
  const disks = Object.entries(lock.disks ?? {}).flatMap(([key, locked]) => {
    const node = key.slice(0, key.indexOf('/'))
    const machine = machines.get(claims.get(node) ?? '')
    if (!nodes.has(node) || machine === undefined) return [[key, locked] as const]
    const there = new Set(machine.facts.disks.map(diskId))
    const left = locked.filter((disk) => there.has(idOfLocked(disk)))
    return left.length === 0 ? [] : [[key, left] as const]
  })
  return { ...lock, disks: Object.fromEntries(disks) }
}
