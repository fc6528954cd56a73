import { chmod, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { applyRequestShape, approveRequestShape } from '../../schemas/control.ts'
import type { ApplyAnswer, ApplyRequest, ApproveAnswer, ApproveRequest, RunRecord, Status, WhyNot } from '../../schemas/control.ts'
import type { Shape } from '../../schemas/shape.ts'
import type { ProxyState } from '../proxy/metrics.ts'

/** What an operator may ask of an agent. */
export interface ControlOperations {
  status(): Promise<Status>
  apply(request: ApplyRequest): Promise<ApplyAnswer>
  approve(request: ApproveRequest): Promise<ApproveAnswer>
  /** What a step waits for. @throws {Error} with code NO_SUCH_STEP. */
  whyNot(step: string): Promise<WhyNot>
  /** Every run, the newest first. */
  runs(): Promise<readonly RunRecord[]>
  /** Starts nothing more and lets every machine boot its own disk, until thawed; survives a restart. */
  freeze(frozen: boolean): Promise<void>
  /** Lets a machine out of quarantine. @returns what came of it, in words. */
  admit(machine: string): Promise<string>
  /** Starts no more and ends the run when what runs has ended; asked for again, what runs is stopped. */
  cancel(): Promise<void>
  /** `/etc/crowbar/agent.json` for a machine that is installed already and is to be this node. */
  join(node: string): Promise<unknown>
  /** What the caching proxy served since the agent started, and how its upstreams do. */
  proxy(): Promise<ProxyState>
  /** The sequence of the newest event. */
  sequence(): Promise<number>
  /** Events after `seq` in order; with `follow` it goes on until the signal aborts. */
  events(options: { readonly after: number; readonly follow: boolean; readonly signal: AbortSignal }): AsyncIterable<unknown>
  /** What attempts of a step wrote, oldest first. */
  output(options: { readonly step: string | null; readonly signal: AbortSignal }): AsyncIterable<unknown>
  /** The compiled plan or changes; null when there is none yet. */
  document(name: 'plan' | 'changes'): Promise<unknown>
}

const MAX_BODY_BYTES = 1024 * 1024

/**
 * Serves the control API on a Unix socket with mode 0600: who may open it may command. Nothing that listens to nodes
 * carries any of these calls.
 *
 * Closing stops accepting, ends the streams and removes the socket.
 */
export async function serveControl(socket: string, operations: ControlOperations): Promise<AsyncDisposable> {
  await rm(socket, { force: true })
  const closing = new AbortController()
  const server = createServer((request, response) => {
    void answer(request, response, operations, closing.signal)
  })
  const previous = process.umask(0o177)
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(socket, resolve)
    })
  } finally {
    process.umask(previous)
  }
  await chmod(socket, 0o600)
  return {
    async [Symbol.asyncDispose]() {
      closing.abort()
      server.closeAllConnections()
      await new Promise(resolve => server.close(resolve))
      await rm(socket, { force: true })
    },
  }
}

async function answer(request: IncomingMessage, response: ServerResponse, operations: ControlOperations, closing: AbortSignal): Promise<void> {
  const gone = new AbortController()
  response.once('close', () => gone.abort())
  const signal = AbortSignal.any([gone.signal, closing])
  try {
    await route(request, response, operations, signal)
  } catch (error) {
    if (signal.aborted || response.headersSent) {
      response.destroy()
      return
    }
    const { code, message } = error as { code?: string; message: string }
    sendJson(response, error instanceof RequestError ? 400 : 500, { code: code ?? 'INTERNAL', message })
  }
}

class RequestError extends Error {
  readonly code = 'BAD_REQUEST'
}

async function route(request: IncomingMessage, response: ServerResponse, operations: ControlOperations, signal: AbortSignal): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://agent')
  switch (`${request.method ?? ''} ${url.pathname}`) {
    case 'GET /status':
      return sendJson(response, 200, await operations.status())
    case 'POST /apply':
      return sendJson(response, 200, await operations.apply(await readBody(request, applyRequestShape)))
    case 'POST /approve':
      return sendJson(response, 200, await operations.approve(await readBody(request, approveRequestShape)))
    case 'GET /runs':
      return sendJson(response, 200, await operations.runs())
    case 'GET /why-not': {
      const step = url.searchParams.get('step')
      if (step === null) throw new RequestError('which step?')
      return sendJson(response, 200, await operations.whyNot(step))
    }
    case 'POST /freeze':
    case 'POST /thaw':
      await operations.freeze(url.pathname === '/freeze')
      return sendJson(response, 200, {})
    case 'POST /admit': {
      const machine = url.searchParams.get('machine')
      if (machine === null) throw new RequestError('which machine?')
      return sendJson(response, 200, { message: await operations.admit(machine) })
    }
    case 'POST /cancel':
      await operations.cancel()
      return sendJson(response, 200, {})
    case 'GET /join': {
      const node = url.searchParams.get('node')
      if (node === null) throw new RequestError('which node?')
      return sendJson(response, 200, await operations.join(node))
    }
    case 'GET /proxy':
      return sendJson(response, 200, await operations.proxy())
    case 'GET /sequence':
      return sendJson(response, 200, { seq: await operations.sequence() })
    case 'GET /events':
      return sendLines(response, operations.events({ after: Number(url.searchParams.get('after') ?? 0), follow: url.searchParams.has('follow'), signal }))
    case 'GET /output':
      return sendLines(response, operations.output({ step: url.searchParams.get('step'), signal }))
    case 'GET /plan':
    case 'GET /changes': {
      const document = await operations.document(url.pathname === '/plan' ? 'plan' : 'changes')
      return document === null ? sendJson(response, 404, { code: 'NOT_YET', message: 'nothing was compiled yet' }) : sendJson(response, 200, document)
    }
    default:
      return sendJson(response, 404, { code: 'NO_SUCH_CALL', message: `${request.method ?? ''} ${url.pathname}` })
  }
}

async function readBody<T>(request: IncomingMessage, shape: Shape<T>): Promise<T> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > MAX_BODY_BYTES) throw new RequestError('the request is too large')
    chunks.push(chunk)
  }
  let value: unknown
  try {
    value = JSON.parse(Buffer.concat(chunks).toString('utf8'))
  } catch {
    throw new RequestError('the request is not JSON')
  }
  const validate = new Ajv2020({ strict: false }).compile<T>(shape.json)
  if (!validate(value)) throw new RequestError(`the request is not understood: ${validate.errors?.[0]?.instancePath ?? ''} ${validate.errors?.[0]?.message ?? ''}`)
  return value
}

function sendJson(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(`${JSON.stringify(value)}\n`)
}

async function sendLines(response: ServerResponse, lines: AsyncIterable<unknown>): Promise<void> {
  response.writeHead(200, { 'content-type': 'application/x-ndjson' })
  response.flushHeaders()
  for await (const line of lines) {
    if (!response.write(`${JSON.stringify(line)}\n`)) await new Promise(resolve => response.once('drain', resolve).once('close', resolve))
  }
  response.end()
}
