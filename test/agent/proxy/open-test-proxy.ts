import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openProxy } from '../../../agent/proxy/proxy.ts'
import type { Proxy, ProxyLimits } from '../../../agent/proxy/proxy.ts'
import { serveProxy } from '../../../agent/proxy/serve-proxy.ts'
import type { ProxySource } from '../../../agent/proxy/source.ts'
import { openStore } from '../../../agent/stage/store.ts'
import type { Store } from '../../../agent/stage/store.ts'

/** What a client got. `whole`: as many bytes as were announced. */
export interface Got {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: Buffer
  readonly whole: boolean
}

export interface TestProxy extends AsyncDisposable {
  readonly proxy: Proxy
  readonly store: Store
  readonly url: string
  /** Moves the clock on. */
  later(milliseconds: number): void
  get(path: string, options?: { readonly headers?: Readonly<Record<string, string>>; readonly method?: string; readonly from?: string }): Promise<Got>
  /** Names of files in the store that are neither whole objects nor references. */
  leftovers(): Promise<string[]>
}

/** A source with one suite, `test`, that needs no signature. */
export function unsigned(upstreams: readonly string[], suites: readonly string[] = ['test']): ProxySource {
  return { type: 'apt', name: 'debian', archives: [{ upstreams, suites, components: [], architectures: [], trust: { kind: 'unsigned' } }] }
}

export async function openTestProxy(sources: readonly ProxySource[], options: { readonly limits?: Partial<ProxyLimits>; readonly online?: boolean; readonly folder?: string; readonly tunnels?: readonly string[]; readonly unsettled?: boolean; readonly upstreamProxy?: string; readonly authorities?: string } = {}): Promise<TestProxy> {
  const folder = options.folder ?? (await mkdtemp(join(tmpdir(), 'crowbar-proxy-')))
  const store = await openStore(folder)
  let offset = 0
  const now = (): number => Date.now() + offset
  const proxy = openProxy({ store, sources, now, online: () => options.online !== false, log: () => undefined, limits: { backoffMs: 10, idleMs: 60_000, ...options.limits }, upstreamProxy: options.upstreamProxy ?? null, ...(options.authorities === undefined ? {} : { authorities: options.authorities }) })
  const server = await serveProxy(proxy, { address: '127.0.0.1', port: 0, online: () => options.online !== false, ...(options.tunnels === undefined ? {} : { tunnels: options.tunnels }) })
  const url = `http://127.0.0.1:${String(server.port)}`
  return {
    proxy, store, url,
    later(milliseconds) {
      offset += milliseconds
    },
    get: (path, asked = {}) => new Promise((resolve, reject) => {
      const asking = request({ host: '127.0.0.1', port: server.port, path, agent: false, method: asked.method ?? 'GET', headers: asked.headers, ...(asked.from === undefined ? {} : { localAddress: asked.from }) }, response => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('error', () => undefined)
        response.once('close', () => void (options.unsettled === true ? Promise.resolve() : proxy.settled()).then(() => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks), whole: response.complete })))
      })
      asking.once('error', reject)
      asking.end()
    }),
    async leftovers() {
      await proxy[Symbol.asyncDispose]()
      return readdir(join(folder, 'tmp'))
    },
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]()
      await proxy[Symbol.asyncDispose]()
      if (options.folder === undefined) await rm(folder, { recursive: true, force: true })
    },
  }
}
