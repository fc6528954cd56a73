import { OPERATION_ACTIONS } from './documents/words.ts'
import { installTargetShape } from './install.ts'
import type { Step } from './plan.ts'
import { integer, list, nullable, object, oneOf, optional, string } from './shape.ts'
import type { TypeOf } from './shape.ts'

/** An action of one role on the node: what a role step has, with another entry. */
const work = object({
  step: string({}, 'The role step: deployment/role@node.'),
  barclamp: string(),
  content: string({}, "Digest of the barclamp's files: a key of `contents`."),
  jig: string(),
  entry: string(),
  attributes: nullable(string({}, "Digest of the role step's document: a key of `values`. null: not known yet.")),
  timeout: integer({ min: 1 }, 'Seconds.'),
})
export type OperationWork = TypeOf<typeof work>

/**
 * The `operation` part of an operation step's document. Beside it stands `members`: the names of all nodes that the
 * operation was for when this step was planned, so that the ledger can tell when it has ended everywhere.
 */
export const operationPartShape = object({
  name: string(),
  do: oneOf(OPERATION_ACTIONS),
  place: integer({ min: 1 }, 'Of this step among those of the operation on the node.'),
  of: integer({ min: 1 }, 'Steps that the operation has on the node: it has ended there when the last of them succeeded.'),
  roles: list(work, {}, 'drain, resume, check, run, upgrade: one after another, in this order. Empty for every other action.'),
  targets: list(installTargetShape, {}, 'erase: the disks. Empty for every other action.'),
  holds: optional(integer({ min: 0 }, 'erase: no installation of the node up to this generation counts from here on. Absent when the operation installs the node again, and for every other action.')),
})
export type OperationPart = TypeOf<typeof operationPartShape>

/** Whether a step erases disks: no other step of an operation destroys anything. */
export function isErase({ kind, destructive }: Pick<Step, 'kind' | 'destructive'>): boolean {
  return kind === 'operation' && destructive
}

/** The node whose disks a step erases, by the step's id; null for every other step. */
export function nodeErasedBy(step: string): string | null {
  return /^operation\/[^/]+\/erase@(.+)$/.exec(step)?.[1] ?? null
}
