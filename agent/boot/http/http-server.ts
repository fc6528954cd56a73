import { once } from 'node:events'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { serveHttp } from '../../http/serve-http.ts'
import type { HttpServer } from '../../http/serve-http.ts'
import type { ReportBootEvent } from '../boot-event.ts'
import { parseMac } from '../mac.ts'
import type { BootRequest, BootRoute } from './boot-route.ts'

/** See {@link startHttp}. */
export interface HttpOptions {
  readonly address: string
  /** 0: any free one. */
  readonly port: number
  readonly routes: readonly BootRoute[]
  /** Has requests that are not about booting, before any route. */
  readonly forward?: Forward | undefined
  /** Monotonic milliseconds. */
  readonly now: () => number
  readonly report: ReportBootEvent
}

/** Who answers at the same address what has nothing to do with booting; it is not reported as such. */
export interface Forward {
  /** @param target as the client wrote it: a path, or a whole URL. */
  accepts(target: string): boolean
  /** Never rejects. */
  handle(request: IncomingMessage, response: ServerResponse): Promise<void>
  /** Takes what else comes to the server: CONNECT. */
  attach(server: Server): void
}

/** Connections at once, at most; a rack needs a few per machine. */
const mostConnections = 4096

/**
 * Serves plain HTTP at one address until it is disposed of; connections are then cut.
 *
 * It is bound to the address and not to the device: machines behind a router are served too, whoever can route to it
 * reads only what any machine may read here.
 *
 * @throws if the address and port cannot be had (`code` of the operating system).
 */
export async function startHttp(options: HttpOptions): Promise<HttpServer> {
  const routes = options.routes.toSorted((a, b) => b.prefix.length - a.prefix.length)
  const stop = new AbortController()
  const { address, port, forward } = options
  return serveHttp({
    address, port, mostConnections, keepAliveMs: 30_000,
    answer: (request, response) => (forward?.accepts(request.url ?? '') === true ? forward.handle(request, response) : answer(request, response, { options, routes, stop: stop.signal })),
    attach: forward === undefined ? undefined : server => forward.attach(server),
    onClosing: () => stop.abort(),
  })
}

interface Context {
  readonly options: HttpOptions
  readonly routes: readonly BootRoute[]
  readonly stop: AbortSignal
}

/** Never rejects; settles when the answer has been sent or the client is gone. */
async function answer(request: IncomingMessage, response: ServerResponse, { options, routes, stop }: Context): Promise<void> {
  const begun = options.now()
  const { socket } = request
  const before = socket.bytesWritten
  const client = request.socket.remoteAddress ?? ''
  const gone = new AbortController()
  const closed = once(response, 'close').then(() => gone.abort(), () => gone.abort())
  const url = readUrl(request, options.address)
  const path = url?.pathname ?? printable(request.url ?? '')
  try {
    const route = url && routes.find(({ prefix }) => url.pathname.startsWith(prefix))
    const boot = url && { request, response, url, client, signal: AbortSignal.any([gone.signal, stop]) } satisfies BootRequest
    const result = route && boot ? await route.handle(boot) : 'missing'
    if (result === 'missing') fail(response, url ? 404 : 400)
  } catch (error) {
    if (!gone.signal.aborted) {
      const reason = error instanceof Error ? error.message : String(error)
      options.report({ type: 'boot.http.failed', client, path, reason })
    }
    if (response.headersSent) response.destroy()
    else fail(response, 500)
  }
  await closed
  options.report({
    type: 'boot.http.sent',
    method: request.method ?? '',
    mac: parseMac(path.split('/')[2] ?? ''),
    client,
    path,
    status: response.statusCode,
    bytes: socket.bytesWritten - before,
    milliseconds: Math.round(options.now() - begun),
  })
}

/** The host is what the client connected to: its Host header could name any. */
function readUrl(request: IncomingMessage, address: string): URL | undefined {
  const port = request.socket.localPort
  const origin = `http://${address}${port === 80 || port === undefined ? '' : `:${port}`}`
  const target = request.url ?? ''
  return target.startsWith('/') && URL.canParse(origin + target) ? new URL(origin + target) : undefined
}

function fail(response: ServerResponse, status: number): void {
  response.writeHead(status, { 'content-type': 'text/plain', 'content-length': 4 }).end(`${status}\n`)
}

function printable(text: string): string {
  return text.slice(0, 255).replace(/[^\x20-\x7e]/g, '?')
}
