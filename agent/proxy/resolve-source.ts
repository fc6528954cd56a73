import type { AptSource } from '../stage/apt-sources.ts'
import { aptSourcesOf } from '../stage/site-sources.ts'
import type { HostApt, SiteSource } from '../stage/site-sources.ts'
import type { Trust } from './apt/check-signature.ts'
import type { ArchiveSource, ProxySource } from './source.ts'

/** A `source` document, or the same of a plan. */
export interface DeclaredSource extends SiteSource {
  readonly type: string
  readonly sha256: string | null
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
      return { type: 'apt', name, archives: aptSourcesOf([source], host).map(one => archive(one, source, host)) }
    case 'npm':
    case 'pypi':
      return { type: source.type, name, upstreams }
    case 'git':
      return { type: 'git', name, upstreams }
    case 'file':
      return { type: 'file', name, upstreams, sha256 }
    default:
      return null
  }
}

function archive({ uris, suites, components, options }: AptSource, { architectures, keys }: DeclaredSource, host: HostApt): ArchiveSource {
  return { upstreams: uris, suites, components, architectures, trust: keys === null ? hostTrust(options, host) : { kind: 'keys', keys: [Buffer.from(keys, 'base64')] } }
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
