import { compileRegex } from '../regex/regex.ts'
import type { Regex } from '../regex/regex.ts'
import { asSmallInt, Failure, isList } from '../value.ts'
import type { CelValue } from '../value.ts'
import type { Meter } from '../meter.ts'
import { deep, define, LIST_STRING, method, sig } from './function.ts'
import type { LibraryFunction } from './function.ts'

/** Longest string that replace, join and format make, in UTF-16 units. */
export const MAX_TEXT = 8 * 1024 * 1024

const SURROGATE = /[\ud800-\udfff]/

/** Length in code points. */
export function countCodePoints(text: string): number {
  if (!SURROGATE.test(text)) return text.length
  let count = 0
  for (const _ of text) count++
  return count
}

/** Splits at code points, so that an index is CEL's. */
function codePoints(meter: Meter, text: string): string | readonly string[] {
  meter.charge(text.length >> 3)
  return SURROGATE.test(text) ? Array.from(text) : text
}

function sliceText(points: string | readonly string[], from: number, to: number): string {
  return typeof points === 'string' ? points.slice(from, to) : points.slice(from, to).join('')
}

/** Looking for one text in another takes (lengths multiplied) steps at worst, though hardly ever. */
function searchCost(text: string, part: string): number {
  return Math.floor(text.length / 8 + (text.length * part.length) / 1024)
}

function outOfRange(index: number): Failure {
  return new Failure(`index ${index} is out of range`)
}

function search(meter: Meter, text: CelValue, part: CelValue, from: CelValue, last: boolean): CelValue | undefined {
  if (typeof text !== 'string' || typeof part !== 'string') return undefined
  const points = codePoints(meter, text)
  const start = from === null ? (last ? points.length : 0) : asSmallInt(from)
  if (start === undefined) return undefined
  if (start < 0 || start > points.length) return outOfRange(start)
  meter.charge(searchCost(text, part))
  const unit = sliceText(points, 0, start).length
  const found = last ? text.lastIndexOf(part, unit) : text.indexOf(part, unit)
  return found < 0 ? -1 : countCodePoints(text.slice(0, found))
}

function replace(meter: Meter, text: CelValue, from: CelValue, to: CelValue, limit: CelValue): CelValue | undefined {
  if (typeof text !== 'string' || typeof from !== 'string' || typeof to !== 'string') return undefined
  const count = asSmallInt(limit)
  if (count === undefined) return undefined
  meter.charge(searchCost(text, from))
  const pieces = splitText(text, from)
  const times = count < 0 ? pieces.length - 1 : Math.min(count, pieces.length - 1)
  if (text.length + times * to.length > MAX_TEXT)
    return new Failure(`the text would be longer than ${MAX_TEXT} characters`)
  meter.charge((times * to.length) >> 3)
  const rest = pieces.slice(times).join(from)
  return times === 0 ? text : pieces.slice(0, times).join(to) + to + rest
}

/** An empty separator stands between all characters, and before the first and behind the last one. */
function splitText(text: string, separator: string): readonly string[] {
  return separator === '' ? ['', ...Array.from(text), ''] : text.split(separator)
}

function split(meter: Meter, text: CelValue, separator: CelValue, limit: CelValue): CelValue | undefined {
  if (typeof text !== 'string' || typeof separator !== 'string') return undefined
  const count = asSmallInt(limit)
  if (count === undefined) return undefined
  meter.charge(text.length + searchCost(text, separator))
  const pieces = separator === '' ? Array.from(text) : text.split(separator)
  if (count === 0) return []
  if (count < 0 || pieces.length <= count) return pieces
  return [...pieces.slice(0, count - 1), pieces.slice(count - 1).join(separator)]
}

function join(meter: Meter, list: CelValue, separator: CelValue): CelValue | undefined {
  if (!isList(list) || typeof separator !== 'string') return undefined
  let length = separator.length * list.length
  const texts: string[] = []
  for (const item of list) {
    if (typeof item !== 'string') return new Failure('join takes a list of strings')
    length += item.length
    texts.push(item)
  }
  if (length > MAX_TEXT) return new Failure(`the text would be longer than ${MAX_TEXT} characters`)
  meter.charge(list.length + (length >> 3))
  return texts.join(separator)
}

function substring(meter: Meter, text: CelValue, from: CelValue, to: CelValue | undefined): CelValue | undefined {
  if (typeof text !== 'string') return undefined
  const points = codePoints(meter, text)
  const start = asSmallInt(from)
  const end = to === undefined ? points.length : asSmallInt(to)
  if (start === undefined || end === undefined) return undefined
  if (start < 0 || start > points.length) return outOfRange(start)
  if (end < 0 || end > points.length) return outOfRange(end)
  return start > end
    ? new Failure(`a substring cannot start at ${start} and end at ${end}`)
    : sliceText(points, start, end)
}

/** What Unicode calls White_Space, which is not quite what JavaScript trims. */
const WHITE_SPACE = '[\\t-\\r \\u0085\\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]'
const LEADING_SPACE = new RegExp(`^${WHITE_SPACE}+`)
const TRAILING = new RegExp(WHITE_SPACE)

function trim(text: string): string {
  let end = text.length
  while (end > 0 && TRAILING.test(text[end - 1] ?? '')) end--
  return text.slice(0, end).replace(LEADING_SPACE, '')
}

const QUOTED: Readonly<Record<string, string>> = {
  '\u0007': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
  '\\': '\\\\',
  '"': '\\"',
}

const patterns = new Map<string, Regex | string>()

/** The compiled pattern, or what is wrong with it. The cache is bounded and never changes a result. */
export function regexOf(pattern: string): Regex | string {
  const known = patterns.get(pattern)
  if (known !== undefined) return known
  if (patterns.size >= 256) patterns.clear()
  const compiled = compileRegex(pattern)
  patterns.set(pattern, compiled)
  return compiled
}

function matches(meter: Meter, text: CelValue, pattern: CelValue): CelValue | undefined {
  if (typeof text !== 'string' || typeof pattern !== 'string') return undefined
  meter.charge(pattern.length)
  const regex = regexOf(pattern)
  if (typeof regex === 'string') return new Failure(`the pattern is not valid: ${regex}`)
  meter.charge(Math.ceil((text.length * regex.size) / 16))
  return regex.test(text)
}

function onText(meter: Meter, text: CelValue, change: (text: string) => string): CelValue | undefined {
  if (typeof text !== 'string') return undefined
  meter.charge(text.length >> 3)
  return change(text)
}

function scan(
  meter: Meter,
  text: CelValue,
  part: CelValue,
  test: (text: string, part: string) => boolean,
): CelValue | undefined {
  if (typeof text !== 'string' || typeof part !== 'string') return undefined
  meter.charge(searchCost(text, part))
  return test(text, part)
}

/** The string functions of the standard library and of the strings extension, `format` aside. */
export const STRING_FUNCTIONS: readonly LibraryFunction[] = [
  method('startsWith', [sig('string', 'string', 'bool')], (_meter, a, b) =>
    typeof a === 'string' && typeof b === 'string' ? a.startsWith(b) : undefined,
  ),
  method('endsWith', [sig('string', 'string', 'bool')], (_meter, a, b) =>
    typeof a === 'string' && typeof b === 'string' ? a.endsWith(b) : undefined,
  ),
  method('contains', [sig('string', 'string', 'bool')], (meter, a, b) =>
    scan(meter, a, b, (text, part) => text.includes(part)),
  ),
  method('matches', [sig('string', 'string', 'bool')], matches),
  define('matches', [sig('string', 'string', 'bool')], matches),
  method('charAt', [sig('string', 'int', 'string')], (meter, a, b) => {
    const index = asSmallInt(b)
    if (typeof a !== 'string' || index === undefined) return undefined
    const points = codePoints(meter, a)
    return index < 0 || index > points.length ? outOfRange(index) : (points[index] ?? '')
  }),
  method('indexOf', [sig('string', 'string', 'int')], (meter, a, b) => search(meter, a, b, null, false)),
  method('indexOf', [sig('string', 'string', 'int', 'int')], (meter, a, b, c) =>
    c === null ? undefined : search(meter, a, b, c, false),
  ),
  method('lastIndexOf', [sig('string', 'string', 'int')], (meter, a, b) => search(meter, a, b, null, true)),
  method('lastIndexOf', [sig('string', 'string', 'int', 'int')], (meter, a, b, c) =>
    c === null ? undefined : search(meter, a, b, c, true),
  ),
  method('lowerAscii', [sig('string', 'string')], (meter, a) =>
    onText(meter, a, (text) => text.replace(/[A-Z]+/g, (part) => part.toLowerCase())),
  ),
  method('upperAscii', [sig('string', 'string')], (meter, a) =>
    onText(meter, a, (text) => text.replace(/[a-z]+/g, (part) => part.toUpperCase())),
  ),
  method('replace', [sig('string', 'string', 'string', 'string')], (meter, a, b, c) => replace(meter, a, b, c, -1)),
  method('replace', [sig('string', 'string', 'string', 'int', 'string')], replace),
  method('split', [sig('string', 'string', LIST_STRING)], (meter, a, b) => split(meter, a, b, -1)),
  method('split', [sig('string', 'string', 'int', LIST_STRING)], split),
  deep(method('join', [sig(LIST_STRING, 'string')], (meter, a) => join(meter, a, ''))),
  deep(method('join', [sig(LIST_STRING, 'string', 'string')], join)),
  method('substring', [sig('string', 'int', 'string')], (meter, a, b) => substring(meter, a, b, undefined)),
  method('substring', [sig('string', 'int', 'int', 'string')], substring),
  method('trim', [sig('string', 'string')], (meter, a) => onText(meter, a, trim)),
  method('reverse', [sig('string', 'string')], (meter, a) =>
    onText(meter, a, (text) => Array.from(text).reverse().join('')),
  ),
  define('strings.quote', [sig('string', 'string')], (meter, a) =>
    onText(meter, a, (text) => `"${Array.from(text.toWellFormed(), (c) => QUOTED[c] ?? c).join('')}"`),
  ),
]
