import { once } from 'node:events'
import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'

export interface ServeHttpOptions {
  readonly address: string
  /** 0: any free one. */
  readonly port: number
  /** For how long a connection without a request is kept, milliseconds. */
  readonly keepAliveMs: number
  /** Connections at once, at most. */
  readonly mostConnections?: number
  /** Answers one request; must not reject. */
  readonly answer: (request: IncomingMessage, response: ServerResponse) => Promise<unknown>
  /** Takes what else comes to the server: CONNECT. */
  readonly attach?: ((server: Server) => void) | undefined
  /** Called when the server is closing, before connections are cut. */
  readonly onClosing?: () => void
}

/** A server that is listening. */
export interface HttpServer extends AsyncDisposable {
  readonly port: number
}

/**
 * Serves plain HTTP at one address until it is disposed of; connections are then cut, and all answers that were under way
 * have come to their end when that has settled.
 *
 * @throws if the address and port cannot be had (`code` of the operating system).
 */
export async function serveHttp({ address, port, keepAliveMs, mostConnections, answer, attach, onClosing }: ServeHttpOptions): Promise<HttpServer> {
  const working = new Set<Promise<unknown>>()
  const server = createServer({ keepAliveTimeout: keepAliveMs, requestTimeout: 60_000 }, (request, response) => {
    const work = answer(request, response).finally(() => working.delete(work))
    working.add(work)
  })
  if (mostConnections !== undefined) server.maxConnections = mostConnections
  attach?.(server)
  server.listen({ host: address, port })
  await once(server, 'listening')
  const bound = server.address()
  return {
    port: typeof bound === 'object' && bound !== null ? bound.port : port,
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close')
      server.close()
      onClosing?.()
      server.closeAllConnections()
      await Promise.all(working)
      await closed
    },
  }
}
