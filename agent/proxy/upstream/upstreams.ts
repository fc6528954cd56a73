import { setTimeout as sleep } from 'node:timers/promises'
import { ProxyError } from '../proxy-error.ts'
import { UpstreamError } from './upstream-error.ts'

/** How an upstream has done. */
export interface Upstream {
  /** Ends with a slash. */
  readonly base: string
  /** Failures since it last gave something. */
  failures: number
  /** Milliseconds since 1970: before that it is asked last. */
  restsUntil: number
  lastError: string | null
  /** Answers that were used, and their bytes. */
  answers: number
  bytes: number
}

export interface TryOptions {
  /** What is asked for, for the message: a path. */
  readonly what: string
  /** How often the whole list is gone through. */
  readonly rounds: number
  /** Before the second round; doubled for each one after it. */
  readonly backoffMs: number
  readonly now: () => number
  readonly signal: AbortSignal
}

const FIRST_REST_MS = 1_000
const LONGEST_REST_MS = 5 * 60_000

export function newUpstream(url: string): Upstream {
  return { base: url.endsWith('/') ? url : `${url}/`, failures: 0, restsUntil: 0, lastError: null, answers: 0, bytes: 0 }
}

/**
 * Asks one upstream after another, those that failed of late last, until one gives what is wanted; then the whole list
 * again, after a pause. One that says that it has no such thing is not asked a second time.
 *
 * @throws {ProxyError} NOT_FOUND when all say that they have no such thing; NOT_GENUINE when something came and was wrong;
 *   else UPSTREAM_FAILED. The message has every upstream with its answer.
 * @throws what `ask` throws that is no UpstreamError, and the reason of an abort.
 */
export async function askInTurn<T>(upstreams: readonly Upstream[], ask: (upstream: Upstream) => Promise<T>, options: TryOptions): Promise<T> {
  const { what, rounds, backoffMs, now, signal } = options
  const said = new Map<Upstream, UpstreamError>()
  for (let round = 0; round < rounds; round += 1) {
    const open = upstreams.filter(one => said.get(one)?.kind !== 'absent').toSorted((a, b) => Number(a.restsUntil > now()) - Number(b.restsUntil > now()))
    if (open.length === 0) break
    if (round > 0) await sleep(backoffMs * 2 ** (round - 1), undefined, { signal })
    for (const upstream of open) {
      signal.throwIfAborted()
      try {
        const result = await ask(upstream)
        upstream.failures = 0
        upstream.restsUntil = 0
        upstream.lastError = null
        upstream.answers += 1
        return result
      } catch (error) {
        signal.throwIfAborted()
        if (!(error instanceof UpstreamError)) throw error
        said.set(upstream, error)
        if (error.kind === 'absent') continue
        upstream.failures += 1
        upstream.restsUntil = now() + Math.min(FIRST_REST_MS * 2 ** Math.min(upstream.failures - 1, 10), LONGEST_REST_MS)
        upstream.lastError = error.message
      }
    }
  }
  const kinds = [...said.values()].map(error => error.kind)
  const code = kinds.every(kind => kind === 'absent') ? 'NOT_FOUND' : kinds.includes('wrong') ? 'NOT_GENUINE' : 'UPSTREAM_FAILED'
  const list = [...said].map(([upstream, error]) => `${printableBase(upstream.base)}: ${error.message}`)
  throw new ProxyError(code, `${what}: ${list.length === 0 ? 'no upstream is known' : list.join('; ')}`)
}

/** Without name and password. */
export function printableBase(base: string): string {
  return base.replace(/^([a-z+]+:\/\/)[^/?#]*@/i, '$1')
}
