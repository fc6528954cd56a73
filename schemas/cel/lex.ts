import { readString } from './literal.ts'
import type { SourceError } from './ast.ts'
import type { CelValue } from './value.ts'
import { double, shrink, Uint } from './value.ts'

/** `name` is an identifier or keyword, `quoted` a name in backquotes, `end` the end of the source. */
export interface Token {
  readonly kind: 'name' | 'quoted' | 'literal' | 'number' | 'punctuation' | 'end' | 'error'
  /** Name or punctuation; the message of an error. */
  readonly text: string
  /** Of a literal or a number. For a number too large for an int, see `magnitude`. */
  readonly value: CelValue
  readonly offset: number
  readonly length: number
  /** An int literal's value before its sign is known, −2^63 being allowed and 2^63 not. */
  readonly magnitude?: bigint
}

const NAME = /[_a-zA-Z][_a-zA-Z0-9]*/y
const SPACE = /(?:[\t\n\f\r ]+|\/\/[^\n]*)+/y
const NUMBER = /0[xX][0-9a-fA-F]+[uU]?|(?:\d+\.\d+|\.\d+|\d+)(?:[eE][+-]?\d+)?[uU]?/y
const QUOTE = /(?:[rR][bB]?|[bB][rR]?)?(?:'''|"""|'|")/y
const QUOTED_NAME = /`[a-zA-Z0-9_.\-/ ]+`/y
const PUNCTUATION = /&&|\|\||==|!=|<=|>=|[-+*/%!<>?:.,()[\]{}]/y

function at(pattern: RegExp, source: string, offset: number): string | undefined {
  pattern.lastIndex = offset
  return pattern.exec(source)?.[0]
}

/** The token at or after `offset`; never fails: what is no token is one of kind `error` that covers it. */
export function lex(source: string, offset: number): Token {
  const start = offset + (at(SPACE, source, offset)?.length ?? 0)
  const make = (kind: Token['kind'], text: string, length: number, value: CelValue = null): Token => ({
    kind,
    text,
    value,
    offset: start,
    length,
  })
  if (start >= source.length) return make('end', 'the end', 0)
  const quote = at(QUOTE, source, start)
  if (quote !== undefined) {
    const read = readString(source, start, quote)
    if ('message' in read)
      return { kind: 'error', text: read.message, value: null, offset: read.offset, length: read.length }
    return make('literal', source.slice(start, read.end), read.end - start, read.value)
  }
  const name = at(NAME, source, start)
  if (name !== undefined) return make('name', name, name.length)
  const number = at(NUMBER, source, start)
  if (number !== undefined) return readNumber(source, start, number)
  const quoted = at(QUOTED_NAME, source, start)
  if (quoted !== undefined) return make('quoted', quoted.slice(1, -1), quoted.length)
  const punctuation = at(PUNCTUATION, source, start)
  if (punctuation !== undefined) return make('punctuation', punctuation, punctuation.length)
  const character = String.fromCodePoint(source.codePointAt(start) ?? 0)
  return make('error', hint(character), character.length)
}

function hint(character: string): string {
  switch (character) {
    case '=':
      return 'a single = is not an operator; compare with =='
    case '&':
      return 'a single & is not an operator; "and" is &&'
    case '|':
      return 'a single | is not an operator; "or" is ||'
    case '`':
      return 'a name in backquotes holds letters, digits, _ . - / and spaces, and ends with a backquote'
    default:
      return `unexpected character ${JSON.stringify(character)}`
  }
}

function readNumber(source: string, offset: number, text: string): Token {
  const base = { text, offset, length: text.length }
  const following = at(NAME, source, offset + text.length)
  if (following !== undefined) {
    return {
      ...base,
      kind: 'error',
      text: `a number cannot be followed by ${following}`,
      value: null,
      length: text.length + following.length,
    }
  }
  const unsigned = /[uU]$/.test(text)
  const digits = unsigned ? text.slice(0, -1) : text
  const hexadecimal = /^0[xX]/.test(digits)
  if (!hexadecimal && /[.eE]/.test(digits)) {
    if (unsigned)
      return { ...base, kind: 'error', text: 'an unsigned number has no fraction and no exponent', value: null }
    return { ...base, kind: 'number', value: double(Number(digits)) }
  }
  if (digits.length > 400) return { ...base, kind: 'error', text: 'number out of range', value: null }
  const magnitude = BigInt(digits)
  if (unsigned) {
    if (magnitude >= 2n ** 64n)
      return {
        ...base,
        kind: 'error',
        text: 'number out of range: a uint is at most 18446744073709551615',
        value: null,
      }
    return { ...base, kind: 'number', value: new Uint(magnitude) }
  }
  return { ...base, kind: 'number', value: shrink(magnitude), magnitude }
}

/** Where the expression of a template that starts at `offset` ends: at its unmatched `}`; or the mistake that hides it. */
export function findClosingBrace(source: string, offset: number): number | SourceError {
  let depth = 0
  let position = offset
  for (;;) {
    const token = lex(source, position)
    if (token.kind === 'end') return { message: '${ has no matching }', offset: offset - 2, length: 2 }
    if (token.kind === 'error') return { message: token.text, offset: token.offset, length: token.length }
    if (token.kind === 'punctuation' && token.text === '{') depth++
    else if (token.kind === 'punctuation' && token.text === '}' && depth-- === 0) return token.offset
    position = token.offset + token.length
  }
}
