import { Duration, Failure, Timestamp } from '../value.ts'
import type { CelValue } from '../value.ts'
import { method, sig } from './function.ts'
import type { LibraryFunction } from './function.ts'

const SECOND = 1_000_000_000n
/** 0001-01-01T00:00:00Z and the last nanosecond of 9999. */
const FIRST = -62_135_596_800n * SECOND
const LAST = 253_402_300_800n * SECOND - 1n

/** A timestamp, or the error that says it lies outside the years 1 to 9999. */
export function makeTimestamp(nanos: bigint): Timestamp | Failure {
  return nanos < FIRST || nanos > LAST
    ? new Failure('the timestamp lies outside the years 1 to 9999')
    : new Timestamp(nanos)
}

/** A duration, or the error that says it does not fit 64 bits of nanoseconds. */
export function makeDuration(nanos: bigint): Duration | Failure {
  const fits = nanos >= -(2n ** 63n) && nanos < 2n ** 63n
  return fits ? new Duration(nanos) : new Failure('the duration is longer than 292 years')
}

const RFC3339 = /^(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:[Zz]|([+-])(\d\d):(\d\d))$/

/** Reads `2026-01-02T03:04:05.678Z` or with an offset, `+02:00` (RFC 3339 §5.6, no leap seconds). */
export function parseTimestamp(text: string): Timestamp | Failure {
  const fields = RFC3339.exec(text)
  if (fields === null) return new Failure(`${quote(text)} is not a timestamp such as 2026-01-02T03:04:05Z`)
  const [year, month, day, hour, minute, second] = fields.slice(1, 7).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ]
  const [fraction = '', sign, offsetHour = '0', offsetMinute = '0'] = fields.slice(7)
  const date = new Date(0)
  date.setUTCFullYear(year, month - 1, day)
  const valid = date.getUTCMonth() === month - 1 && date.getUTCDate() === day && hour < 24 && minute < 60 && second < 60
  if (!valid || Number(offsetHour) > 23 || Number(offsetMinute) > 59)
    return new Failure(`${quote(text)} is not a date and time that exists`)
  const offset = (Number(offsetHour) * 60 + Number(offsetMinute)) * (sign === '-' ? -60 : 60)
  const seconds = date.getTime() / 1000 + hour * 3600 + minute * 60 + second - offset
  return makeTimestamp(BigInt(seconds) * SECOND + BigInt(fraction.padEnd(9, '0')))
}

/** The canonical form: UTC, `Z`, as many digits of a second as there are. */
export function formatTimestamp({ nanos }: Timestamp): string {
  const fraction = modulo(nanos, SECOND)
  const whole = new Date(Number((nanos - fraction) / 1_000_000n)).toISOString().slice(0, 19)
  return `${whole}${formatFraction(fraction)}Z`
}

function formatFraction(nanos: bigint): string {
  return nanos === 0n ? '' : `.${nanos.toString().padStart(9, '0').replace(/0+$/, '')}`
}

function modulo(a: bigint, b: bigint): bigint {
  const rest = a % b
  return rest < 0n ? rest + b : rest
}

const UNITS: Readonly<Record<string, bigint>> = {
  h: 3600n * SECOND,
  m: 60n * SECOND,
  s: SECOND,
  ms: 1_000_000n,
  us: 1000n,
  µs: 1000n,
  μs: 1000n,
  ns: 1n,
}
const DURATION = /^([+-]?)((?:(?:\d+(?:\.\d*)?|\.\d+)(?:h|ms|m|s|us|µs|μs|ns))+|0)$/
const DURATION_PART = /(\d*)(?:\.(\d*))?(h|ms|m|s|us|µs|μs|ns)/g

/** Reads `1h30m`, `1.5s`, `-10ms`: signed sums of h, m, s, ms, us, ns. */
export function parseDuration(text: string): Duration | Failure {
  const match = text.length <= 200 ? DURATION.exec(text) : null
  if (match === null) return new Failure(`${quote(text)} is not a duration such as 1h30m or 1.5s`)
  let nanos = 0n
  for (const [, whole = '', fraction = '', unit = ''] of (match[2] ?? '').matchAll(DURATION_PART)) {
    const size = UNITS[unit] ?? 0n
    nanos += BigInt(whole === '' ? '0' : whole) * size
    if (fraction !== '') nanos += (BigInt(fraction) * size) / 10n ** BigInt(fraction.length)
  }
  return makeDuration(match[1] === '-' ? -nanos : nanos)
}

/** The canonical form: seconds, `90s`, `-0.5s`. */
export function formatDuration({ nanos }: Duration): string {
  const size = nanos < 0n ? -nanos : nanos
  return `${nanos < 0n ? '-' : ''}${size / SECOND}${formatFraction(size % SECOND)}s`
}

function quote(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text)
}

const OFFSET = /^([+-]?)(\d\d):(\d\d)$/

/** Minutes east of UTC. Named zones are refused: their rules change with the machine's tz database. */
function zoneOffset(zone: string): number | Failure {
  if (zone === 'UTC' || zone === 'Z' || zone === '') return 0
  const match = OFFSET.exec(zone)
  if (match === null) {
    return new Failure(
      `time zone ${quote(zone)}: only UTC and offsets such as +02:00 are known, so that the result is the same everywhere`,
    )
  }
  const minutes = Number(match[2]) * 60 + Number(match[3])
  return match[1] === '-' ? -minutes : minutes
}

const DATE_PARTS: Readonly<Record<string, (date: Date) => number>> = {
  getFullYear: (date) => date.getUTCFullYear(),
  getMonth: (date) => date.getUTCMonth(),
  getDate: (date) => date.getUTCDate(),
  getDayOfMonth: (date) => date.getUTCDate() - 1,
  getDayOfWeek: (date) => date.getUTCDay(),
  getDayOfYear: (date) => {
    const newYear = new Date(date)
    newYear.setUTCMonth(0, 1)
    return Math.round((date.getTime() - newYear.getTime()) / 86_400_000)
  },
  getHours: (date) => date.getUTCHours(),
  getMinutes: (date) => date.getUTCMinutes(),
  getSeconds: (date) => date.getUTCSeconds(),
  getMilliseconds: (date) => date.getUTCMilliseconds(),
}

/** Of a duration: all of it in that unit, except milliseconds, which are those of its last second. */
const DURATION_PARTS: Readonly<Record<string, (nanos: bigint) => bigint>> = {
  getHours: (nanos) => nanos / (3600n * SECOND),
  getMinutes: (nanos) => nanos / (60n * SECOND),
  getSeconds: (nanos) => nanos / SECOND,
  getMilliseconds: (nanos) => (nanos % SECOND) / 1_000_000n,
}

function datePart(value: CelValue, zone: string, part: (date: Date) => number): CelValue | undefined {
  if (!(value instanceof Timestamp)) return undefined
  const offset = zoneOffset(zone)
  if (offset instanceof Failure) return offset
  const millis = Number((value.nanos - modulo(value.nanos, 1_000_000n)) / 1_000_000n)
  return part(new Date(millis + offset * 60_000))
}

/** The accessors of timestamps, in UTC or at an offset, and of durations. */
export const TIME_FUNCTIONS: readonly LibraryFunction[] = Object.entries(DATE_PARTS).flatMap(([name, part]) => {
  const ofDuration = DURATION_PARTS[name]
  const signatures = [sig('timestamp', 'int'), ...(ofDuration === undefined ? [] : [sig('duration', 'int')])]
  return [
    method(name, signatures, (_meter, a) =>
      a instanceof Duration && ofDuration !== undefined ? Number(ofDuration(a.nanos)) : datePart(a, 'UTC', part),
    ),
    method(name, [sig('timestamp', 'string', 'int')], (_meter, a, zone) =>
      typeof zone === 'string' ? datePart(a, zone, part) : undefined,
    ),
  ]
})
