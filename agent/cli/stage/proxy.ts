import { resolve } from 'node:path'
import { resolveSource } from '../../proxy/resolve-source.ts'
import { openProxy } from '../../proxy/proxy.ts'
import { readSources, SourcesError } from '../../proxy/read-sources.ts'
import { serveProxy } from '../../proxy/serve-proxy.ts'
import { readHostApt } from '../../stage/site-sources.ts'
import { StageError } from '../../stage/stage-error.ts'
import { openStore } from '../../stage/store.ts'

export interface ProxyCommandOptions {
  readonly sources: readonly string[]
  readonly store: string
  readonly listen: string
  readonly offline?: boolean
  readonly upstreamProxy?: string
  readonly connect?: readonly string[]
  readonly maxAge: string
}

const USAGE = 64

/** `crowbar stage proxy`: the caching proxy by itself, until SIGTERM or SIGINT. @returns 1 when it cannot be had, 64 for wrong usage. */
export async function proxyCommand(options: ProxyCommandOptions): Promise<number> {
  const listen = /^(?<address>\[[0-9a-fA-F:]+\]|[^:]+):(?<port>\d{1,5})$/.exec(options.listen)?.groups
  const maxAge = Number(options.maxAge)
  if (listen === undefined || !(maxAge >= 0)) {
    process.stderr.write(`crowbar: ${listen === undefined ? '--listen wants ADDRESS:PORT' : '--max-age wants seconds'}\n`)
    return USAGE
  }
  try {
    const declared = (await Promise.all(options.sources.map(readSources))).flat()
    const host = await readHostApt()
    const sources = declared.map(one => resolveSource(one, host)).filter(one => one !== null)
    const store = await openStore(resolve(options.store))
    const online = (): boolean => options.offline !== true
    await using proxy = openProxy({
      store, sources, online, now: () => Date.now(), upstreamProxy: options.upstreamProxy ?? null, limits: { maxAgeMs: maxAge * 1000 },
      log: (message, fields = {}) => process.stderr.write(`${JSON.stringify({ time: new Date().toISOString(), message, ...fields })}\n`),
    })
    await using server = await serveProxy(proxy, { address: (listen['address'] ?? '').replace(/^\[|\]$/g, ''), port: Number(listen['port']), tunnels: options.connect ?? [], online })
    process.stdout.write(`serving ${sources.map(one => one.name).join(', ')} at http://${listen['address'] ?? ''}:${String(server.port)}\n`)
    await new Promise<void>(done => {
      process.once('SIGTERM', () => done())
      process.once('SIGINT', () => done())
    })
    return 0
  } catch (error) {
    const { code } = error as { code?: unknown }
    if (!(error instanceof SourcesError) && !(error instanceof StageError) && code !== 'EADDRINUSE' && code !== 'EACCES' && code !== 'EADDRNOTAVAIL') throw error
    process.stderr.write(`crowbar: ${(error as Error).message}\n`)
    return 1
  }
}
