import type { DiskState } from '../../schemas/inventory.ts'
import type { Task, TaskResult } from '../../schemas/protocol.ts'
import type { Environment } from '../log/event-types.ts'

/** An attempt in a node's journal. `started`: it has no result and does not run any more (the power went). */
export type JournalEntry =
  | { readonly attempt: string; readonly state: 'started' | 'running'; readonly result: null }
  | { readonly attempt: string; readonly state: 'finished'; readonly result: TaskResult }

/**
 * One live, authenticated connection of a machine. A machine has at most one: a newer hello replaces the older session.
 * What it says of itself is fixed at hello, but for `disks` and `journal`, which are as last reported.
 */
export interface NodeSession {
  readonly machine: string
  readonly environment: Environment
  /** The node that the machine says it is; null in the discovery image. */
  readonly node: string | null
  /** The installation that the machine says it runs; null in the discovery image and on joined machines. */
  readonly incarnation: string | null
  /** Kernel boot id: another one means that the machine was restarted. */
  readonly boot: string
  readonly disks: readonly DiskState[]
  /** By attempt. Holds what the hello named, and is kept up with each `accepted` and `result` since. */
  readonly journal: ReadonlyMap<string, JournalEntry>
  /** Queues a task; delivered once, or never when the connection ends first: then the next hello's journal lacks it. */
  send(task: Task): void
  /** Asks the node to end an attempt; its result says `cancelled`, or how it ended before. */
  cancel(attempt: string): void
  reboot(reason: string): void
  /** The result is durable here: the node may forget it. */
  acknowledge(attempt: string): void
}

/** What nodes say, after the session's own fields were brought up to date. */
export type SessionEvent =
  | { readonly type: 'connected'; readonly session: NodeSession }
  | { readonly type: 'disconnected'; readonly machine: string; readonly boot: string; readonly reason: string }
  | { readonly type: 'accepted'; readonly machine: string; readonly attempt: string }
  | { readonly type: 'output'; readonly machine: string; readonly attempt: string; readonly stream: 'stdout' | 'stderr' | 'progress'; readonly text: string }
  | { readonly type: 'result'; readonly machine: string; readonly result: TaskResult }
  | { readonly type: 'disks'; readonly machine: string; readonly disks: readonly DiskState[] }

/** Every machine that is connected now. The seam between the engine's drivers and the node server. */
export interface NodeSessions {
  /** Only sessions that may be given work: not of quarantined machines, and not of stale installations. */
  session(machine: string): NodeSession | undefined
  /** Calls the listener synchronously, in order, from now on until disposed of. It must be quick and must not throw. */
  subscribe(listener: (event: SessionEvent) => void): Disposable
}
