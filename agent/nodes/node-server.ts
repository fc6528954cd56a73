import { createServer } from 'node:https'
import type { Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { Ajv2020 } from 'ajv/dist/2020.js'
import type { ValidateFunction } from 'ajv/dist/2020.js'
import { WebSocketServer } from 'ws'
import type { WebSocket } from 'ws'
import { nodeFrameShape } from '../../schemas/protocol.ts'
import type { NodeFrame } from '../../schemas/protocol.ts'
import type { NodeSessions, SessionEvent } from '../drivers/sessions.ts'
import type { Enrolment } from './enrolment.ts'
import { greet } from './greet.ts'
import type { Admission, Admit, ReportNodeEvent } from './node-event.ts'
import { ALARMING, Refusal } from './refusal.ts'
import { Session, Wire } from './session.ts'
import type { ServerIdentity } from './tls.ts'

/** What a node server is made of. */
export interface NodeServerOptions {
  readonly identity: ServerIdentity
  readonly enrolment: Enrolment
  /** Of this life of the agent. */
  readonly epoch: number
  readonly admit: Admit
  readonly report: ReportNodeEvent
  /** Different each time it is called, and not to be guessed. */
  readonly random: () => string
  /** Addresses to listen on; default all. */
  readonly host?: string
  readonly port: number
}

/** Where nodes connect to: `wss://ADDRESS:PORT/node`. */
export interface NodeServer extends AsyncDisposable {
  readonly port: number
  readonly sessions: NodeSessions
  /** Machines that are connected and may not be given work. */
  held(): readonly string[]
  /** Asks again whether a connected machine may be given work: after it was claimed, admitted, reinstalled or replaced. */
  reconsider(machine: string): Promise<void>
  /** Ends the connection of a machine that is to be told something anew: it comes back by itself. */
  greetAgain(machine: string): void
}

const PATH = '/node'
const HELLO_MS = 20_000
const SILENCE_MS = 60_000
const SWEEP_MS = 10_000
/** How long the one that is connected has to answer when another one says that it is the same machine. */
const HOLDER_MS = 3_000
/** A hello carries journal and facts, a result what a role provides. */
const MAX_PAYLOAD = 16 * 1024 * 1024
/** Of what somebody says who is turned away, so much is written down. */
const TOLD_MACS = 8
const TOLD_NAME = 253
/** Connections that have not said who they are. */
const MAX_STRANGERS = 4_000

/** Opens the server; it listens when this resolves. Closing it ends all connections. */
export async function openNodeServer(options: NodeServerOptions): Promise<NodeServer> {
  const https = createServer({ cert: options.identity.certificates, key: options.identity.key }, (_request, response) => {
    // Nothing but WebSockets is served here.
    response.writeHead(404).end()
  })
  const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false, maxPayload: MAX_PAYLOAD, clientTracking: true })
  const room = new Room(options)
  https.on('upgrade', (request, socket, head) => {
    // Whatever a stranger writes there: not everything can be read as a URL.
    if (request.url?.split('?')[0] !== PATH || room.strangers >= MAX_STRANGERS) {
      socket.destroy()
      return
    }
    sockets.handleUpgrade(request, socket, head, (ws) => room.enter(ws, request.socket.remoteAddress ?? null))
  })
  https.on('tlsClientError', (_error, socket) => socket.destroy())
  const sweep = setInterval(() => room.sweep(), SWEEP_MS)
  await listen(https, options)
  return {
    port: (https.address() as AddressInfo).port,
    sessions: room,
    held: () => room.held(),
    reconsider: (machine) => room.reconsider(machine),
    greetAgain: (machine) => room.greetAgain(machine),
    async [Symbol.asyncDispose]() {
      clearInterval(sweep)
      room.close()
      for (const socket of sockets.clients) socket.terminate()
      await new Promise<void>((resolve) => {
        https.close(() => resolve())
        https.closeAllConnections()
      })
    },
  }
}

function listen(server: Server, { port, host }: NodeServerOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ port, ...(host === undefined ? {} : { host }) }, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

/** All connections: strangers until their hello was believed, then one session a machine. */
class Room implements NodeSessions {
  readonly #options: NodeServerOptions
  readonly #sessions = new Map<string, Session>()
  readonly #strangers = new Map<Wire, NodeJS.Timeout>()
  readonly #listeners = new Set<(event: SessionEvent) => void>()
  readonly #valid: ValidateFunction<NodeFrame> = new Ajv2020({ strict: false }).compile<NodeFrame>(nodeFrameShape.json)
  #closed = false

  constructor(options: NodeServerOptions) {
    this.#options = options
  }

  get strangers(): number {
    return this.#strangers.size
  }

  session(machine: string): Session | undefined {
    const session = this.#sessions.get(machine)
    return session?.working === true ? session : undefined
  }

  subscribe(listener: (event: SessionEvent) => void): Disposable {
    this.#listeners.add(listener)
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) }
  }

  held(): readonly string[] {
    return [...this.#sessions.values()].filter(({ working }) => !working).map(({ machine }) => machine)
  }

  async reconsider(machine: string): Promise<void> {
    const session = this.#sessions.get(machine)
    if (session === undefined) return
    const admission = await this.#options.admit({ ...session.candidate, disks: session.disks })
    if (this.#sessions.get(machine) !== session) return
    // Two records of one machine were joined, or one was taken apart: the machine says hello again under its name.
    if (admission.machine !== machine) session.wire.socket.close(4001, 'known by another name')
    else this.#settle(session, admission)
  }

  greetAgain(machine: string): void {
    const session = this.#sessions.get(machine)
    if (session === undefined) return
    this.#leave(session, 'its node has another name')
    session.wire.socket.close(4001, 'known by another name')
  }

  enter(socket: WebSocket, address: string | null): void {
    const wire = new Wire(socket)
    const nonce = this.#options.random()
    let session: Session | undefined
    let greeting = false
    this.#strangers.set(wire, setTimeout(() => socket.terminate(), HELLO_MS))
    const refuse = (error: unknown, hello?: Extract<NodeFrame, { type: 'hello' }>): void => {
      const refusal = error instanceof Refusal ? error : new Refusal('PROTOCOL', error instanceof Error ? error.message : String(error))
      this.#options.report({
        type: 'refused', code: refusal.code, message: refusal.message, alarm: ALARMING.has(refusal.code), address,
        macs: hello?.facts.nics.slice(0, TOLD_MACS).map(({ mac }) => mac) ?? [], node: (hello?.node ?? session?.node)?.slice(0, TOLD_NAME) ?? null,
      })
      wire.send({ type: 'refused', code: refusal.code, message: refusal.message })
      socket.close(4003, refusal.code)
    }
    socket.on('message', (data) => {
      try {
        const frame = this.#read(data as Buffer)
        wire.receive(frame)
        if (session !== undefined) this.#handle(session, frame)
        else if (frame.type !== 'hello' || greeting) throw new Refusal('PROTOCOL', 'a node says hello, once, and waits')
        else {
          greeting = true
          this.#greet(frame, { wire, nonce, address })
            .then((made) => (session = made))
            .catch((error: unknown) => refuse(error, frame))
        }
      } catch (error) {
        refuse(error)
      }
    })
    socket.on('error', () => socket.terminate())
    socket.on('close', (code, reason) => {
      this.#know(wire)
      if (session !== undefined && this.#sessions.get(session.machine) === session) this.#leave(session, `${code} ${reason.toString()}`.trim())
    })
    wire.send({ type: 'challenge', nonce, epoch: this.#options.epoch })
  }

  /** Ends connections that have not been heard of for too long. */
  sweep(): void {
    const since = performance.now() - SILENCE_MS
    for (const session of this.#sessions.values()) if (session.wire.heard < since) session.wire.socket.terminate()
  }

  close(): void {
    this.#closed = true
    for (const session of this.#sessions.values()) this.#leave(session, 'the agent ends')
    for (const timer of this.#strangers.values()) clearTimeout(timer)
  }

  async #greet(hello: Extract<NodeFrame, { type: 'hello' }>, { wire, nonce, address }: { readonly wire: Wire; readonly nonce: string; readonly address: string | null }): Promise<Session> {
    const { epoch, report } = this.#options
    const { candidate, admission, first } = await greet(hello, { ...this.#options, nonce })
    const { machine, node } = admission
    const holder = this.#sessions.get(machine)
    if (holder !== undefined && holder.key !== hello.key && (await holder.wire.answers(HOLDER_MS))) {
      throw new Refusal('MACHINE_TWICE', `${machine} is connected already, with another key, and answers`)
    }
    if (this.#closed || wire.socket.readyState !== wire.socket.OPEN) throw new Refusal('PROTOCOL', 'the connection ended before it was answered')
    this.#know(wire)
    const session = new Session({ machine, node, hello, candidate, wire, epoch })
    const older = this.#sessions.get(machine)
    if (older !== undefined) {
      this.#leave(older, 'a newer connection of this machine')
      older.wire.socket.close(4000, 'a newer connection of this machine')
    }
    this.#sessions.set(machine, session)
    if (first) report({ type: 'enrolled', machine, key: hello.key, environment: hello.environment, boot: hello.boot })
    report({ type: 'connected', machine, node, environment: hello.environment, incarnation: hello.incarnation, boot: hello.boot, address, facts: hello.facts, disks: hello.disks })
    this.#settle(session, admission)
    return session
  }

  /** Shows the session to the engine, or takes it away; the node is told which name it has, first of all. */
  #settle(session: Session, admission: Admission): void {
    session.node = admission.node
    // Only who is what its node should be goes by that node's name.
    const name = admission.work ? admission.node : null
    if (!session.welcomed || (name !== null && name !== session.told)) session.wire.send({ type: 'welcome', epoch: this.#options.epoch, machine: session.machine, node: name })
    session.welcomed = true
    session.told = name ?? session.told
    if (!admission.work) this.#options.report({ type: 'held', machine: session.machine, code: admission.code, reason: admission.reason })
    if (admission.work === session.working) return
    session.working = admission.work
    if (admission.work) this.#emit({ type: 'connected', session })
    else this.#emit({ type: 'disconnected', machine: session.machine, boot: session.boot, reason: 'held' })
  }

  #handle(session: Session, frame: NodeFrame): void {
    if (frame.type === 'hello') throw new Refusal('PROTOCOL', 'a node says hello once')
    session.note(frame)
    if (frame.type === 'ping') session.wire.send({ type: 'pong' })
    else session.wire.acknowledgeIfDue()
    // What a machine without work says is kept in its session, so that it is there when the machine is let in.
    if (!session.working || frame.type === 'ping') return
    const { machine } = session
    switch (frame.type) {
      case 'accepted':
        this.#emit({ type: 'accepted', machine, attempt: frame.attempt })
        break
      case 'output':
        this.#emit({ type: 'output', machine, attempt: frame.attempt, stream: frame.stream, text: frame.text })
        break
      case 'result':
        this.#emit({ type: 'result', machine, result: frame.result })
        break
      case 'disks':
        this.#emit({ type: 'disks', machine, disks: frame.disks })
        // What it is may have changed with what it has.
        if (frame.facts !== undefined) this.reconsider(machine).catch(() => session.wire.socket.close(4001, 'it has to say hello again'))
        break
    }
  }

  #leave(session: Session, reason: string): void {
    const { machine, boot } = session
    this.#sessions.delete(machine)
    this.#options.report({ type: 'disconnected', machine, node: session.node, boot, reason })
    if (session.working) this.#emit({ type: 'disconnected', machine, boot, reason })
    session.working = false
  }

  #know(wire: Wire): void {
    clearTimeout(this.#strangers.get(wire))
    this.#strangers.delete(wire)
  }

  #read(data: Buffer): NodeFrame {
    const value: unknown = JSON.parse(data.toString('utf8'))
    if (this.#valid(value)) return value
    const version = (value as { v?: unknown } | null)?.v
    const [problem] = this.#valid.errors ?? []
    throw new Refusal('PROTOCOL', `a frame (version ${String(version)}) that is not understood: ${problem?.instancePath ?? ''} ${problem?.message ?? ''}`)
  }

  #emit(event: SessionEvent): void {
    for (const listener of this.#listeners) listener(event)
  }
}
