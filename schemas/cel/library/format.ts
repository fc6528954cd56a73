import { formatDouble, sortedText, toText } from './convert.ts'
import { MAX_TEXT } from './strings.ts'
import { asDouble, asInt, entriesOf, Failure, isList, typeWord, TypeValue, Uint } from '../value.ts'
import type { CelValue } from '../value.ts'
import { deep, method, sig } from './function.ts'
import type { LibraryFunction } from './function.ts'

const CLAUSE = /%(?:%|(?:\.(\d{1,4}))?(.))/gsu
const MAX_PRECISION = 100

/** The text that `%s` gives: lists and maps by content, maps sorted by the text of their keys. */
function display(value: CelValue): string | Failure {
  if (value === null) return 'null'
  if (value instanceof Uint8Array) return new TextDecoder().decode(value)
  if (value instanceof TypeValue) return value.name
  if (isList(value)) return collect(value.map(display), '[', ']')
  const entries = entriesOf(value)
  if (entries === undefined) return toText(value) ?? new Failure(`%s cannot show ${typeWord(value)}`)
  const shown = new Map(entries.map(([key, item]) => [toText(key) ?? '', item]))
  const parts = sortedText([...shown.keys()]).map((key) => {
    const item = display(shown.get(key) ?? null)
    return item instanceof Failure ? item : `${key}: ${item}`
  })
  return collect(parts, '{', '}')
}

function collect(parts: readonly (string | Failure)[], open: string, close: string): string | Failure {
  const texts = parts.filter((part) => typeof part === 'string')
  return parts.find((part) => part instanceof Failure) ?? open + texts.join(', ') + close
}

function special(value: number): string | undefined {
  if (Number.isFinite(value)) return undefined
  return formatDouble(value)
}

function wholeNumber(value: CelValue): bigint | undefined {
  return value instanceof Uint ? value.value : asInt(value)
}

function inBase(value: CelValue, base: number): string | undefined {
  return wholeNumber(value)?.toString(base)
}

function hexadecimal(value: CelValue): string | undefined {
  const bytes = typeof value === 'string' ? new TextEncoder().encode(value) : value
  if (bytes instanceof Uint8Array) return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
  return inBase(value, 16)
}

/** %f rounds half to even on the decimal digits, as printf does: toFixed works on the exact binary value. */
function fixed(value: CelValue, precision: number): string | undefined {
  const float = asDouble(value) ?? (wholeNumber(value) === undefined ? undefined : Number(wholeNumber(value)))
  if (float === undefined) return undefined
  const half = Math.abs(float % 1) === 0.5 && precision === 0
  if (half) return formatDouble(2 * Math.round(float / 2))
  return (
    special(float) ??
    (Math.abs(float) < 1e21
      ? float.toFixed(precision)
      : BigInt(float).toString() + (precision > 0 ? `.${'0'.repeat(precision)}` : ''))
  )
}

function scientific(value: CelValue, precision: number): string | undefined {
  const float = asDouble(value) ?? (wholeNumber(value) === undefined ? undefined : Number(wholeNumber(value)))
  if (float === undefined) return undefined
  return special(float) ?? float.toExponential(precision).replace(/e([+-])(\d)$/, 'e$10$2')
}

/** What a clause makes of its argument; undefined if it does not take such a one. */
function clause(letter: string, value: CelValue, precision: number): string | Failure | undefined {
  const float = asDouble(value)
  switch (letter) {
    case 's':
      return display(value)
    case 'd':
      return (float === undefined ? undefined : special(float)) ?? inBase(value, 10)
    case 'b':
      return typeof value === 'boolean' ? String(Number(value)) : inBase(value, 2)
    case 'o':
      return inBase(value, 8)
    case 'x':
      return hexadecimal(value)
    case 'X':
      return hexadecimal(value)?.toUpperCase()
    case 'f':
      return fixed(value, precision)
    case 'e':
      return scientific(value, precision)
    default:
      return new Failure(`%${letter} is not a clause of format; there are %s %d %f %e %b %o %x %X and %%`)
  }
}

function format(template: string, args: readonly CelValue[]): CelValue {
  let used = 0
  let failure: Failure | undefined
  let length = 0
  const text = template.replaceAll(CLAUSE, (whole: string, digits: string | undefined, letter: string | undefined) => {
    if (failure !== undefined) return ''
    if (letter === undefined) return '%'
    const precision = digits === undefined ? 6 : Number(digits)
    const value = args[used]
    if (value === undefined) {
      failure = new Failure(`${whole} has no argument: there are ${args.length}`)
      return ''
    }
    used++
    if (precision > MAX_PRECISION) failure = new Failure(`a precision is at most ${MAX_PRECISION}`)
    const shown = failure ?? clause(letter, value, precision) ?? new Failure(`${whole} cannot show ${typeWord(value)}`)
    if (shown instanceof Failure) {
      failure = shown
      return ''
    }
    length += shown.length
    if (length > MAX_TEXT) failure = new Failure(`the text would be longer than ${MAX_TEXT} characters`)
    return shown
  })
  if (failure === undefined && template.replaceAll('%%', '').endsWith('%'))
    return new Failure('a lone % at the end; a percent sign is written %%')
  return failure ?? text
}

/** `'%s: %d'.format([a, b])`, the strings extension. */
export const FORMAT: LibraryFunction = deep(
  method('format', [sig('string', { list: 'dyn' }, 'string')], (meter, a, b) => {
    if (typeof a !== 'string' || !isList(b)) return undefined
    const text = format(a, b)
    meter.charge((a.length >> 3) + b.length + (typeof text === 'string' ? text.length >> 3 : 0))
    return text
  }),
)
