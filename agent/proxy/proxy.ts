import { readFile } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import packageJson from '../../package.json' with { type: 'json' }
import type { ObjectHash } from '../stage/object-hash.ts'
import type { Store } from '../stage/store.ts'
import { PROXIED_HOST } from '../stage/tell-apt.ts'
import { AptSource } from './apt/apt-source.ts'
import type { Found } from './found.ts'
import { FileSource } from './file-source.ts'
import { openFlights } from './flights.ts'
import { GitMirror } from './git/mirror.ts'
import { openGitServer } from './git/serve-git.ts'
import { LARGEST_REMEMBERED, Memory } from './memory.ts'
import { formatMetrics, newCounters } from './metrics.ts'
import type { ProxyState } from './metrics.ts'
import type { ProxyContext } from './proxy-context.ts'
import { ProxyError } from './proxy-error.ts'
import { GoneError, sendBytes, sendFile, sendFlight } from './send.ts'
import type { Exchange } from './send.ts'
import { RegistrySource } from './registry/registry-source.ts'
import { plainPath } from './source.ts'
import type { ProxySource } from './source.ts'
import { openConnector } from './upstream/connector.ts'
import { printableBase } from './upstream/upstreams.ts'

export interface ProxyOptions {
  readonly store: Store
  readonly sources: readonly ProxySource[]
  readonly limits?: Partial<ProxyLimits>
  /** URL of a proxy through which upstreams are asked. */
  readonly upstreamProxy?: string | null
  /** PEM file of the authorities of upstreams; default: the machine's own. */
  readonly authorities?: string
  /** False: no upstream is asked. Default: true. */
  readonly online?: () => boolean
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly log: ProxyContext['log']
}

export interface ProxyLimits {
  /** Connections to one upstream at once. */
  readonly sockets: number
  /** Until an upstream's answer begins, and between two pieces, milliseconds. */
  readonly idleMs: number
  /** An upstream that gives less, over so many milliseconds of waiting for it, is given up. */
  readonly leastBytesPerSecond: number
  readonly rateWindowMs: number
  /** How often the list of upstreams is gone through. */
  readonly rounds: number
  readonly backoffMs: number
  readonly maxAgeMs: number
  readonly patienceMs: number
  /** Of small objects, in memory. */
  readonly memoryBytes: number
}

const DEFAULTS: ProxyLimits = { sockets: 8, idleMs: 20_000, leastBytesPerSecond: 1_000, rateWindowMs: 30_000, rounds: 3, backoffMs: 500, maxAgeMs: 30_000, patienceMs: 30_000, memoryBytes: 128 * 1024 * 1024 }
/** For how long an object that was there is taken to be there still. */
const TRUST_MS = 10 * 60_000
const MOST_TRUSTED = 200_000

type OpenSource = AptSource | GitMirror | FileSource | RegistrySource

/** A source, and what of it is asked for. */
interface Asked {
  readonly source: OpenSource
  readonly rest: string
}

/** Serves what upstreams have, from the store and into the store. */
export interface Proxy extends AsyncDisposable {
  /**
   * Answers GET and HEAD of `/apt/SOURCE/…`, `/git/SOURCE.git/…`, `/files/SOURCE`, `/npm/SOURCE/…`, `/pypi/SOURCE/…`,
   * `/metrics`, and of whole URLs of upstreams, as a forward proxy is asked. Never rejects.
   *
   * @returns `missing`, without having answered, when the path is none of these.
   */
  handle(request: IncomingMessage, response: ServerResponse): Promise<'done' | 'missing'>
  /** Takes other sources. Those that stay as they are keep what is known of them. */
  follow(sources: readonly ProxySource[]): void
  readonly state: ProxyState
  /** Settles when all that was asked for so far is kept. */
  settled(): Promise<void>
}

/** Opens a proxy that serves whoever asks `handle`. Closing it breaks off what is under way; nothing half is kept. */
export function openProxy(options: ProxyOptions): Proxy {
  const limits = { ...DEFAULTS, ...options.limits }
  const { store, now, log, online = () => true, upstreamProxy = null } = options
  const closing = new AbortController()
  const counters = newCounters()
  const onBytes = (bytes: number): void => {
    counters.bytes.upstream += bytes
  }
  const connector = openConnector({ sockets: limits.sockets, idleMs: limits.idleMs, leastBytesPerSecond: limits.leastBytesPerSecond, rateWindowMs: limits.rateWindowMs, proxy: upstreamProxy, userAgent: `crowbar/${packageJson.version}`, ...(options.authorities === undefined ? {} : { authorities: options.authorities }) })
  const flights = openFlights({ store, connector, rounds: limits.rounds, backoffMs: limits.backoffMs, now, online, onBytes })
  const background = new Set<Promise<void>>()
  const inBackground = (work: Promise<void>): void => {
    background.add(work)
    void work.finally(() => background.delete(work))
  }
  const settled = async (): Promise<void> => {
    await flights.settled()
    while (background.size > 0) await Promise.all(background)
  }
  const context: ProxyContext = { store, inBackground, connector, flights, online, now, log, onBytes, signal: closing.signal, maxAgeMs: limits.maxAgeMs, patienceMs: limits.patienceMs, rounds: limits.rounds, backoffMs: limits.backoffMs }
  const memory = new Memory(limits.memoryBytes)
  const git = openGitServer()
  const trusted = new Map<ObjectHash, number>()
  let known = new Map<string, { readonly text: string; readonly source: OpenSource }>()

  const follow = (sources: readonly ProxySource[]): void => {
    const next: typeof known = new Map()
    for (const one of sources) {
      const text = JSON.stringify(one)
      const before = known.get(`${one.type}/${one.name}`)
      next.set(`${one.type}/${one.name}`, before?.text === text ? before : { text, source: open(one) })
    }
    known = next
  }
  const open = (one: ProxySource): OpenSource => {
    switch (one.type) {
      case 'apt':
        return new AptSource(one.name, one.archives, context)
      case 'git':
        return new GitMirror(one.name, { upstreams: one.upstreams, proxy: upstreamProxy }, context)
      case 'npm':
      case 'pypi':
        return new RegistrySource(one.name, one, context)
      case 'file':
        return new FileSource(one.name, one, context)
    }
  }
  follow(options.sources)

  const isThere = async (hash: ObjectHash): Promise<boolean> => {
    const seen = trusted.get(hash)
    if (seen !== undefined && now() - seen < TRUST_MS) return true
    if (!await store.use(hash)) return false
    trusted.delete(hash)
    trusted.set(hash, now())
    if (trusted.size > MOST_TRUSTED) trusted.delete(trusted.keys().next().value ?? hash)
    return true
  }
  const sendStored = async (exchange: Exchange, { content }: Found): Promise<number | undefined> => {
    const remembered = memory.get(content.hash)
    if (!await isThere(content.hash)) return undefined
    if (remembered !== undefined) return sendBytes(exchange, content, remembered)
    try {
      if (content.bytes > LARGEST_REMEMBERED) return await sendFile(exchange, content, store.path(content.hash))
      const bytes = await readFile(store.path(content.hash))
      memory.add(content.hash, bytes)
      return sendBytes(exchange, content, bytes)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || exchange.response.headersSent) throw error
      // It was collected, or found damaged, since it was last seen.
      trusted.delete(content.hash)
      return undefined
    }
  }
  const send = async (exchange: Exchange, found: Found, doubt: () => void): Promise<void> => {
    // Looked at first: what is kept meanwhile is in the store and not on its way any more.
    const sent = flights.has(found.content.hash) ? undefined : await sendStored(exchange, found)
    if (sent !== undefined) {
      const kind = found.isNew === true ? 'miss' : 'hit'
      counters.requests[kind] += 1
      counters.bytes[kind] += sent
      found.had?.()
      return
    }
    if (exchange.request.method === 'HEAD') {
      sendBytes(exchange, found.content, Buffer.alloc(0))
      return
    }
    counters.requests.miss += 1
    try {
      const flight = await flights.start(found.order)
      const bytes = await flight.held?.()
      if (bytes !== undefined) memory.add(found.content.hash, bytes)
      counters.bytes.miss += bytes === undefined ? await sendFlight(exchange, found.content, flight) : sendBytes(exchange, found.content, bytes)
      if ((await flight.done).kept) found.had?.()
    } catch (error) {
      if (error instanceof ProxyError && (error.code === 'NOT_FOUND' || error.code === 'NOT_GENUINE')) doubt()
      throw error
    }
  }

  const serveApt = async (exchange: Exchange, source: AptSource, path: string): Promise<void> => {
    const { request } = exchange
    const { found, repository } = await source.find(path, { client: request.socket.remoteAddress ?? '', force: wantsNew(exchange) })
    if (repository.stale !== null) counters.requests.stale += 1
    await send(exchange, found, () => repository.doubt())
  }
  const serveGit = async (exchange: Exchange, mirror: GitMirror, path: string): Promise<void> => {
    const bytes = await git.serve(mirror, path, exchange)
    counters.requests[mirror.stale === null ? 'hit' : 'stale'] += 1
    counters.bytes.hit += bytes
  }
  const serveRegistry = async (exchange: Exchange, source: RegistrySource, path: string): Promise<void> => {
    const host = hostOf(exchange)
    const one = await source.find(path, { accept: exchange.request.headers.accept ?? '', force: wantsNew(exchange), base: `http://${host}/${source.type}/${source.name}/` })
    if (one.stale) counters.requests.stale += 1
    if (one.kind === 'file') {
      await send(exchange, one.found, one.doubt)
    } else {
      counters.bytes.hit += sendBytes(exchange, one.content, one.bytes)
      counters.requests.hit += 1
    }
  }
  const route = async (exchange: Exchange): Promise<'done' | 'missing'> => {
    // A program that has to name a host may name the one that is nowhere.
    const target = (exchange.request.url ?? '').replace(/[?#].*$/, '').replace(`http://${PROXIED_HOST}/`, '/')
    const whole = /^https?:\/\//i.test(target)
    if (target === '/metrics') {
      exchange.response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8', 'cache-control': 'no-store' }).end(formatMetrics(state()))
      return 'done'
    }
    const found = whole ? byUrl(target) : byPath(target)
    if (found === 'missing') return 'missing'
    for (const [i, one] of found.entries()) {
      try {
        await serve(exchange, one, target)
        break
      } catch (error) {
        // Several sources may have one upstream, each with suites of its own.
        if (i + 1 === found.length || exchange.response.headersSent || !(error instanceof ProxyError) || error.code !== 'NOT_FOUND') throw error
      }
    }
    return 'done'
  }
  const serve = async (exchange: Exchange, { source, rest }: Asked, target: string): Promise<void> => {
    const { method } = exchange.request
    if (method !== 'GET' && method !== 'HEAD' && !(method === 'POST' && source instanceof GitMirror)) throw new ProxyError('REFUSED', `${method ?? 'this'} is nothing that a cache does`)
    // Of a package `@SCOPE/NAME` the slash is escaped.
    const path = plainPath(source instanceof RegistrySource ? rest.replaceAll(/%2f/gi, '/') : rest)
    if (path === undefined) throw new ProxyError('NOT_FOUND', `${target.slice(0, 200)} is no path`)
    if (source instanceof AptSource) await serveApt(exchange, source, path)
    else if (source instanceof GitMirror) await serveGit(exchange, source, path)
    else if (source instanceof RegistrySource) await serveRegistry(exchange, source, path)
    else await send(exchange, await source.find(), () => source.doubt())
  }
  const byPath = (target: string): readonly Asked[] | 'missing' => {
    const match = /^\/(?<room>apt|git|files|npm|pypi)\/(?<name>[^/]+?)(?<end>\.git)?(?:\/(?<rest>.*))?$/.exec(target)
    if (match?.groups === undefined) return 'missing'
    const { room = '', name = '', end = '', rest = '' } = match.groups
    const type = room === 'files' ? 'file' : room
    const source = known.get(`${type}/${name}`) ?? known.get(`${type}/${name}${end}`)
    if (source === undefined) {
      const names = [...known.keys()].filter(one => one.startsWith(`${type}/`)).map(one => one.slice(type.length + 1))
      throw new ProxyError('NOT_FOUND', `the site has no ${type} source ${name}${names.length === 0 ? '' : `; it has ${names.join(', ')}`}`)
    }
    return [{ source: source.source, rest }]
  }
  const byUrl = (target: string): readonly Asked[] => {
    const found = [...known.values()].flatMap(({ source }) => {
      // Indexes of registries lead to paths of this proxy, and not to where a client thinks it is.
      if (source instanceof RegistrySource) return []
      const rest = source instanceof FileSource ? (source.is(target) ? '' : undefined) : source.below(target)
      return rest === undefined ? [] : [{ source, rest }]
    })
    if (found.length > 0) return found
    const host = URL.canParse(target) ? new URL(target).host : target.slice(0, 100)
    throw new ProxyError('REFUSED', `${host} with this path is an upstream of no source of the site; add a source document for it`)
  }
  const state = (): ProxyState => ({
    counters, flights: flights.count,
    upstreams: [...known.values()].flatMap(({ source }) => source.upstreams.map(one => ({
      source: source.name, upstream: printableBase(one.base), up: one.failures === 0, failures: one.failures, lastError: one.lastError, answers: one.answers, bytes: one.bytes,
    }))),
    stale: [...known.values()].flatMap(({ source }) => staleOf(source)),
  })

  return {
    follow,
    settled,
    get state() {
      return state()
    },
    async handle(request, response) {
      try {
        return await route({ request, response })
      } catch (error) {
        if (error instanceof GoneError || (response.destroyed && !response.writableFinished)) {
          response.destroy()
          return 'done'
        }
        counters.requests[error instanceof ProxyError && error.code === 'REFUSED' ? 'refused' : 'failed'] += 1
        if (!(error instanceof ProxyError)) log('a request could not be answered', { path: request.url, error: String(error) })
        fail(response, error)
        return 'done'
      }
    },
    async [Symbol.asyncDispose]() {
      closing.abort(new ProxyError('UPSTREAM_FAILED', 'the proxy is closing'))
      await flights[Symbol.asyncDispose]()
      await settled()
      await connector[Symbol.asyncDispose]()
    },
  }
}

function wantsNew({ request }: Exchange): boolean {
  return /no-cache/.test(request.headers['cache-control'] ?? '')
}

/** Host and port by which the client knows this proxy. */
function hostOf({ request: { headers: { host = '' }, socket: { localAddress = '', localPort } } }: Exchange): string {
  if (/^[\w.:[\]-]{1,300}$/.test(host) && URL.canParse(`http://${host}/`)) return host
  return `${localAddress.includes(':') ? `[${localAddress}]` : localAddress}:${String(localPort)}`
}

function staleOf(source: OpenSource): ProxyState['stale'] {
  if (source instanceof RegistrySource) return source.stale.map(({ name, because }) => ({ source: source.name, suite: name, because }))
  if (source instanceof AptSource) return source.repositories.flatMap(({ spec, stale }) => (stale === null ? [] : [{ source: source.name, suite: spec.folder, because: stale }]))
  return source instanceof GitMirror && source.stale !== null ? [{ source: source.name, suite: '', because: source.stale }] : []
}

/** A whole answer must never look right when it is not: where bytes were sent already, the connection is cut. */
function fail(response: ServerResponse, error: unknown): void {
  if (response.headersSent) {
    response.destroy()
    return
  }
  const status = error instanceof ProxyError ? error.status : 500
  const message = error instanceof ProxyError ? error.message : 'this is a bug in Crowbar; its log says more'
  const bytes = Buffer.from(`crowbar: ${message}\n`)
  // apt shows the words of the status line, and nothing of the body.
  response.writeHead(status, message.slice(0, 300).replace(/[^\x20-\x7e]/g, '?'), { 'content-type': 'text/plain; charset=utf-8', 'content-length': bytes.length, 'cache-control': 'no-store' })
  response.end(bytes)
}
