import type { Approval } from '../../schemas/changes.ts'
import type { Diagnostic } from '../../schemas/diagnostic.ts'
import type { DiskState, Facts } from '../../schemas/inventory.ts'
import type { Json } from '../../schemas/shape.ts'

/** What a machine runs: the discovery image in memory, or an operating system from its disk. */
export type Environment = 'discovery' | 'installed'

/** How a run ended. `partial`: nothing could go on, but something waits; an approval or a new fact continues it. */
export type RunEnd = 'complete' | 'partial' | 'failed'

/** A target disk as it must be found before the first write. `signature` is the digest of the content signature. */
export type ExpectedDisk = { readonly id: string; readonly serial: string; readonly bytes: number; readonly signature: string }

/** Waves of one rollout as a run has met them first: what goes on is not sorted anew. Batches are names of nodes. */
export type RunRollout = {
  readonly id: string
  readonly batches: readonly (readonly string[])[]
  readonly maxFailures: number
  readonly gate: { readonly role: string; readonly timeout: number } | null
  readonly pause: 'never' | 'after-first' | 'after-each'
}

/** What a run carries out. `plan` and `changes` are keys of the store's documents; the ids are those inside them. */
export type RunWork = {
  readonly commit: string
  readonly planId: string
  readonly plan: string
  readonly changesId: string
  readonly changes: string
  /** Only these steps (`--target`, `--exclude`, expanded once); null: all changes. */
  readonly only: readonly string[] | null
  readonly rollouts: readonly RunRollout[]
}

/** Which try of which step of which run. */
export type StepReference = { readonly run: number; readonly step: string; readonly node: string | null }

/** The version of a step that an event is about; `plan` and `changes` are keys of the store's documents. */
export type StepVersion = StepReference & {
  readonly digest: string
  readonly once: string | null
  readonly commit: string
  readonly plan: string
  readonly changes: string
  readonly machine: string | null
  /** The try: counts up over all runs of a step. 0: done without anything being sent. */
  readonly n: number
  /** Digest of the document as dispatched, what is sensitive replaced by keyed digests; null: no document. */
  readonly inputs: string | null
  /** Digest of what the document took from other steps, as these had reported it; null: nothing. Events of before do not say. */
  readonly told?: string | null
}

/** Written before a command leaves: from here on the step may have had an effect. */
export type StepSent = StepVersion & {
  /** `<epoch>/<step>/<n>`, the id that the node journals. */
  readonly attempt: string
  readonly destructive: boolean
  /** Installs only: what the disks must carry, as approved or as seen blank. */
  readonly disks: readonly ExpectedDisk[] | null
  /** Installs only: the stamp that an interrupted attempt leaves on the disks. */
  readonly stamp: string | null
  /** It destroys what is there under an approval; false: nothing was there, or it destroys nothing. */
  readonly approved: boolean
  /** Reboots only: the boot id that the machine had. It was restarted when it says another one. */
  readonly boot: string | null
}

/** How a step ended well: everything that the ledger needs of it. */
export type StepDone = StepVersion & {
  readonly action: string
  /** Values that are not sensitive. */
  readonly provides: { readonly [name: string]: Json }
  /** What the step reported about its node; nothing hangs on it. Left out: nothing. */
  readonly facts?: { readonly [name: string]: Json }
  /** Sensitive values: name → reference into the store's sealed values, which is also their keyed digest. */
  readonly sealed: { readonly [name: string]: string }
  /** Installs only: the installation that began with it. */
  readonly incarnation: string | null
  readonly seconds: number
}

/**
 * Every type of event and its data: the agent's memory. State, ledger, `status`, `logs` and `explain boot` are folds of
 * these and of nothing else. Closed: a type that is not here cannot be written or read.
 *
 * No event holds a secret. What a step printed is not an event: it is kept beside the log, bounded, by attempt.
 */
export type EventData = {
  /** A life of the agent began, under the epoch of this event. */
  'agent.started': { readonly version: string; readonly node: string }
  /** It was asked to end and did so in order. */
  'agent.stopped': { readonly reason: string }

  'site.compiled': { readonly commit: string; readonly planId: string; readonly changesId: string; readonly complete: boolean; readonly changed: number; readonly missing: readonly { readonly what: string; readonly for: string; readonly because: string }[] }
  /** A commit that the agent does not carry out, and why; the cluster stays as it is. */
  'site.refused': { readonly commit: string; readonly code: string; readonly message: string; readonly diagnostics: readonly Diagnostic[] }
  'site.unreachable': { readonly repository: string; readonly message: string }

  /** Hardware that no machine id stood for yet was given one. */
  'machine.seen': { readonly machine: string; readonly macs: readonly string[]; readonly firmware: string }
  /** A token was redeemed: the key is the machine's from here on. `key`: Ed25519 public key, base64url. */
  'machine.enrolled': { readonly machine: string; readonly key: string; readonly environment: Environment; readonly boot: string }
  /** Only when they differ from the ones before. */
  'machine.facts': { readonly machine: string; readonly facts: Facts }
  /** What is on the disks, each time a machine looked: at hello, and when asked again. */
  'machine.disks': { readonly machine: string; readonly disks: readonly DiskState[] }
  /** Not to be claimed: it looks like two machines, redeemed another one's token, or a person said so. */
  'machine.quarantined': { readonly machine: string; readonly code: string; readonly reason: string }
  /** Turned away for what is not a mistake of its own: a spent token, a second machine under one identity. Somebody should look. */
  'machine.alarmed': { readonly code: string; readonly message: string; readonly address: string | null; readonly macs: readonly string[]; readonly node: string | null }
  'machine.admitted': { readonly machine: string; readonly by: string }

  /** A session began. `node` is null for a machine that no node has claimed; then the stream is the machine's. */
  'node.connected': { readonly node: string | null; readonly machine: string; readonly environment: Environment; readonly incarnation: string | null; readonly boot: string; readonly address: string | null }
  'node.disconnected': { readonly node: string | null; readonly machine: string; readonly boot: string; readonly reason: string }
  /** The system is whole on the disk: from here on the machine boots its disk, also when nobody ever hears from it again. */
  'node.imaged': StepReference & { readonly node: string; readonly machine: string; readonly incarnation: string; readonly attempt: string }

  /** What the boot services saw and did; `kind` and `data` are theirs (agent/boot/boot-event.ts). */
  'boot.seen': { readonly mac: string | null; readonly kind: string; readonly data: { readonly [key: string]: Json } }

  /** Nodes have other names from here on: all at once, since names may be swapped, and before the run that the commit starts. */
  'node.renamed': { readonly commit: string; readonly nodes: readonly { readonly from: string; readonly to: string; readonly machine: string | null }[] }

  'run.started': RunWork & { readonly run: number; readonly steps: number; readonly reason: string }
  /** A newer plan for a run that goes on, or that ended `partial` and goes on by this. */
  'run.extended': RunWork & { readonly run: number; readonly steps: number; readonly reason: string }
  /** A run that had ended with something waiting goes on, under the same plan. */
  'run.continued': { readonly run: number; readonly reason: string }
  /** A person ends it: nothing starts any more, what runs is asked to stop. */
  'run.cancelled': { readonly run: number; readonly by: string }
  'run.ended': { readonly run: number; readonly state: RunEnd; readonly reason: string; readonly succeeded: number; readonly unchanged: number; readonly failed: number; readonly skipped: number; readonly waiting: number }
  /** A person lets a rollout go on after a batch (its index), at which it pauses or would pause. */
  'rollout.resumed': { readonly run: number; readonly rollout: string; readonly batch: number; readonly by: string }
  /** A compilation that the engine does not begin, e.g. a kind of step that it has no driver for. Nothing was started. */
  'run.refused': { readonly commit: string; readonly planId: string; readonly code: string; readonly message: string; readonly step: string | null }

  'step.sent': StepSent
  /** The node has it in its journal. */
  'step.accepted': StepReference & { readonly attempt: string }
  /** Nothing was sent yet. Written when the reason changes. `approval` is what a person has to approve. */
  'step.waiting': StepReference & { readonly digest: string; readonly reason: string; readonly on: 'person' | 'machine'; readonly approval: Approval | null }
  'step.succeeded': StepDone
  'step.unchanged': StepDone
  /** `retryAfterMs` is null when it ended the step. `untouched`: it wrote nothing, so that all is as before it was sent. */
  'step.failed': StepVersion & { readonly code: string; readonly message: string; readonly retryAfterMs: number | null; readonly seconds: number; readonly untouched?: boolean }
  /** Sent, and nobody can say how it ended. `again`: it is run once more; else a person decides, by an approval. */
  'step.unknown': StepReference & { readonly digest: string; readonly attempt: string; readonly reason: string; readonly again: boolean; readonly approval: Approval | null; readonly untouched?: boolean }
  /** Never started, because `cause` failed: it needs that step, or shares its node. */
  'step.skipped': StepReference & { readonly digest: string; readonly cause: string }
  'step.cancelled': StepReference & { readonly digest: string; readonly n: number; readonly by: string }

  'approval.given': { readonly node: string | null; readonly approval: Approval; readonly by: string }
  /** It no longer covers what is there, and why. */
  'approval.voided': { readonly node: string | null; readonly step: string; readonly once: string; readonly reason: string }

  /** Facts and lock are in the site repository. `proposed`: on a branch for people to merge. */
  'inventory.committed': { readonly commit: string; readonly machines: readonly string[]; readonly lockChanged: boolean; readonly proposed: boolean }
  /** The ledger as of event `upTo` is in the site repository. */
  'ledger.published': { readonly commit: string; readonly run: number | null; readonly upTo: number }

  'freeze.on': { readonly by: string; readonly reason: string }
  'freeze.off': { readonly by: string }
}

export type EventType = keyof EventData

/** One event of the log, as read: `schemas/event.ts` with its type known. */
export type LogEvent = { [T in EventType]: { readonly seq: number; readonly time: string; readonly stream: string; readonly epoch: number; readonly type: T; readonly v: number; readonly data: EventData[T] } }[EventType]

/** One event of a given type. */
export type LogEventOf<T extends EventType> = Extract<LogEvent, { readonly type: T }>

/** An event to append; the store gives it sequence, time, stream, epoch and version. */
export type NewEvent = { [T in EventType]: { readonly type: T; readonly data: EventData[T] } }[EventType]

/** The version of each type's data that is written now. Raise one when its meaning changes, and up-cast in upcast.ts. */
export const EVENT_VERSIONS: { readonly [T in EventType]: number } = {
  'agent.started': 1,
  'agent.stopped': 1,
  'site.compiled': 1,
  'site.refused': 1,
  'site.unreachable': 1,
  'machine.seen': 1,
  'machine.enrolled': 1,
  'machine.facts': 1,
  'machine.disks': 1,
  'machine.quarantined': 1,
  'machine.alarmed': 1,
  'machine.admitted': 1,
  'node.connected': 1,
  'node.disconnected': 1,
  'node.imaged': 1,
  'node.renamed': 1,
  'boot.seen': 1,
  'run.started': 2,
  'run.extended': 2,
  'run.continued': 1,
  'run.cancelled': 1,
  'run.ended': 1,
  'run.refused': 1,
  'rollout.resumed': 1,
  'step.sent': 2,
  'step.accepted': 1,
  'step.waiting': 1,
  'step.succeeded': 1,
  'step.unchanged': 1,
  'step.failed': 1,
  'step.unknown': 1,
  'step.skipped': 1,
  'step.cancelled': 1,
  'approval.given': 1,
  'approval.voided': 1,
  'inventory.committed': 1,
  'ledger.published': 1,
  'freeze.on': 1,
  'freeze.off': 1,
}
