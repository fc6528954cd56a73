import { createServer } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** Answers instead of the upstream when it returns true. */
export type Misbehaviour = (request: IncomingMessage, response: ServerResponse, bytes: Buffer | undefined) => boolean

/** An upstream in this process that does what a test says. */
export interface TestUpstream extends AsyncDisposable {
  readonly url: string
  /** By path without the slash at its start. May be replaced at any time. */
  files: Map<string, Buffer>
  misbehave: Misbehaviour
  /** Paths as they were asked for, with the range, if any. */
  readonly asked: string[]
  /** Breaks every connection and answers no more. */
  kill(): Promise<void>
}

export async function testUpstream(files: Map<string, Buffer> = new Map(), tls: { readonly key: string; readonly cert: string } | null = null, address = '127.0.0.1'): Promise<TestUpstream> {
  const asked: string[] = []
  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    const path = decodeURIComponent((request.url ?? '/').slice(1).replace(/\?.*$/, '')).replace(/^(\.\/)+/, '')
    const { range } = request.headers
    asked.push(range === undefined ? path : `${path} ${range}`)
    const bytes = upstream.files.get(path)
    if (upstream.misbehave(request, response, bytes)) return
    if (bytes === undefined) {
      response.writeHead(404, { 'content-length': 0 }).end()
      return
    }
    const from = Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? 0)
    response.writeHead(from === 0 ? 200 : 206, { 'content-length': bytes.length - from, ...(from === 0 ? {} : { 'content-range': `bytes ${String(from)}-${String(bytes.length - 1)}/${String(bytes.length)}` }) })
    response.end(request.method === 'HEAD' ? undefined : bytes.subarray(from))
  }
  const server = tls === null ? createServer(answer) : createSecureServer(tls, answer)
  await new Promise<void>(resolve => server.listen(0, address, resolve))
  const kill = async (): Promise<void> => {
    server.closeAllConnections()
    if (server.listening) await new Promise(resolve => server.close(resolve))
  }
  const upstream: TestUpstream = { url: `http${tls === null ? '' : 's'}://${address.includes(':') ? `[${address}]` : address}:${String((server.address() as AddressInfo).port)}/`, files, asked, misbehave: () => false, kill, [Symbol.asyncDispose]: kill }
  return upstream
}
