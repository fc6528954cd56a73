import { constants, existsSync, readFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { Agent, request as plainRequest } from 'node:http'
import type { IncomingHttpHeaders, IncomingMessage, RequestOptions } from 'node:http'
import { Agent as SecureAgent, request as secureRequest } from 'node:https'
import { createSecureContext } from 'node:tls'
import type { SecureContext } from 'node:tls'
import { fileURLToPath } from 'node:url'
import { UpstreamError } from './upstream-error.ts'

/** An answer whose body has yet to be read. Status 200, 206 or 304. */
export interface UpstreamAnswer {
  /** Where it was had at last, after redirects. */
  readonly url: string
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: AsyncIterable<Buffer>
  /** Gives up the body; must be called when it is not read to its end. */
  readonly drop: () => void
}

/** Asks upstreams, over connections that are kept and counted. */
export interface Connector extends AsyncDisposable {
  /** Follows redirects. @throws {UpstreamError} also while the body is read. */
  get(url: string, options: GetOptions): Promise<UpstreamAnswer>
}

export interface GetOptions {
  readonly headers?: Readonly<Record<string, string>>
  readonly signal: AbortSignal
  /** Nothing but the connection vouches for what comes: no redirect leads from https to http. */
  readonly byConnection?: boolean
  /** Default GET. */
  readonly method?: 'GET' | 'HEAD'
}

export interface ConnectorOptions {
  /** Connections to one upstream at once; what is beyond waits its turn. */
  readonly sockets: number
  /** Until the whole head of an answer is there, and between two pieces of a body. */
  readonly idleMs: number
  /** An upstream that gives less over `rateWindowMs` of waiting for it is given up. */
  readonly leastBytesPerSecond?: number
  readonly rateWindowMs?: number
  /** URL of a proxy that upstreams are asked through: TLS goes through a tunnel. */
  readonly proxy: string | null
  readonly userAgent: string
  /** PEM file of the authorities whose upstreams are believed, if it is there; else those that Node comes with. */
  readonly authorities?: string
}

const MOST_REDIRECTS = 5
/** The body of a redirect is read for the sake of its connection when it has at most so many bytes. */
const MOST_READ = 64 * 1024
/** What Debian's programs believe, and what `update-ca-certificates` adds authorities to. */
const SYSTEM_AUTHORITIES = '/etc/ssl/certs/ca-certificates.crt'

/** Opens a connector for http, https and file URLs. Closing it breaks what is under way. */
export function openConnector(options: ConnectorOptions): Connector {
  const { leastBytesPerSecond = 1_000, rateWindowMs = 30_000 } = options
  const shared = {
    keepAlive: true, maxSockets: options.sockets, maxFreeSockets: options.sockets, timeout: options.idleMs,
    ...(options.proxy === null ? {} : { proxyEnv: { http_proxy: options.proxy, https_proxy: options.proxy } }),
  }
  const plain = new Agent(shared)
  let secure: SecureAgent | undefined
  // To read all authorities takes a while: once, and not before there is something to ask by TLS.
  const secureAgent = (): SecureAgent => (secure ??= new SecureAgent({ ...shared, ...trust(options.authorities ?? SYSTEM_AUTHORITIES) }))

  const ask = async (url: URL, asked: GetOptions): Promise<IncomingMessage> => {
    const { headers = {}, signal, method = 'GET' } = asked
    const { protocol } = url
    if (protocol !== 'http:' && protocol !== 'https:') throw new UpstreamError('unreachable', `${protocol.slice(0, -1)} is not something that can be asked`)
    const settings: RequestOptions = { method, agent: protocol === 'http:' ? plain : secureAgent(), headers: { 'user-agent': options.userAgent, 'accept-encoding': 'identity', ...headers }, signal }
    return new Promise((resolve, reject) => {
      let slow: NodeJS.Timeout | undefined
      const answered = (answer: IncomingMessage): void => {
        clearTimeout(slow)
        resolve(answer)
      }
      const asking = protocol === 'http:' ? plainRequest(url.href, settings, answered) : secureRequest(url.href, settings, answered)
      const giveUp = (): unknown => asking.destroy(new UpstreamError('timeout', `nothing came for ${String(options.idleMs / 1000)} s`))
      asking.setTimeout(options.idleMs, giveUp)
      // A head that drips is never idle.
      asking.once('finish', () => {
        slow = setTimeout(giveUp, options.idleMs)
      })
      asking.once('close', () => clearTimeout(slow))
      asking.once('error', (error: NodeJS.ErrnoException) => {
        clearTimeout(slow)
        // A kept connection may be closed at any time, and that is no failure of the upstream (RFC 9112 §9.3.1). Each one is tried once.
        if (asking.reusedSocket && (error.code === 'ECONNRESET' || error.code === 'EPIPE') && !signal.aborted) resolve(ask(url, asked))
        else reject(explain(error, signal))
      })
      asking.end()
    })
  }

  return {
    async get(text, asked) {
      let url = new URL(text)
      if (url.protocol === 'file:') return readLocal(url, asked.headers?.['range'])
      for (let hops = 0; ; hops += 1) {
        const answer = await ask(url, asked)
        const status = answer.statusCode ?? 0
        const location = answer.headers.location
        if (status >= 300 && status < 400 && status !== 304 && location !== undefined) {
          if (Number(answer.headers['content-length'] ?? Number.NaN) <= MOST_READ) answer.resume()
          else answer.destroy()
          url = redirected(url, location, { hops, ...asked })
          continue
        }
        if (status === 200 || status === 206 || status === 304) {
          const problem = unasked(answer, asked)
          if (problem === undefined) return { url: url.href, status, headers: answer.headers, body: bodyOf(answer, { signal: asked.signal, leastBytesPerSecond, rateWindowMs }), drop: () => answer.destroy() }
          answer.destroy()
          throw problem
        }
        answer.destroy()
        throw new UpstreamError(status === 404 || status === 410 ? 'absent' : status === 416 ? 'unasked' : 'status', `${String(status)} ${answer.statusMessage ?? ''}`.trimEnd())
      }
    },
    [Symbol.asyncDispose]() {
      plain.destroy()
      secure?.destroy()
      return Promise.resolve()
    },
  }
}

function trust(file: string): { readonly secureContext?: SecureContext } {
  return existsSync(file) ? { secureContext: createSecureContext({ ca: readFileSync(file) }) } : {}
}

/** Where a redirect leads. @throws {UpstreamError} when it may not be followed. */
function redirected(from: URL, location: string, { hops, byConnection = false }: Pick<GetOptions, 'byConnection'> & { readonly hops: number }): URL {
  if (!URL.canParse(location, from.href)) throw new UpstreamError('status', `it redirects to what is no address: ${location.slice(0, 200)}`)
  const to = new URL(location, from)
  if (to.protocol !== 'http:' && to.protocol !== 'https:') throw new UpstreamError('status', `it redirects to ${to.protocol}, which is not followed`)
  if (byConnection && from.protocol === 'https:' && to.protocol === 'http:') throw new UpstreamError('status', `it redirects from https to http, where anybody may answer (to ${to.host}${to.pathname.slice(0, 200)})`)
  // As every client does: a path of the same host is asked for by the same name.
  if (to.origin === from.origin && to.username === '' && to.password === '') [to.username, to.password] = [from.username, from.password]
  if (hops === MOST_REDIRECTS) throw new UpstreamError('status', `it redirects without end (to ${to.host}${to.pathname.slice(0, 200)})`)
  return to
}

/** What is wrong with an answer that is none to the question. RFC 9110 §15.3.7, §15.4.5. */
function unasked({ statusCode, headers }: IncomingMessage, { headers: asked = {} }: GetOptions): UpstreamError | undefined {
  const encoding = headers['content-encoding'] ?? 'identity'
  if (encoding !== 'identity') return new UpstreamError('wrong', `it answers with content-encoding ${encoding.slice(0, 100)}, which was not asked for`)
  if (statusCode === 206 && asked['range'] === undefined) return new UpstreamError('unasked', '206 to a question for the whole')
  if (statusCode === 304 && asked['if-none-match'] === undefined && asked['if-modified-since'] === undefined) return new UpstreamError('unasked', '304 to a question without a condition')
  return undefined
}

interface BodyOptions {
  readonly signal: AbortSignal
  readonly leastBytesPerSecond: number
  readonly rateWindowMs: number
}

async function* bodyOf(answer: IncomingMessage, { signal, leastBytesPerSecond, rateWindowMs }: BodyOptions): AsyncIterable<Buffer> {
  const chunks = (answer as AsyncIterable<Buffer>)[Symbol.asyncIterator]()
  // Only waiting counts: a disk may be slower than the upstream.
  let waitedMs = 0
  let came = 0
  try {
    for (;;) {
      const begun = performance.now()
      const { done, value } = await chunks.next()
      if (done === true) break
      waitedMs += performance.now() - begun
      came += value.length
      if (waitedMs >= rateWindowMs) {
        if (came < (leastBytesPerSecond * waitedMs) / 1000) throw new UpstreamError('timeout', `fewer than ${String(leastBytesPerSecond)} bytes a second came over ${String(rateWindowMs / 1000)} s`)
        waitedMs = 0
        came = 0
      }
      yield value
    }
  } catch (error) {
    throw explain(error as NodeJS.ErrnoException, signal)
  }
  if (!answer.complete) throw new UpstreamError('truncated', 'it broke off')
}

function explain(error: NodeJS.ErrnoException, signal: AbortSignal): Error {
  if (signal.aborted) return signal.reason instanceof Error ? signal.reason : new Error('aborted')
  if (error instanceof UpstreamError) return error
  if (error.code === 'ECONNRESET' || error.message === 'aborted') return new UpstreamError('truncated', 'it closed the connection', { cause: error })
  return new UpstreamError('unreachable', error.message === '' ? (error.code ?? 'it cannot be reached') : error.message, { cause: error })
}

/** A medium that is mounted on the admin node is an upstream as any other. */
async function readLocal(url: URL, range: string | undefined): Promise<UpstreamAnswer> {
  const file = await open(fileURLToPath(url), constants.O_RDONLY).catch((error: NodeJS.ErrnoException) => {
    throw new UpstreamError(error.code === 'ENOENT' || error.code === 'ENOTDIR' ? 'absent' : 'unreachable', error.message, { cause: error })
  })
  const found = await file.stat()
  if (!found.isFile()) {
    await file.close()
    throw new UpstreamError('absent', `${url.pathname} is not a file`)
  }
  const start = Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? 0)
  const stream = file.createReadStream({ start, highWaterMark: 256 * 1024 })
  return {
    url: url.href,
    status: start === 0 ? 200 : 206,
    headers: { 'content-length': String(Math.max(0, found.size - start)), ...(start === 0 ? {} : { 'content-range': `bytes ${String(start)}-${String(found.size - 1)}/${String(found.size)}` }) },
    body: stream as AsyncIterable<Buffer>,
    drop: () => stream.destroy(),
  }
}
