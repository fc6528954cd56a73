import type { WebSocket } from 'ws'
import { isAdminMachine } from '../../schemas/incarnation.ts'
import type { DiskState } from '../../schemas/inventory.ts'
import { PROTOCOL_VERSION } from '../../schemas/protocol.ts'
import type { AgentFrame, NodeFrame, Task } from '../../schemas/protocol.ts'
import type { JournalEntry, NodeSession } from '../drivers/sessions.ts'
import type { Environment } from '../log/event-types.ts'
import type { Candidate } from './node-event.ts'
import { Refusal } from './refusal.ts'

/** A frame without version, sequence and acknowledgement, which the session adds. */
export type BareAgentFrame = AgentFrame extends infer F ? (F extends unknown ? Omit<F, 'v' | 'seq' | 'ack'> : never) : never
type Hello = Extract<NodeFrame, { type: 'hello' }>

/** Frames of a node after which an acknowledgement goes out by itself; its window is four times that. */
const ACK_EVERY = 16
/** Bytes that may wait for a node that does not read; then the connection is not worth keeping. */
const MAX_BUFFERED = 64 * 1024 * 1024

/** Counts frames in both directions on one socket. */
export class Wire {
  readonly socket: WebSocket
  #sent = 0
  #received = 0
  #acknowledged = 0
  /** Milliseconds of the clock that `performance.now()` reads. */
  heard = performance.now()

  constructor(socket: WebSocket) {
    this.socket = socket
  }

  send(frame: BareAgentFrame): void {
    if (this.socket.readyState !== this.socket.OPEN) return
    if (this.socket.bufferedAmount > MAX_BUFFERED) {
      this.socket.terminate()
      return
    }
    this.#acknowledged = this.#received
    this.socket.send(JSON.stringify({ v: PROTOCOL_VERSION, seq: ++this.#sent, ack: this.#received, ...frame }))
  }

  /** Takes a frame's number. @throws {Refusal} PROTOCOL when one is missing or comes twice. */
  receive(frame: NodeFrame): void {
    if (frame.seq !== this.#received + 1) throw new Refusal('PROTOCOL', `frame ${frame.seq} came after ${this.#received}`)
    this.#received = frame.seq
    this.heard = performance.now()
  }

  /** Whether the other end answers within so many milliseconds. A machine that was switched off does not, though its connection stands. */
  answers(withinMs: number): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>()
    const settle = (answer: boolean) => (): void => {
      clearTimeout(timer)
      this.socket.off('pong', alive).off('close', dead)
      resolve(answer)
    }
    const alive = settle(true)
    const dead = settle(false)
    const timer = setTimeout(dead, withinMs)
    this.socket.once('pong', alive).once('close', dead)
    if (this.socket.readyState === this.socket.OPEN) this.socket.ping()
    else dead()
    return promise
  }

  acknowledgeIfDue(): void {
    if (this.#received - this.#acknowledged >= ACK_EVERY) this.send({ type: 'pong' })
  }
}

/** Thrown by `NodeSession.send` for what must never be sent: a bug of the caller. */
export class SessionError extends Error {
  readonly code: 'DISCOVERY_NO_SECRET' | 'ADMIN_ROLES_ONLY'

  constructor(code: SessionError['code'], message: string) {
    super(message)
    this.code = code
  }
}

/** One machine's connection, once it was let in. */
export class Session implements NodeSession {
  readonly machine: string
  readonly environment: Environment
  /** As it is called now. */
  node: string | null
  welcomed = false
  /** The name that it was told last. */
  told: string | null = null
  readonly incarnation: string | null
  readonly boot: string
  readonly key: string
  /** With the facts that it reported last. */
  candidate: Candidate
  readonly wire: Wire
  /** Whether the engine sees it. */
  working = false
  readonly journal = new Map<string, JournalEntry>()
  disks: readonly DiskState[]
  readonly #epoch: number

  constructor(options: { readonly machine: string; readonly node: string | null; readonly hello: Hello; readonly candidate: Candidate; readonly wire: Wire; readonly epoch: number }) {
    const { machine, node, hello, candidate, wire, epoch } = options
    this.machine = machine
    this.environment = hello.environment
    this.node = node
    this.incarnation = hello.incarnation
    this.boot = hello.boot
    this.key = hello.key
    this.disks = hello.disks
    this.candidate = candidate
    this.wire = wire
    this.#epoch = epoch
    for (const { attempt, state, result } of hello.journal) {
      this.journal.set(attempt, result !== null ? { attempt, state: 'finished', result } : { attempt, state: state === 'running' ? 'running' : 'started', result: null })
    }
  }

  send(task: Task): void {
    // What boots from the network is not yet known to be what it says: it is given nothing that may hold a secret.
    if (this.environment === 'discovery' && mayHoldSecret(task)) throw new SessionError('DISCOVERY_NO_SECRET', `${task.step} is not for the discovery image`)
    if (isAdminMachine(this.machine) && task.kind !== 'role') throw new SessionError('ADMIN_ROLES_ONLY', `${task.step} is not for an admin node`)
    this.wire.send({ type: 'task', epoch: this.#epoch, task })
  }

  cancel(attempt: string): void {
    this.wire.send({ type: 'cancel', epoch: this.#epoch, attempt })
  }

  reboot(reason: string): void {
    if (isAdminMachine(this.machine)) throw new SessionError('ADMIN_ROLES_ONLY', 'an admin node is not restarted')
    this.wire.send({ type: 'reboot', epoch: this.#epoch, reason })
  }

  acknowledge(attempt: string): void {
    this.wire.send({ type: 'acknowledge', attempt })
  }

  /** Brings its own fields up to date with a frame. */
  note(frame: NodeFrame): void {
    if (frame.type === 'accepted' && this.journal.get(frame.attempt)?.state !== 'finished') {
      this.journal.set(frame.attempt, { attempt: frame.attempt, state: 'running', result: null })
    }
    if (frame.type === 'result') this.journal.set(frame.result.attempt, { attempt: frame.result.attempt, state: 'finished', result: frame.result })
    if (frame.type !== 'disks') return
    this.disks = frame.disks
    if (frame.facts !== undefined) this.candidate = { ...this.candidate, facts: frame.facts }
  }
}

function mayHoldSecret(task: Task): boolean {
  if (task.kind === 'role') return task.sensitive.length > 0 || (task.mask?.length ?? 0) > 0 || task.repository !== null
  return task.kind === 'entries'
}
