import type { DiskState, Facts } from '../../schemas/inventory.ts'
import type { Environment } from '../log/event-types.ts'
import type { RefusalCode } from './refusal.ts'

/**
 * What the node server has to tell, for the event log. What connected nodes say about their work is not here: it comes
 * through `NodeSessions.subscribe`.
 */
export type NodeServerEvent =
  /** A token was redeemed for the first time: the key is the machine's from here on. */
  | { readonly type: 'enrolled'; readonly machine: string; readonly key: string; readonly environment: Environment; readonly boot: string }
  /** A machine is connected and was looked at; also when it may not be given work. */
  | {
      readonly type: 'connected'
      readonly machine: string
      readonly node: string | null
      readonly environment: Environment
      readonly incarnation: string | null
      readonly boot: string
      readonly address: string | null
      readonly facts: Facts
      readonly disks: readonly DiskState[]
    }
  | { readonly type: 'disconnected'; readonly machine: string; readonly node: string | null; readonly boot: string; readonly reason: string }
  /** Connected and given nothing, and why. */
  | { readonly type: 'held'; readonly machine: string; readonly code: string; readonly reason: string }
  /** Turned away. `alarm`: not a mistake of its own; somebody should look. */
  | { readonly type: 'refused'; readonly code: RefusalCode; readonly message: string; readonly alarm: boolean; readonly address: string | null; readonly macs: readonly string[]; readonly node: string | null }

/** Takes one event, synchronously; it must be quick and must not throw. */
export type ReportNodeEvent = (event: NodeServerEvent) => void

/** What is asked about a machine that has proven its key and redeemed its token. */
export interface Candidate {
  readonly environment: Environment
  readonly facts: Facts
  readonly disks: readonly DiskState[]
  /** The name that it was set up under, whatever its node is called now. */
  readonly node: string | null
  readonly incarnation: string | null
  /** Ed25519 public key, base64url: proven, and bound to the token. */
  readonly key: string
  readonly boot: string
  /** The port whose boot the token was for; null for an installed system. */
  readonly mac: string | null
}

/** Which machine it is, and whether it may be given work now. */
export type Admission =
  | { readonly machine: string; readonly node: string | null; readonly work: true }
  /** Quarantined (unknown, or like two machines), or a stale installation: stays connected and gets nothing. */
  | { readonly machine: string; readonly node: string | null; readonly work: false; readonly code: string; readonly reason: string }

/** Decides on a candidate: whoever keeps inventory and state. Rejects to turn it away (NOT_ADMITTED). */
export type Admit = (candidate: Candidate) => Promise<Admission>
