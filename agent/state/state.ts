import type { Approval } from '../../schemas/changes.ts'
import type { DiskState, Facts } from '../../schemas/inventory.ts'
import type { Json } from '../../schemas/shape.ts'
import type { Environment, ExpectedDisk, RunEnd, RunWork, StepSent } from '../log/event-types.ts'

/** Where a step of the current run stands. A step that the run has said nothing of yet has no state. */
export type StepStatus = 'waiting' | 'running' | 'retrying' | 'unknown' | 'succeeded' | 'unchanged' | 'failed' | 'skipped' | 'cancelled'

/** One step of the current run, as its events say. */
export interface StepState {
  readonly status: StepStatus
  readonly node: string | null
  /** Of the version of the step that the status is about. */
  readonly digest: string
  /** When the status began. RFC 3339, UTC. */
  readonly since: string
  /** When the run said something of this version of the step first. */
  readonly began: string
  /** The try; 0 while nothing was sent. */
  readonly n: number
  /** Tries of this version in this run that failed, and tries whose end nobody knows. */
  readonly failures: number
  readonly lost: number
  /** Set from `step.sent` until the attempt ended. */
  readonly sent: StepSent | null
  readonly accepted: boolean
  /** Why it waits, failed, was skipped or is not known. */
  readonly reason: string | null
  readonly code: string | null
  readonly on: 'person' | 'machine' | null
  readonly approval: Approval | null
  /** When it may be tried again; RFC 3339. */
  readonly retryAt: string | null
  readonly provides: Readonly<Record<string, Json>>
  readonly sealed: Readonly<Record<string, string>>
  readonly seconds: number
}

export interface RunState {
  readonly run: number
  /** Null while it goes on. */
  readonly ended: { readonly state: RunEnd; readonly reason: string; readonly time: string } | null
  readonly work: RunWork
  readonly reason: string
  readonly started: string
  /** Who ended it, when a person did. */
  readonly cancelled: string | null
  /** Rollout → indexes of the batches after which a person lets it go on. */
  readonly resumed: Readonly<Record<string, readonly number[]>>
  readonly steps: ReadonlyMap<string, StepState>
}

export interface MachineRecord {
  readonly id: string
  readonly macs: readonly string[]
  readonly firmware: string | null
  /** Ed25519 public key, base64url, by environment. */
  readonly keys: Readonly<Partial<Record<Environment, string>>>
  /** When it last said anything of itself. RFC 3339, UTC. */
  readonly seen: string
  readonly facts: Facts | null
  readonly disks: readonly DiskState[]
  readonly disksSeen: string | null
  readonly quarantined: { readonly code: string; readonly reason: string } | null
  /** Name of the installation that it last came up with from its disk; null before, and since another one was put there. */
  readonly ran: string | null
  /** Names that its node had and was given, in order: its node agent goes on saying the one that it was set up under. */
  readonly renamed: readonly { readonly from: string; readonly to: string }[]
  readonly session: { readonly environment: Environment; readonly node: string | null; readonly incarnation: string | null; readonly boot: string; readonly address: string | null } | null
}

/** What is known of a node beyond its plan. */
export interface NodeRecord {
  /** The last whole system that was put onto a disk for it, or that was taken over, and the attempt that did it. */
  readonly installed: { readonly machine: string; readonly incarnation: string; readonly attempt: string | null } | null
}

/** A destructive attempt that was sent and whose step has not succeeded since: what it destroys counts as gone. */
export interface UnfinishedAttempt {
  readonly attempt: string
  readonly n: number
  readonly once: string | null
  readonly machine: string | null
  readonly disks: readonly ExpectedDisk[] | null
  readonly stamp: string | null
  readonly approved: boolean
  /** The one before, if that is unfinished, too; its own is not kept. */
  readonly before: Omit<UnfinishedAttempt, 'before'> | null
}

export interface ApprovalRecord {
  readonly approval: Approval
  readonly by: string
  readonly time: string
  readonly seq: number
}

/**
 * Everything the agent knows by heart, as of event `seq`. Made by `fold` and by nothing else. Only the last run has its
 * steps; of older ones the log tells.
 */
export interface State {
  readonly seq: number
  readonly epoch: number
  readonly frozen: { readonly by: string; readonly reason: string; readonly since: string } | null
  readonly site: {
    /** The last commit that compiled. */
    readonly compiled: { readonly commit: string; readonly planId: string; readonly complete: boolean; readonly changed: number } | null
    /** What is wrong with the site now; null after a commit that compiled. */
    readonly problem: { readonly commit: string | null; readonly code: string; readonly message: string } | null
  }
  readonly machines: ReadonlyMap<string, MachineRecord>
  readonly nodes: ReadonlyMap<string, NodeRecord>
  /** The last run; null before the first. */
  readonly run: RunState | null
  /** Highest try of each step, over all runs. */
  readonly tries: ReadonlyMap<string, number>
  readonly unfinished: ReadonlyMap<string, UnfinishedAttempt>
  /** In force, by step. */
  readonly approvals: ReadonlyMap<string, ApprovalRecord>
  /** The last event that the published ledger holds. */
  readonly published: number
}
