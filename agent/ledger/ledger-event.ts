import type { MachineState } from '../../schemas/inventory.ts'
import type { LedgerRun } from '../../schemas/ledger.ts'
import type { Step } from '../../schemas/plan.ts'
import type { Renames } from '../../schemas/renames.ts'
import type { Json } from '../../schemas/shape.ts'

/** A step is about to be sent. Durable before the command leaves, so that a ledger never claims too much. */
export interface StepSent {
  readonly type: 'step.sent'
  readonly step: Step
  /** Index of the step's node in the lock; null for steps of no node. */
  readonly index: number | null
  /** The machine that the step's node is on; null for steps of no node. */
  readonly machine: string | null
  /** Ids of the disks that it writes; empty but for installs and erasures. */
  readonly disks: readonly string[]
  /** Of erasures after which nothing is installed: the generation of the node that does not count any more. Absent for every other step. */
  readonly holds?: number
}

/** A step that was sent and destroys something was refused where it was to run, before anything was written. */
export interface StepUntouched {
  readonly type: 'step.untouched'
  readonly step: string
  readonly node: string
}

/** A step ended well: succeeded, or found that there was nothing to change. */
export interface StepSucceeded {
  readonly type: 'step.succeeded'
  readonly step: Step
  /** Index of the step's node in the lock; null for steps of no node. */
  readonly index: number | null
  readonly machine: string | null
  /** Of installs: the name of the installation that began with it. */
  readonly incarnation: string | null
  /** file:line:column of the node in the plan when that protects it; null when it does not, and of admin nodes. */
  readonly protect: string | null
  /** Node of the founder of the step's role, from the plan; null when the role has none, or for other kinds. */
  readonly founder: string | null
  /** The commit whose plan the step was part of. */
  readonly commit: string
  /** RFC 3339, UTC. */
  readonly time: string
  /** Digest of the document as dispatched, secrets by name and version. */
  readonly inputs: string
  /** `toldOf` the document as it was dispatched. */
  readonly told: string | null
  readonly provides: { readonly [name: string]: Json }
  /** What the step reported about its node; nothing hangs on it. Left out: nothing. */
  readonly facts?: { readonly [name: string]: Json }
  readonly sealed: { readonly [name: string]: string }
  /** What schemas/step-values.ts says that the step needs, by digest. */
  readonly values: { readonly [digest: string]: Json }
}

/** A step's entry goes: its removal is done. */
export interface StepRemoved {
  readonly type: 'step.removed'
  /** The step that was undone, without `#remove`. */
  readonly step: string
  readonly node: string | null
}

/** Nodes have another name from here on, all of them at once. */
export interface NodesRenamed {
  readonly type: 'node.renamed'
  /** Old name → new name. */
  readonly names: Renames
}

/** A machine's disks and links were looked at. */
export interface MachineSeen {
  readonly type: 'machine.seen'
  readonly machine: MachineState
}

export interface RunStarted {
  readonly type: 'run.started'
  readonly run: number
  readonly commit: string
  readonly plan: string
  readonly time: string
  readonly epoch: number
}

export interface RunEnded {
  readonly type: 'run.ended'
  readonly state: Exclude<LedgerRun['state'], 'running'>
  readonly time: string
}

/** An agent goes on with this ledger: whoever writes under a lower epoch is an older one. */
export interface AgentStarted {
  readonly type: 'agent.started'
  readonly epoch: number
}

/** What the ledger is folded from. `seq` is the log's number of the event. */
export type LedgerEvent = (StepSent | StepUntouched | StepSucceeded | StepRemoved | NodesRenamed | MachineSeen | RunStarted | RunEnded | AgentStarted) & { readonly seq: number }
