import type { Approval, Change, Changes } from '../../schemas/changes.ts'
import type { Ledger } from '../../schemas/ledger.ts'
import type { Plan, Step, StepKind } from '../../schemas/plan.ts'
import type { Json } from '../../schemas/shape.ts'
import type { ExpectedDisk, StepSent } from '../log/event-types.ts'
import type { State } from '../state/state.ts'

/** What a driver says happened. The engine acts on `kind` and on nothing else. */
export type StepOutcome =
  | StepSuccess
  /** Nothing was sent. Ask again no sooner than `afterMs` milliseconds from now. Does not count as an attempt. */
  | StepWaiting
  /** `retryable: false` ends the step and skips all that need it. */
  | { readonly kind: 'failed'; readonly code: string; readonly message: string; readonly retryable: boolean; readonly untouched?: boolean }
  | { readonly kind: 'cancelled' }
  /**
   * It was sent, and nobody can say how it ended. `repeatable`: to run it again can do no harm that was not agreed to.
   * `untouched`: the node looked first and wrote nothing, so that all is as it was before it was sent.
   */
  | { readonly kind: 'unknown'; readonly reason: string; readonly repeatable: boolean; readonly untouched?: boolean }

export interface StepSuccess {
  /** `unchanged`: nothing was changed, the node was already as the step asks. */
  readonly kind: 'succeeded' | 'unchanged'
  readonly provides: Readonly<Record<string, Json>>
  /** What the step reported about its node. */
  readonly facts?: Readonly<Record<string, Json>>
  /** Sensitive provides: name → reference (`StepContext.seal`). */
  readonly sealed?: Readonly<Record<string, string>>
  /** Digest of the document as dispatched; where nothing was sent. */
  readonly inputs?: string
  /** `toldOf` it; where nothing was sent. */
  readonly told?: string | null
  /** Installs only. */
  readonly incarnation?: string
}

export interface StepWaiting {
  readonly kind: 'waiting'
  readonly reason: string
  readonly afterMs: number
  /** Who has to move. For a person nobody waits: the run may end `partial`. For a machine it has patience. */
  readonly on: 'person' | 'machine'
  /** What a person has to approve, exactly. */
  readonly approval?: Approval
  /** The approval in force does not cover what is there, and why: it is void from here on. */
  readonly voids?: string
}

/** What a driver says before it sends; made durable before `intend` resolves. */
export interface Intent {
  readonly machine: string | null
  /** Digest of the document as dispatched, what is sensitive replaced by its reference. */
  readonly inputs: string | null
  /** `toldOf` the document; left out: it takes nothing from other steps. */
  readonly told?: string | null
  readonly disks?: readonly ExpectedDisk[]
  readonly stamp?: string
  /** It destroys what is there under an approval. */
  readonly approved?: boolean
  /** Reboots only: the machine's boot id before. */
  readonly boot?: string
}

/** Time, as a parameter. */
export interface Timers {
  /** Milliseconds since 1970. */
  now(): number
  /** Calls back once, in so many milliseconds, unless disposed of before. */
  after(milliseconds: number, callback: () => void): Disposable
}

/** All that a driver may look at and do while it carries out one step. */
export interface StepContext {
  readonly plan: Plan
  readonly changes: Changes
  /** The change that asks for the step; undefined when it is only looked at again, because something it reads ran. */
  readonly change: Change | undefined
  readonly run: number
  readonly commit: string
  /** As of now, this run's steps included. */
  readonly ledger: Ledger
  readonly state: State
  readonly epoch: number
  readonly timers: Timers
  /** The step may end as `unchanged` when its resolved inputs are those of the ledger. */
  readonly mayBeUnchanged: boolean
  /** Aborted when the step is cancelled (`CANCELLED`), its time is over (`TIMEOUT`) or the agent ends (`CLOSED`): `stepStop(signal)`. */
  readonly signal: AbortSignal
  /** Writes `step.sent` and gives the id of the attempt. Call once, right before sending. */
  intend(intent: Intent): Promise<{ readonly attempt: string; readonly n: number }>
  /** The system is whole on the disk: writes `node.imaged`, durable when it resolves. */
  imaged(imaged: { readonly node: string; readonly machine: string; readonly incarnation: string; readonly attempt: string }): Promise<void>
  /** One line for people, kept with the step's output. */
  progress(message: string): void
  /** Keeps a sensitive value under the agent's key and gives its reference. */
  seal(value: Json): Promise<string>
  /** The value behind a reference. @throws {LogError} SEALED_MISSING */
  unseal(reference: string): Promise<Json>
}

/** What it takes to know what a step is given, and where it would run. */
export type StepView = Pick<StepContext, 'plan' | 'changes' | 'commit' | 'ledger' | 'state' | 'signal' | 'unseal'>

/** Carries out one kind of step. A throw out of any of these is a bug of ours, never how a step fails. */
export interface Driver {
  readonly kind: StepKind
  /** Why this agent cannot carry the step out at all; undefined when it can. Asked before a run starts. */
  refuse?(step: Step, plan: Plan): string | undefined
  run(step: Step, context: StepContext): Promise<StepOutcome>
  /**
   * Finds out what became of an attempt that an earlier life of the agent sent, and waits on while it still runs.
   * The same outcomes as run(), but for `waiting`; never sends it again by itself.
   */
  settle(step: Step, sent: StepSent, context: StepContext): Promise<StepOutcome>
  /** The outcome of an attempt is durable here. */
  ended?(attempt: string, machine: string): void
}

/** Why a driver was asked to stop. */
export type StepStop = 'CANCELLED' | 'TIMEOUT' | 'CLOSED'

/** The reason of an aborted context signal. */
export function stepStop(signal: AbortSignal): StepStop {
  return signal.reason === 'CANCELLED' || signal.reason === 'TIMEOUT' ? signal.reason : 'CLOSED'
}
