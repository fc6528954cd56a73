import { digest } from './canonical.ts'
import type { Digest } from './canonical.ts'
import type { Step, StepKind } from './plan.ts'

/** What tells one installation from every other one. */
export interface Incarnation {
  readonly node: string
  /** Key of the install step: machine, os, disks, layout and generation. */
  readonly once: string | null
  /** The attempt that put the system there; null where it was taken over as it was (joined). */
  readonly attempt: string | null
}

/**
 * The name of one installation of one node. No two have the same one, also when a node goes back to what it was before:
 * what an earlier installation ran says nothing about this one, and whoever bears its name is not this one.
 */
export function incarnation(of: Incarnation): Digest {
  return digest({ node: of.node, once: of.once, attempt: of.attempt })
}

/**
 * What the node agent of an admin node says in place of an installation. Whoever says it is never looked at as a machine:
 * its facts get into no inventory, so that nothing can claim it and install it.
 */
export const ADMIN_INCARNATION = 'admin'

/** The name under which an admin node's own node agent is connected. No machine has one like it. */
export function adminMachine(node: string): string {
  return `admin/${node}`
}

/** Whether that is the name of an admin node's own node agent. */
export function isAdminMachine(machine: string): boolean {
  return machine.startsWith('admin/')
}

const OUTLIVING: ReadonlySet<StepKind> = new Set(['discover', 'power', 'hardware', 'operation'])

/** Whether what a step did outlives a new installation: it is about the machine, or it is history. Roles of the discovery image come before the installation that they are for. */
export function outlivesInstallation({ kind, runsOn }: Pick<Step, 'kind' | 'runsOn'>): boolean {
  return OUTLIVING.has(kind) || runsOn === 'discovery'
}
