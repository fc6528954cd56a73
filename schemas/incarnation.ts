import { digest } from './canonical.ts'
import type { Digest } from './canonical.ts'
import type { StepKind } from './plan.ts'

/** What one installation is an installation of. */
export interface Incarnation {
  readonly node: string
  readonly machine: string
  /** Counted up in the lock to ask for a new installation of the same node on the same machine. */
  readonly generation: number
}

/** The name of one installation of one node on one machine. What it ran on an earlier one says nothing about this one. */
export function incarnation(of: Incarnation): Digest {
  return digest({ node: of.node, machine: of.machine, generation: of.generation })
}

const OUTLIVING: ReadonlySet<StepKind> = new Set(['discover', 'power', 'hardware', 'operation'])

/** Whether what a step of this kind did outlives a new installation: it is about the machine, or it is history. */
export function outlivesInstallation(kind: StepKind): boolean {
  return OUTLIVING.has(kind)
}
