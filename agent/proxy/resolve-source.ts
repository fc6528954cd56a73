import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { sourcesForSuite } from '../stage/apt-sources.ts'
import type { AptSource } from '../stage/apt-sources.ts'
import type { Trust } from './apt/check-signature.ts'
import type { ArchiveSource, ProxySource } from './source.ts'

/** A `source` document, or the same of a plan. */
export interface DeclaredSource {
  readonly name: string
  readonly type: string
  readonly upstream: string | readonly string[]
  readonly suites: readonly string[]
  readonly components: readonly string[]
  readonly architectures: readonly string[]
  /** Keys that sign it, as OpenPGP data; null: those that this machine's apt trusts. */
  readonly keyring: Buffer | null
  readonly sha256: string | null
}

/** What this machine's own apt is told. */
export interface HostApt {
  readonly sources: readonly AptSource[]
  /** Files of keys that it trusts for every source that names none. */
  readonly keyrings: readonly string[]
}

/** Keys that this machine's apt trusts for sources that name none. apt-secure(8) */
export async function hostKeyrings(): Promise<readonly string[]> {
  const folder = '/etc/apt/trusted.gpg.d'
  const own = (await readdir(folder).catch((): string[] => [])).filter(name => /\.(gpg|asc)$/.test(name)).toSorted().map(name => join(folder, name))
  const debian = (await readdir('/usr/share/keyrings').catch((): string[] => [])).filter(name => name === 'debian-archive-keyring.gpg').map(name => join('/usr/share/keyrings', name))
  return [...own, ...debian]
}

/**
 * What the proxy serves for a source.
 *
 * @returns null for types that it does not serve.
 * @throws {StageError} APT_NO_SOURCE when `upstream: system` is asked of a machine that has none for it.
 */
export function resolveSource(source: DeclaredSource, host: HostApt): ProxySource | null {
  const { name, upstream, sha256 } = source
  const upstreams = typeof upstream === 'string' ? [upstream] : upstream
  switch (source.type) {
    case 'apt':
      return { type: 'apt', name, archives: upstream === 'system' ? hostArchives(source, host) : [archive(source, upstreams, host)] }
    case 'git':
      return { type: 'git', name, upstreams }
    case 'file':
      return { type: 'file', name, upstreams, sha256 }
    default:
      return null
  }
}

function archive({ suites, components, architectures, keyring }: DeclaredSource, upstreams: readonly string[], host: HostApt): ArchiveSource {
  const trust: Trust = keyring === null ? { kind: 'files', paths: host.keyrings } : { kind: 'keys', keys: [keyring] }
  return { upstreams, suites, components, architectures, trust }
}

function hostArchives(source: DeclaredSource, host: HostApt): ArchiveSource[] {
  const chosen = source.suites.length === 0 ? host.sources : source.suites.flatMap(suite => sourcesForSuite(host.sources, suite))
  return chosen.map(({ uris, suites, options }) => ({ upstreams: uris, suites, components: [], architectures: source.architectures, trust: source.keyring === null ? hostTrust(options, host) : { kind: 'keys', keys: [source.keyring] } }))
}

function hostTrust(options: AptSource['options'], host: HostApt): Trust {
  const option = (wanted: string): string | undefined => Object.entries(options).find(([name]) => name.toLowerCase() === wanted)?.[1]
  if (/^(yes|true|1)$/i.test(option('trusted') ?? '')) return { kind: 'unsigned' }
  const signedBy = option('signed-by')
  if (signedBy === undefined) return { kind: 'files', paths: host.keyrings }
  if (signedBy.includes('-----BEGIN')) return { kind: 'keys', keys: [Buffer.from(signedBy)] }
  const paths = signedBy.split(/[\s,]+/).filter(one => one.startsWith('/'))
  // A fingerprint alone names a key among those that are trusted anyway.
  return { kind: 'files', paths: paths.length > 0 ? paths : host.keyrings }
}
