import { parseStanzas } from '../../stage/deb822.ts'
import { isObjectHash } from '../../stage/object-hash.ts'
import type { ObjectHash } from '../../stage/object-hash.ts'
import { UpstreamError } from '../upstream/upstream-error.ts'

/** A file of the repository, as its Release names it. */
export interface ReleaseFile {
  readonly hash: ObjectHash
  readonly bytes: number
}

/** What a Release says. wiki.debian.org/DebianRepository/Format */
export interface Release {
  /** Seconds since 1970. */
  readonly date: number
  /** Seconds since 1970; null: for ever. */
  readonly validUntil: number | null
  readonly acquireByHash: boolean
  /** By name, relative to the Release: `main/binary-amd64/Packages.xz`. */
  readonly files: ReadonlyMap<string, ReleaseFile>
}

/**
 * Reads a Release whose signature was checked.
 *
 * @throws {UpstreamError} wrong: it has no date or no SHA-256 in it.
 */
export function parseRelease(text: string): Release {
  const [stanza] = parseStanzas(text)
  const date = Date.parse(stanza?.get('Date') ?? '')
  const validUntil = Date.parse(stanza?.get('Valid-Until') ?? '')
  const sums = stanza?.get('SHA256')
  if (Number.isNaN(date)) throw new UpstreamError('wrong', 'its Release has no date')
  if (sums === undefined) throw new UpstreamError('wrong', 'its Release has no SHA-256 in it, and nothing weaker is taken')
  const files = new Map<string, ReleaseFile>()
  for (const line of sums.split('\n')) {
    const [hex = '', bytes = '', name = ''] = line.trim().split(/\s+/)
    const hash = `sha256:${hex}`
    if (isObjectHash(hash) && /^\d{1,15}$/.test(bytes) && isSafe(name)) files.set(name, { hash, bytes: Number(bytes) })
  }
  return { date: date / 1000, validUntil: Number.isNaN(validUntil) ? null : validUntil / 1000, acquireByHash: /^yes$/i.test(stanza?.get('Acquire-By-Hash') ?? ''), files }
}

function isSafe(name: string): boolean {
  return name !== '' && !name.startsWith('/') && !name.split('/').includes('..')
}
