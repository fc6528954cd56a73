import type { Connector } from '../upstream/connector.ts'
import { fetchSmall } from '../upstream/fetch-small.ts'
import type { Validators } from '../upstream/fetch-small.ts'
import { UpstreamError } from '../upstream/upstream-error.ts'
import type { Upstream } from '../upstream/upstreams.ts'
import type { SignedRelease } from './check-signature.ts'
import type { Release } from './release.ts'

/** A Release of an upstream, checked. */
export interface FetchedRelease {
  readonly upstream: Upstream
  readonly validators: Validators
  /** What is signed. */
  readonly text: Buffer
  readonly release: Release
  /** The files that bear the signature, by name. */
  readonly files: Readonly<Record<string, Buffer>>
}

/** A Release of an upstream, as it came. */
export interface UncheckedRelease {
  readonly signed: SignedRelease
  /** @throws {UpstreamError} wrong, when it is older than the one that is known: a mirror that lags, or somebody who replays; or when it is of the future. */
  isNewer(release: Release, text: Buffer, before: { readonly release: Release } | undefined): FetchedRelease
}

export interface FetchReleaseOptions {
  readonly connector: Connector
  readonly upstream: Upstream
  readonly folder: string
  /** What was fetched the last time. */
  readonly last: FetchedRelease | undefined
  readonly signal: AbortSignal
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly onBytes: (bytes: number) => void
}

/** Clocks differ, and a Release may have been made just now. */
const MOST_AHEAD_MS = 24 * 60 * 60_000

/** Asks one upstream for InRelease, and where it has none, for Release and its signature. @throws {UpstreamError} */
export async function fetchRelease({ connector, upstream, folder, last, signal, now, onBytes }: FetchReleaseOptions): Promise<UncheckedRelease | 'unchanged'> {
  const validators = last?.upstream === upstream ? last.validators : undefined
  const get = async (name: string, known?: Validators): ReturnType<typeof fetchSmall> => {
    const got = await fetchSmall(connector, new URL(`${folder}${name}`, upstream.base).href, { signal, validators: known })
    if (got === 'unchanged') return got
    upstream.bytes += got.bytes.length
    onBytes(got.bytes.length)
    return got
  }
  const inRelease = await get('InRelease', validators).catch(whenAbsent)
  if (inRelease === 'unchanged') return 'unchanged'
  if (inRelease !== undefined) {
    return { signed: { kind: 'inline', inRelease: inRelease.bytes }, isNewer: newer(upstream, inRelease.validators, { InRelease: inRelease.bytes }, now) }
  }
  const release = await get('Release')
  if (release === 'unchanged') throw new TypeError('there was no condition')
  const signature = await get('Release.gpg').catch(whenAbsent)
  const bytes = signature === undefined || signature === 'unchanged' ? null : signature.bytes
  return {
    signed: { kind: 'detached', release: release.bytes, signature: bytes },
    isNewer: newer(upstream, {}, bytes === null ? {} : { 'Release.gpg': bytes }, now),
  }
}

function newer(upstream: Upstream, validators: Validators, files: Readonly<Record<string, Buffer>>, now: () => number): UncheckedRelease['isNewer'] {
  return (release, text, before) => {
    // It would count as newer than all that are to come until then.
    if (release.date * 1000 > now() + MOST_AHEAD_MS) throw new UpstreamError('wrong', `its Release is of ${new Date(release.date * 1000).toISOString()}, which is yet to come: it is wrong, or the clock of this machine is`)
    if (before !== undefined && release.date < before.release.date) throw new UpstreamError('wrong', `its Release is of ${new Date(release.date * 1000).toISOString()}, older than the one that is known`)
    return { upstream, validators, text, release, files }
  }
}

function whenAbsent(error: unknown): undefined {
  if (error instanceof UpstreamError && error.kind === 'absent') return undefined
  throw error
}
