import type { SourceError } from './ast.ts'

const ESCAPES: Readonly<Record<string, string>> = {
  a: '\u0007',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
  '?': '?',
  '"': '"',
  "'": "'",
  '`': '`',
}

/** A string or bytes literal that was read: its value and the offset behind its closing quote. */
export interface ReadString {
  readonly value: string | Uint8Array
  readonly end: number
}

/**
 * Reads the literal that starts at `offset` with `opening` (prefix and quotes, e.g. `rb'''`). In bytes, `\x` and octal
 * escapes are bytes, other text is UTF-8. Line ends inside triple quotes stay as they are written.
 */
export function readString(source: string, offset: number, opening: string): ReadString | SourceError {
  const quotes = opening.replace(/^[rRbB]*/, '')
  const prefix = opening.slice(0, opening.length - quotes.length).toLowerCase()
  const raw = prefix.includes('r')
  const pieces: (string | number)[] = []
  let at = offset + opening.length
  let plain = at
  for (;;) {
    const c = source[at]
    if (c === undefined || (quotes.length === 1 && (c === '\n' || c === '\r'))) {
      return { message: 'the string is not closed', offset, length: at - offset }
    }
    if (c === quotes[0] && source.startsWith(quotes, at)) break
    if (c !== '\\') {
      at++
    } else if (raw) {
      at += 2
    } else {
      pieces.push(source.slice(plain, at))
      const escape = readEscape(source, at, prefix.includes('b'))
      if (typeof escape === 'string') return { message: escape, offset: at, length: Math.min(2, source.length - at) }
      pieces.push(escape.value)
      at = escape.end
      plain = at
    }
  }
  pieces.push(source.slice(plain, at))
  const end = at + quotes.length
  return { value: prefix.includes('b') ? toBytes(pieces) : pieces.join(''), end }
}

function toBytes(pieces: readonly (string | number)[]): Uint8Array {
  const encoder = new TextEncoder()
  const parts = pieces.map((piece) => (typeof piece === 'number' ? Uint8Array.of(piece) : encoder.encode(piece)))
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    bytes.set(part, at)
    at += part.length
  }
  return bytes
}

/** A number is one byte; a string is text. */
function readEscape(source: string, at: number, bytes: boolean): { value: string | number; end: number } | string {
  const c = source[at + 1] ?? ''
  const simple = Object.hasOwn(ESCAPES, c) ? ESCAPES[c] : undefined
  if (simple !== undefined) return { value: simple, end: at + 2 }
  const digits = { x: 2, X: 2, u: 4, U: 8 }[c]
  if (digits === undefined && !/[0-3]/.test(c)) return `unknown escape \\${c}; a backslash is written \\\\`
  const text = digits === undefined ? source.slice(at + 1, at + 4) : source.slice(at + 2, at + 2 + digits)
  const valid = digits === undefined ? /^[0-3][0-7]{2}$/ : /^[0-9a-fA-F]+$/
  if (!valid.test(text) || text.length !== (digits ?? 3)) {
    return digits === undefined
      ? 'an octal escape has three digits, \\000 to \\377'
      : `\\${c} needs ${digits} hexadecimal digits`
  }
  if (bytes && (c === 'u' || c === 'U')) return `\\${c} has no meaning in bytes`
  const code = Number.parseInt(text, digits === undefined ? 8 : 16)
  if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return `\\${c}${text} is not a Unicode character`
  return { value: bytes ? code : String.fromCodePoint(code), end: at + 2 + (digits ?? 2) }
}
