import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Plan } from '../../schemas/plan.ts'
import { readHostAptSources, sourcesForSuite } from './apt-sources.ts'
import type { AptSource } from './apt-sources.ts'

/** What a `source` document of type apt says, in a plan or in a file of sources. */
export interface SiteSource {
  readonly name: string
  /** `system`, or URLs of which each has the same, the best first. */
  readonly upstream: string | readonly string[]
  /** `bookworm`, or with a slash at its end the folder of a flat repository. */
  readonly suites: readonly string[]
  readonly components: readonly string[]
  /** Empty: any. */
  readonly architectures: readonly string[]
  /** OpenPGP keys that sign it, base64; null: those that this machine's apt trusts. */
  readonly keys: string | null
  /** path:line:column of what says so; null: nobody knows. */
  readonly at: string | null
}

/** What this machine's own apt is told. */
export interface HostApt {
  readonly sources: readonly AptSource[]
  /** Files of keys that it trusts for every source that names none. */
  readonly keyrings: readonly string[]
}

/** Reads what this machine's own apt is told. apt-secure(8) */
export async function readHostApt(): Promise<HostApt> {
  const folder = '/etc/apt/trusted.gpg.d'
  const own = (await readdir(folder).catch((): string[] => [])).filter(name => /\.(gpg|asc)$/.test(name)).toSorted().map(name => join(folder, name))
  const debian = (await readdir('/usr/share/keyrings').catch((): string[] => [])).filter(name => name === 'debian-archive-keyring.gpg').map(name => join('/usr/share/keyrings', name))
  return { sources: await readHostAptSources(), keyrings: [...own, ...debian] }
}

/** The sources of an operating system of a plan, its own first; those of other kinds than apt are left out. */
export function siteSourcesOf(os: string, plan: Plan): SiteSource[] {
  const system = plan.systems[os]
  const names = system === undefined || system.source === null ? [] : [system.source, ...(system.moreSources ?? [])]
  return names.flatMap(name => {
    const source = plan.sources[name]
    return source?.type === 'apt' ? [siteSource(name, source)] : []
  })
}

/** A source of a plan, whatever its type. */
export function siteSource(name: string, { upstream, suites, components, architectures = [], keys, at }: Plan['sources'][string]): SiteSource {
  return { name, upstream: upstream as string | readonly string[], suites, components, architectures, keys: keys ?? null, at: at ?? null }
}

/**
 * What apt has to be told of sources of the site, on this machine.
 *
 * `upstream: system` is what the machine itself uses for these suites, or its mirror of another Debian release, with the
 * updates and security fixes that it has; components and keys of the source go before the machine's.
 *
 * @throws {StageError} APT_NO_SOURCE when that is nothing.
 */
export function aptSourcesOf(sources: readonly SiteSource[], host: HostApt): AptSource[] {
  const all = sources.flatMap(source => (source.upstream === 'system' ? ofThisMachine(source, host) : ofUpstreams(source, host)))
  return [...new Map(all.map(one => [JSON.stringify(one), one])).values()]
}

function ofThisMachine(source: SiteSource, host: HostApt): AptSource[] {
  const site = { name: source.name, keys: source.keys, at: source.at, proxied: false }
  const chosen = source.suites.length === 0 ? host.sources : source.suites.flatMap(suite => sourcesForSuite(host.sources, suite))
  return chosen.map(one => {
    const options = source.keys === null ? one.options : Object.fromEntries(Object.entries(one.options).filter(([name]) => !/^(signed-by|trusted)$/i.test(name)))
    return { ...one, components: source.components.length === 0 ? one.components : source.components, options, site }
  })
}

function ofUpstreams(source: SiteSource, host: HostApt): AptSource[] {
  const uris = typeof source.upstream === 'string' ? [source.upstream] : source.upstream
  const options = { ...(source.architectures.length === 0 ? {} : { Architectures: source.architectures.filter(one => one !== 'all').join(' ') }), ...(source.keys === null && host.keyrings.length > 0 ? { 'Signed-By': host.keyrings.join(', ') } : {}) }
  const site = { name: source.name, keys: source.keys, at: source.at, proxied: true }
  const flat = source.suites.filter(suite => suite.endsWith('/'))
  const suites = source.suites.filter(suite => !suite.endsWith('/'))
  return [
    ...(suites.length === 0 && flat.length > 0 ? [] : [{ uris, suites, components: source.components, options, site }]),
    ...(flat.length === 0 ? [] : [{ uris, suites: flat, components: [], options, site }]),
  ]
}
