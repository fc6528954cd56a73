import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { serveHttp } from '../http/serve-http.ts'
import type { HttpServer } from '../http/serve-http.ts'
import type { Proxy } from './proxy.ts'

export interface ServeProxyOptions {
  readonly address: string
  /** 0: any free one. */
  readonly port: number
  /** `host:port` to which tunnels may be opened; what runs through them is neither seen nor kept. */
  readonly tunnels?: readonly string[]
  readonly online?: () => boolean
}

/** Serves a proxy at an address of its own until it is disposed of; connections are then cut. */
export function serveProxy(proxy: Proxy, options: ServeProxyOptions): Promise<HttpServer> {
  const { address, port } = options
  return serveHttp({ address, port, keepAliveMs: 60_000, answer: (request, response) => answerProxy(proxy, request, response), attach: server => tunnel(server, options) })
}

/** Answers one request. Never rejects. */
export async function answerProxy(proxy: Proxy, request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (await proxy.handle(request, response) === 'done') return
  const text = 'crowbar: this is a caching proxy: /apt/SOURCE/…, /git/SOURCE.git, /files/SOURCE, /npm/SOURCE/, /pypi/SOURCE/simple/, /metrics, or whole URLs of upstreams\n'
  response.writeHead(404, { 'content-type': 'text/plain; charset=utf-8', 'content-length': Buffer.byteLength(text) }).end(text)
}

/** Answers CONNECT: with a tunnel where that is allowed, else with a refusal that says so. */
export function tunnel(server: Server, { tunnels = [], online = () => true }: Pick<ServeProxyOptions, 'tunnels' | 'online'>): void {
  server.on('connect', (request: IncomingMessage, client: Duplex, head: Buffer) => {
    const target = request.url ?? ''
    client.on('error', () => client.destroy())
    const refusal = !tunnels.includes(target) ? 'tunnels are not allowed: what runs through one is neither checked nor kept. Ask with http:// and let the source have the https:// upstream' : !online() ? 'this admin node is offline' : undefined
    const match = /^(?<host>\[[0-9a-f:]+\]|[^:]+):(?<port>\d{1,5})$/i.exec(target)?.groups
    if (refusal !== undefined || match === undefined) {
      const text = `crowbar: CONNECT ${target.slice(0, 200)}: ${refusal ?? 'not a host and a port'}\n`
      client.end(`HTTP/1.1 403 tunnels are not allowed\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: ${String(Buffer.byteLength(text))}\r\nconnection: close\r\n\r\n${text}`)
      return
    }
    open(client, head, { host: (match['host'] ?? '').replace(/^\[|\]$/g, ''), port: Number(match['port']) })
  })
}

function open(client: Duplex, head: Buffer, { host, port }: { readonly host: string; readonly port: number }): void {
  const upstream: Socket = connect({ host, port }, () => {
    client.write('HTTP/1.1 200 Connection established\r\n\r\n')
    upstream.write(head)
    upstream.pipe(client)
    client.pipe(upstream)
  })
  upstream.setTimeout(10 * 60_000, () => upstream.destroy())
  upstream.once('error', error => {
    if (upstream.bytesRead > 0) client.destroy()
    else client.end(`HTTP/1.1 502 ${error.message.replace(/[^\x20-\x7e]/g, '?')}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n`)
  })
  client.once('close', () => upstream.destroy())
  upstream.once('close', () => client.destroy())
}
