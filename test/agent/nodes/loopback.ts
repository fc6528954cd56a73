import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { SessionEvent } from '../../../agent/drivers/sessions.ts'
import { openEnrolment } from '../../../agent/nodes/enrolment.ts'
import type { Enrolment } from '../../../agent/nodes/enrolment.ts'
import type { Admit, NodeServerEvent } from '../../../agent/nodes/node-event.ts'
import { openNodeServer } from '../../../agent/nodes/node-server.ts'
import type { NodeServer } from '../../../agent/nodes/node-server.ts'
import { openServerIdentity } from '../../../agent/nodes/tls.ts'
import type { ServerIdentity } from '../../../agent/nodes/tls.ts'
import type { RoleTask } from '../../../schemas/protocol.ts'

const MAIN = fileURLToPath(new URL('../../../agent/node/main.ts', import.meta.url))

/** A node server on this machine, and what it and its sessions said, in order. */
export interface Loopback extends AsyncDisposable {
  readonly folder: string
  readonly identity: ServerIdentity
  readonly enrolment: Enrolment
  readonly server: NodeServer
  readonly events: (NodeServerEvent | SessionEvent)[]
  readonly url: string
  /** Resolves with the first event, also an earlier one from `from` on, that fits. */
  until<T extends NodeServerEvent | SessionEvent>(fits: (event: NodeServerEvent | SessionEvent) => event is T, from?: number): Promise<T>
  untilType<K extends (NodeServerEvent | SessionEvent)['type']>(type: K, from?: number): Promise<Extract<NodeServerEvent | SessionEvent, { type: K }>>
  /** Ends the server as a kill would, and opens another one on the same port and folder. */
  restart(options?: { readonly epoch?: number; readonly pauseMs?: number }): Promise<void>
}

/** Opens a server whose every candidate is machine `m1`, unless `admit` says otherwise. */
export async function openLoopback(options: { readonly admit?: Admit; readonly epoch?: number; readonly patienceMs?: number; readonly names?: readonly string[] } = {}): Promise<Loopback> {
  const folder = await mkdtemp(join(tmpdir(), 'crowbar-loopback-'))
  const patienceMs = options.patienceMs ?? 12_000
  const identity = await openServerIdentity(join(folder, 'tls'), { names: options.names ?? ['127.0.0.1'], now: Date.now() })
  const events: (NodeServerEvent | SessionEvent)[] = []
  const waiting = new Set<() => void>()
  const note = (event: NodeServerEvent | SessionEvent): void => {
    events.push(event)
    for (const wake of waiting) wake()
  }
  const admit: Admit = options.admit ?? (async ({ node }) => ({ machine: 'm1', node, work: true }))
  const start = async (port: number, epoch: number): Promise<{ enrolment: Enrolment; server: NodeServer }> => {
    const enrolment = await openEnrolment(join(folder, 'enrolment'), { now: () => Date.now(), random: () => randomBytes(12).toString('base64url') })
    const server = await openNodeServer({ identity, enrolment, epoch, admit, report: note, random: () => randomBytes(24).toString('base64url'), host: '127.0.0.1', port })
    server.sessions.subscribe((event) => {
      // Both streams say connected and disconnected; these tests look at the engine's.
      note(event)
    })
    return { enrolment, server }
  }
  let { enrolment, server } = await start(0, options.epoch ?? 1)
  let epoch = options.epoch ?? 1
  const { port } = server
  const until = async <T extends NodeServerEvent | SessionEvent>(fits: (event: NodeServerEvent | SessionEvent) => event is T, from = 0): Promise<T> => {
    for (;;) {
      const found = events.slice(from).find(fits)
      if (found !== undefined) return found
      await new Promise<void>((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error(`no such event; there were: ${events.map(({ type }) => type).slice(-40).join(', ')}`)), patienceMs)
        const wake = (): void => {
          clearTimeout(timer)
          waiting.delete(wake)
          resolve()
        }
        waiting.add(wake)
      })
    }
  }
  return {
    folder, identity, events, url: `wss://127.0.0.1:${port}/node`, until,
    get enrolment() {
      return enrolment
    },
    get server() {
      return server
    },
    untilType: (type, from) => until((event): event is never => event.type === type, from),
    async restart(next = {}) {
      await server[Symbol.asyncDispose]()
      await enrolment[Symbol.asyncDispose]()
      if (next.pauseMs !== undefined) await new Promise((resolve) => setTimeout(resolve, next.pauseMs))
      epoch = next.epoch ?? epoch + 1
      ;({ enrolment, server } = await start(port, epoch))
    },
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]()
      await enrolment[Symbol.asyncDispose]()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** A real node agent process of an installed node `n1`, with its state in a folder of its own. */
export interface AgentProcess extends AsyncDisposable {
  readonly state: string
  readonly log: () => string
  start(): void
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>
}

/** Starts the node agent as it runs on nodes, from its sources. */
export async function startAgent(loopback: Loopback, options: {
  readonly token?: string
  readonly ca?: string
  readonly incarnation?: string | null
  /** The program; default: the sources. */
  readonly main?: string
  /** `CROWBAR_LOOP_DISKS`; default: no disks. */
  readonly loopDisks?: string
} = {}): Promise<AgentProcess> {
  const state = await mkdtemp(join(loopback.folder, 'node-'))
  const incarnation = options.incarnation === undefined ? 'i1' : options.incarnation
  const token = options.token ?? loopback.enrolment.issue({ kind: 'installed', node: 'n1', incarnation }, 600)
  const config = join(state, 'agent.json')
  await writeFile(config, JSON.stringify({ url: loopback.url, ca: options.ca ?? loopback.identity.fingerprint, token, node: 'n1', incarnation }))
  let child: ChildProcess | undefined
  let log = ''
  const start = (): void => {
    child = spawn(process.execPath, [options.main ?? MAIN], {
      env: { PATH: process.env['PATH'] ?? '', CROWBAR_NODE_CONFIG: config, CROWBAR_NODE_STATE: state, CROWBAR_LOOP_DISKS: options.loopDisks ?? '', CROWBAR_NODE_BACKOFF_MS: '100' },
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    child.stderr?.on('data', (chunk: Buffer) => (log += chunk.toString()))
  }
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const gone = new Promise((resolve) => child?.once('exit', resolve))
    child.kill(signal)
    await gone
  }
  start()
  return { state, log: () => log, start, kill: () => end('SIGKILL'), [Symbol.asyncDispose]: () => end('SIGKILL') }
}

/** A web server for the files of barclamps, and role tasks that refer to them. */
export interface ContentServer extends AsyncDisposable {
  /** A task that runs this script; `over` replaces any of its fields. */
  role(script: string, over?: Partial<RoleTask>): RoleTask
}

/** Serves content by hash on this machine. */
export async function openContentServer(): Promise<ContentServer> {
  const files = new Map<string, string>()
  const server = createServer((request, response) => {
    const text = files.get((request.url ?? '').slice(1))
    response.writeHead(text === undefined ? 404 : 200).end(text)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    role(script, over = {}) {
      const sha256 = createHash('sha256').update(script).digest('hex')
      files.set(sha256, script)
      return {
        kind: 'role', attempt: '1/d/r@n1/1', step: 'd/r@n1', jig: 'script', entry: 'run.sh',
        content: [{ path: 'run.sh', mode: '0755', file: { url: `http://127.0.0.1:${port}/${sha256}`, sha256, bytes: Buffer.byteLength(script) } }],
        document: {}, sensitive: [], packages: [], repository: null, provides: {}, timeout: 60, ...over,
      }
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
