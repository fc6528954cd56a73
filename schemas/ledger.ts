import { machineStateShape } from './inventory.ts'
import { stepShape } from './plan.ts'
import { anything, boolean, integer, literal, map, nullable, object, oneOf, optional, string } from './shape.ts'
import type { TypeOf } from './shape.ts'

/** One step as it last succeeded, with all that undoing it needs. */
const entry = object({
  digest: string({}, 'Of the step.'),
  inputs: string({}, 'Digest of the document as it was dispatched, deferred values resolved; secrets by name and version.'),
  told: optional(string({}, 'Digest of what the document took from other steps, as these had reported it. Absent: it took nothing, or nobody noted it.')),
  once: nullable(string()),
  commit: string({}, 'The commit whose plan the step was part of.'),
  time: string({}, 'RFC 3339, UTC.'),
  provides: map(anything(), undefined, 'Values that are not sensitive.'),
  facts: optional(map(anything(), undefined, 'What the step reported about its node; nothing hangs on it.')),
  sealed: map(string(), undefined, 'Sensitive provides: name → digest of the value under the agent’s key, never the value.'),
  step: stepShape,
})
export type LedgerEntry = TypeOf<typeof entry>

/** `nodes/<node>.json` on `refs/crowbar/applied`. `_admin.json` holds the steps that have no node. */
export const ledgerNodeShape = object({
  version: literal(1),
  node: string(),
  index: optional(integer({ min: 0 }, 'Of the node in the lock: which node this is, whatever it is called. Absent where no step has run since it is kept.')),
  machine: nullable(string()),
  incarnation: nullable(string({}, 'Name of the installation that the node runs, no two have the same; null when nothing is installed.')),
  protect: optional(string({}, 'file:line:column of the node that was protected when a step of it last succeeded; absent: it was not. Never of an admin node.')),
  erased: optional(object({
    step: string({}, 'That erased the disks, or began to.'),
    machine: string(),
    generation: integer({ min: 0 }, 'The node is installed again only under a higher one, or on another machine.'),
  }, 'The node is held: nothing is installed, and nothing is to be.')),
  /** Step → what was sent and has not succeeded (attemptOf): what a destructive one destroys is gone already. */
  attempted: map(string()),
  steps: map(entry, undefined, 'By step id.'),
})
export type LedgerNode = TypeOf<typeof ledgerNodeShape>

/** Whether an erased node stays without an installation under what the plan says of it: until its generation is raised, or it gets another machine. */
export function isHeld(node: Pick<LedgerNode, 'erased'> | undefined, planned: { readonly machine: string | null; readonly generation: number } | undefined): boolean {
  const erased = node?.erased
  return erased !== undefined && planned !== undefined && planned.machine === erased.machine && planned.generation <= erased.generation
}

/** Why nothing is installed on an erased node, and what ends that, for people. */
export function heldBecause(node: string, { step }: NonNullable<LedgerNode['erased']>): string {
  return `${step} erased the disks of ${node}, or began to: nothing is installed or runs there until \`crowbar reinstall ${node}\` is committed and applied, or ${node} gets another machine`
}

/** `run.json`: the last run. */
export const ledgerRunShape = object({
  version: literal(1),
  run: integer({ min: 0 }),
  commit: string(),
  plan: string(),
  state: oneOf(['running', 'complete', 'partial', 'failed']),
  time: string(),
  epoch: integer({ min: 0 }),
  seq: integer({ min: 0 }, 'The last event of the log that is folded in.'),
})
export type LedgerRun = TypeOf<typeof ledgerRunShape>

/** Everything on the branch, in memory. `values` and `contents` are by digest. */
export const ledgerShape = object({
  nodes: map(ledgerNodeShape),
  machines: map(machineStateShape),
  values: map(anything()),
  run: nullable(ledgerRunShape),
  roles: optional(map(object({ bootstrapped: boolean() }), undefined, 'deployment/role')),
})
export type Ledger = TypeOf<typeof ledgerShape>

/** The name, in `nodes/`, of the steps that belong to no node. */
export const LEDGER_ADMIN = '_admin'
/** The branch, as a full ref. */
export const LEDGER_REF = 'refs/crowbar/applied'
export const EMPTY_LEDGER: Ledger = { nodes: {}, machines: {}, values: {}, run: null }
