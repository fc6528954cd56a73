import { WebSocket } from 'ws'
import { PROTOCOL_VERSION, helloText } from '../../schemas/protocol.ts'
import type { AgentFrame, NodeFrame } from '../../schemas/protocol.ts'
import { NodeError } from './node-error.ts'
import type { Outbox } from './outbox.ts'

type Hello = Extract<NodeFrame, { type: 'hello' }>

/** A frame without what the session adds to each: version, sequence, acknowledgement. */
type Bare<F> = F extends unknown ? Omit<F, 'v' | 'seq' | 'ack'> : never

/** What one connection needs of the node. */
export interface ConnectionOptions {
  readonly url: string
  /** PEM of the certificate authority. */
  readonly authority: string
  readonly signal: AbortSignal
  readonly outbox: Outbox
  readonly highestEpoch: () => number
  /** What the node says of itself, but for the proof. */
  readonly hello: () => Omit<Bare<Hello>, 'proof'>
  readonly sign: (text: string) => string
  /** The server knows us. Called once, before any other frame is handed on. */
  readonly onWelcome: (frame: Extract<AgentFrame, { type: 'welcome' }>) => void
  readonly onFrame: (frame: Extract<AgentFrame, { type: 'task' | 'cancel' | 'reboot' | 'acknowledge' }>) => void
  /** Gives a function to call whenever there is something new in the outbox. */
  readonly onPump: (pump: () => void) => void
}

/** Output frames that may be on their way without having been acknowledged. */
const WINDOW = 64
const PING_MS = 20_000
const SILENCE_MS = 60_000
const MAX_PAYLOAD = 32 * 1024 * 1024

/**
 * Holds one connection to the admin agent, from TLS to its end; resolves with the reason when it is over.
 *
 * The server speaks first (challenge); our hello signs its nonce. A server of a lower epoch than the highest this node has
 * seen is not obeyed: the connection ends. What is sent and received is counted; a gap ends the connection.
 *
 * @throws {NodeError} PROTOCOL for a refusal or a frame that is not understood; the system's errors.
 */
export function holdConnection(options: ConnectionOptions): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(options.url, { ca: options.authority, perMessageDeflate: false, maxPayload: MAX_PAYLOAD, handshakeTimeout: 20_000 })
    let sent = 0
    let received = 0
    let peerAck = 0
    let welcomed = false
    let heard = performance.now()

    const send = (frame: Bare<NodeFrame>): void => {
      socket.send(JSON.stringify({ v: PROTOCOL_VERSION, seq: ++sent, ack: received, ...frame }))
    }
    const pump = (): void => {
      while (welcomed && socket.readyState === WebSocket.OPEN && sent - peerAck < WINDOW) {
        const item = options.outbox.take()
        if (item === undefined) return
        send(item)
      }
    }
    const timer = setInterval(() => {
      if (performance.now() - heard > SILENCE_MS) end(() => reject(new NodeError('PROTOCOL', `nothing heard for ${SILENCE_MS / 1000} s`)))
      else if (welcomed) send({ type: 'ping' })
    }, PING_MS)
    const end = (settle: () => void): void => {
      clearInterval(timer)
      options.signal.removeEventListener('abort', onAbort)
      options.onPump(() => undefined)
      welcomed = false
      socket.terminate()
      settle()
    }
    const onAbort = (): void => end(() => resolve('closed here'))
    options.signal.addEventListener('abort', onAbort, { once: true })

    const handle = (frame: AgentFrame): void => {
      if (frame.seq !== received + 1) throw new NodeError('PROTOCOL', `frame ${frame.seq} came after ${received}`)
      received = frame.seq
      peerAck = Math.max(peerAck, Math.min(frame.ack, sent))
      if ('epoch' in frame && frame.epoch < options.highestEpoch()) {
        throw new NodeError('PROTOCOL', `the agent's epoch ${frame.epoch} is lower than ${options.highestEpoch()}, which this node has seen`)
      }
      switch (frame.type) {
        case 'challenge': {
          const said = options.hello()
          send({ ...said, proof: options.sign(helloText(frame.nonce, frame.epoch, said)) })
          break
        }
        case 'refused':
          throw new NodeError('PROTOCOL', `refused: ${frame.code}: ${frame.message}`)
        case 'welcome':
          options.onWelcome(frame)
          welcomed = true
          options.onPump(pump)
          break
        case 'pong':
          break
        default:
          if (welcomed) options.onFrame(frame)
      }
      pump()
    }
    socket.on('message', (data) => {
      heard = performance.now()
      try {
        handle(parseFrame(data as Buffer))
      } catch (error) {
        end(() => reject(error as Error))
      }
    })
    socket.on('error', (error) => end(() => reject(error)))
    socket.on('close', (code, reason) => end(() => resolve(`closed by the agent: ${code} ${reason.toString()}`.trim())))
  })
}

/** The server is authenticated: what it says is checked for its version, and read as it stands. */
function parseFrame(data: Buffer): AgentFrame {
  const value = JSON.parse(data.toString('utf8')) as AgentFrame
  const version: unknown = value.v
  if (version !== PROTOCOL_VERSION) throw new NodeError('PROTOCOL', `the agent speaks version ${String(version)} of the protocol, not ${String(PROTOCOL_VERSION)}`)
  return value
}
