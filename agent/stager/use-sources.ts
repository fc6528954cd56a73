import { openProxy } from '../proxy/proxy.ts'
import { resolveSource } from '../proxy/resolve-source.ts'
import { serveProxy } from '../proxy/serve-proxy.ts'
import { hostAcquireSettings } from '../stage/apt-root.ts'
import type { AptUse } from '../stage/apt-root.ts'
import type { Progress } from '../stage/progress.ts'
import { aptSourcesOf, readHostApt } from '../stage/site-sources.ts'
import type { SiteSource } from '../stage/site-sources.ts'
import type { Store } from '../stage/store.ts'

/** Sources of the site while they are in use. */
export interface UsedSources extends AsyncDisposable {
  /** @throws {StageError} APT_NO_SOURCE */
  readonly use: () => Promise<AptUse>
}

export interface SourcesOptions {
  readonly store: Store
  readonly signal: AbortSignal
  readonly onProgress: Progress
  /** Null: the one that this machine's apt has, if any. */
  readonly upstreamProxy: string | null
}

/**
 * Gives apt the sources of the site: what the machine itself uses directly, all others through a proxy on the loopback
 * interface, so that mirrors are gone through, and keys and hashes looked at, in one place. Nothing is opened before it is used.
 */
export function openSources(sources: readonly SiteSource[], { store, signal, onProgress, upstreamProxy }: SourcesOptions): UsedSources {
  const parts = new AsyncDisposableStack()
  let opened: Promise<AptUse> | undefined
  const open = async (): Promise<AptUse> => {
    const host = await readHostApt()
    const asked = aptSourcesOf(sources, host)
    if (!asked.some(({ site }) => site?.proxied === true)) return { sources: asked }
    const served = sources.filter(({ upstream }) => upstream !== 'system').flatMap(one => resolveSource({ ...one, type: 'apt', sha256: null }, host) ?? [])
    const proxy = parts.use(openProxy({ store, sources: served, now: () => Date.now(), log: (message, fields) => onProgress(`${message}: ${Object.values(fields ?? {}).join(', ')}`), upstreamProxy: upstreamProxy ?? await proxyOfApt(signal) }))
    const server = parts.use(await serveProxy(proxy, { address: '127.0.0.1', port: 0 }))
    return { sources: asked, proxy: `http://127.0.0.1:${String(server.port)}` }
  }
  return {
    use: () => (opened ??= open()),
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  }
}

/** The proxy through which this machine's apt asks, which its other programs may need as well. */
async function proxyOfApt(signal: AbortSignal): Promise<string | null> {
  const settings = await hostAcquireSettings(signal)
  const said = settings.flatMap(line => /^Acquire::https?::Proxy "(https?:\/\/[^"]+)";$/i.exec(line)?.[1] ?? [])
  return said[0] ?? null
}
