import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { programEnvironment } from './run-program.ts'

/** A clock that is off by less than this is good enough for certificates. */
const TOLERANCE_MS = 60_000

/**
 * Sets the system clock when it differs from the server's by more than a minute: before TLS, which refuses certificates
 * that are not yet or no longer valid. A machine with an empty battery starts in 1970 or 2000.
 *
 * The answer is text: RFC 3339 or seconds since 1970; else the `Date` header counts. Half the round trip is added. The
 * answer is not authenticated: a liar can make TLS fail, but not make another certificate authority pass.
 *
 * @returns milliseconds the clock was moved by; 0 when it was left alone.
 * @throws when the server cannot be asked or the clock cannot be set.
 */
export async function setClock(url: string, options: { readonly now: () => number; readonly signal: AbortSignal; readonly set?: (unixSeconds: number) => Promise<void> }): Promise<number> {
  const before = options.now()
  const response = await fetch(url, { signal: AbortSignal.any([options.signal, AbortSignal.timeout(10_000)]) })
  const text = (await response.text()).trim()
  const elapsed = options.now() - before
  const server = serverTime(text, response.headers.get('date'))
  if (server === undefined) throw new Error(`${url} did not answer with a time`)
  const target = server + elapsed / 2
  const offset = Math.round(target - options.now())
  if (Math.abs(offset) <= TOLERANCE_MS) return 0
  await (options.set ?? setSystemClock)(Math.round(target / 1000))
  return offset
}

function serverTime(text: string, date: string | null): number | undefined {
  if (/^[0-9]{9,11}(\.[0-9]+)?$/.test(text)) return Number(text) * 1000
  if (/^[0-9]{12,14}$/.test(text)) return Number(text)
  const found = [text.slice(0, 64), date ?? ''].map((one) => Date.parse(one)).find((one) => Number.isFinite(one))
  return found
}

/** GNU date and busybox date both take `@SECONDS`. */
async function setSystemClock(unixSeconds: number): Promise<void> {
  await promisify(execFile)('date', ['-u', '-s', `@${unixSeconds}`], { env: programEnvironment(), timeout: 10_000 })
}
