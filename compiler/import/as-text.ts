import { rangeOf } from '../parse/document.ts'
import type { Place } from './fields.ts'

export const NUMBER_AS_TEXT = 'a number that cannot be kept exactly, and so is text here'
const DATE_AS_TEXT = 'a date, which is text here'

/** Most text is seen to be none of these by its beginning. */
const MAYBE = /^[-+.0-9in]/i
const NUMBER = /^[-+]?(?:[0-9][0-9_]{15,}|0[box][0-9a-f_]{12,}|[0-9_.]+e[-+]?[0-9]{3,}|\.(?:inf|nan))$/i
/** In JSON and TOML; YAML has a point before them. */
const WORD = /^(?:[-+]?(?:inf|nan)|NaN|-?Infinity)$/
const DATE = /^(?:[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt \t]+[0-9]{1,2}:[0-9]{2}:[0-9]{2}.*)?|[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?)$/

/** Why a value is text here that is something else in its file; undefined when it is text there too. */
export function becameText({ document, pointer, value }: Place): string | undefined {
  if (typeof value !== 'string' || !MAYBE.test(value)) return undefined
  const isYaml = /\.ya?ml$/i.test(document.path)
  const note = NUMBER.test(value) || (!isYaml && WORD.test(value)) ? NUMBER_AS_TEXT : DATE.test(value) ? DATE_AS_TEXT : undefined
  if (note === undefined) return undefined
  const { start } = rangeOf(document, pointer)
  // What is text in its file has quotes, or stands in a line of an INI file.
  const written = document.source.text.slice((document.source.lines[start.line - 1] ?? 0) + start.column - 1).slice(0, value.length + 1)
  return (/^[-+.0-9]/.test(written) || written.startsWith(value)) && !written.includes('=') ? note : undefined
}
