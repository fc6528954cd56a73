import type { Json } from '../../schemas/shape.ts'
import { NUMBER_AS_TEXT } from './as-text.ts'

/** What a Python expression means: a value, with what is not quite as Python has it; text that is no literal, which Ansible keeps as text; or what JSON cannot say. */
export type Literal = { readonly value: Json; readonly note?: string } | { readonly text: true } | { readonly problem: string }

class NotLiteral extends Error {}
class NotJson extends Error {}

/** Lists inside lists. */
const MAX_DEPTH = 60

/**
 * Reads a value as Python's `ast.literal_eval` does, which is how Ansible reads values of INI files: `1`, `True`, `'a'`,
 * `[1, 2]`, `{'a': None}`; tuples are lists. `true`, `0644`, `1.2.3.4` and the like are text.
 */
export function pythonLiteral(text: string): Literal {
  try {
    const reader = new Reader(text)
    const value = reader.whole()
    return reader.inexact ? { value, note: NUMBER_AS_TEXT } : { value }
  } catch (cause) {
    if (cause instanceof NotJson) return { problem: cause.message }
    if (cause instanceof NotLiteral) return { text: true }
    throw cause
  }
}

const NUMBER = /(?:0[xX](?:_?[0-9a-fA-F])+|0[oO](?:_?[0-7])+|0[bB](?:_?[01])+|(?:[0-9](?:_?[0-9])*)?\.[0-9](?:_?[0-9])*(?:[eE][-+]?[0-9](?:_?[0-9])*)?|[0-9](?:_?[0-9])*\.?(?:[eE][-+]?[0-9](?:_?[0-9])*)?)[jJ]?/y
const NAME = /[A-Za-z_\u0080-\uffff][A-Za-z0-9_\u0080-\uffff]*/y
const STRING = /([rRuUbB]|[bB][rR]|[rR][bB])?("""|'''|"|')/y
const SPACE = /[ \t\f]*(?:#[^\n]*)?/y

class Reader {
  /** Whether it holds a number that is too large to be kept as one. */
  inexact = false
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text.replace(/^[ \t]+/, '')
  }

  whole(): Json {
    const value = this.#list('', 0)
    if (this.#at < this.#text.length) throw new NotLiteral()
    return value.length === 1 && !value.comma ? (value.items[0] as Json) : value.items
  }

  /** Items up to a closing bracket; without one, up to the end. */
  #list(close: string, depth: number): { readonly items: Json[]; readonly length: number; readonly comma: boolean } {
    if (depth > MAX_DEPTH) throw new NotJson(`it is nested more than ${MAX_DEPTH} deep`)
    const items: Json[] = []
    let comma = false
    for (;;) {
      this.#match(SPACE)
      if (close === '' ? this.#at >= this.#text.length : this.#eats(close)) break
      if (items.length > 0 && !comma) throw new NotLiteral()
      items.push(this.#value(depth + 1, close === '' && items.length === 0))
      this.#match(SPACE)
      comma = this.#eats(',')
    }
    if (close === '' && items.length === 0) throw new NotLiteral()
    return { items, length: items.length, comma }
  }

  #value(depth: number, top = false): Json {
    this.#match(SPACE)
    if (this.#eats('[')) return this.#list(']', depth).items
    if (this.#eats('(')) {
      const { items, length, comma } = this.#list(')', depth)
      return length === 1 && !comma ? (items[0] as Json) : items
    }
    if (this.#eats('{')) return this.#map(depth)
    if (this.#eats('+')) return this.#number(1)
    if (this.#eats('-')) return this.#number(-1)
    const text = this.#string(top)
    if (text !== undefined) return text
    const name = this.#match(NAME)
    if (name !== undefined) {
      if (name === 'True') return true
      if (name === 'False') return false
      if (name === 'None') return null
      if (name === 'set' && /^[ \t]*\([ \t]*\)/.test(this.#text.slice(this.#at))) throw new NotJson('it is a set')
      throw new NotLiteral()
    }
    if (this.#text.startsWith('...', this.#at)) throw new NotJson('Python\'s `...` is nothing that JSON knows')
    return this.#number(1)
  }

  #number(sign: number): Json {
    this.#match(SPACE)
    const text = this.#match(NUMBER)
    if (text === undefined || text === '.') throw new NotLiteral()
    // 0644, 1.2.3, 3abc
    if (/^0_?[0-9_]*[1-9]/.test(text) && /^[0-9_]+$/.test(text)) throw new NotLiteral()
    if (/[A-Za-z0-9_.]/.test(this.#text[this.#at] ?? '')) throw new NotLiteral()
    if (/[jJ]$/.test(text) && !/^0[xX]/.test(text)) throw new NotJson('it is a complex number')
    const saved = this.#at
    this.#match(SPACE)
    if (/[-+]/.test(this.#text[this.#at] ?? '')) {
      this.#at++
      this.#match(SPACE)
      const imaginary = this.#match(NUMBER)
      if (imaginary !== undefined && /[jJ]$/.test(imaginary)) throw new NotJson('it is a complex number')
      throw new NotLiteral()
    }
    this.#at = saved
    const digits = text.replaceAll('_', '')
    const value = sign * Number(digits)
    if (!Number.isSafeInteger(value) && /^(?:[0-9]+|0[xob][0-9a-f]+)$/i.test(digits)) {
      this.inexact = true
      return `${sign < 0 ? '-' : ''}${BigInt(digits.toLowerCase())}`
    }
    if (!Number.isFinite(value)) throw new NotJson('it is larger than any number that JSON knows')
    return value === 0 ? 0 : value
  }

  #map(depth: number): Json {
    const fields: Record<string, Json> = {}
    let count = 0
    let comma = true
    for (;;) {
      this.#match(SPACE)
      if (this.#eats('}')) return fields
      if (!comma) throw new NotLiteral()
      const key = this.#value(depth + 1)
      this.#match(SPACE)
      if (!this.#eats(':')) {
        if (count > 0) throw new NotLiteral()
        this.#set(depth)
      }
      if (key === '__proto__') throw new NotJson('the key `__proto__` is not allowed')
      fields[keyText(key)] = this.#value(depth + 1)
      count++
      this.#match(SPACE)
      comma = this.#eats(',')
    }
  }

  /** The rest of what began as a map and has no colons. */
  #set(depth: number): never {
    while (this.#eats(',')) {
      this.#match(SPACE)
      if (this.#text[this.#at] === '}') break
      this.#value(depth + 1)
      this.#match(SPACE)
    }
    throw this.#eats('}') ? new NotJson('it is a set') : new NotLiteral()
  }

  /** One text, or several that follow each other. */
  #string(top: boolean): string | undefined {
    let result: string | undefined
    for (;;) {
      STRING.lastIndex = this.#at
      const opening = STRING.exec(this.#text)
      if (opening === null) return result
      const [whole, prefix = '', quote = ''] = opening
      const from = this.#at + whole.length
      const raw = /r/i.test(prefix)
      let end = from
      while (end < this.#text.length && !this.#text.startsWith(quote, end)) end += this.#text[end] === '\\' ? 2 : 1
      if (end >= this.#text.length) throw new NotLiteral()
      this.#at = end + quote.length
      if (/b/i.test(prefix) && !top) throw new NotJson('it holds bytes')
      const body = this.#text.slice(from, end)
      result = (result ?? '') + (raw ? body : unescaped(body))
      const saved = this.#at
      this.#match(SPACE)
      STRING.lastIndex = this.#at
      if (!STRING.test(this.#text)) {
        this.#at = saved
        return result
      }
    }
  }

  #eats(character: string): boolean {
    if (this.#text[this.#at] !== character) return false
    this.#at++
    return true
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at
    const found = pattern.exec(this.#text)?.[0]
    if (found !== undefined) this.#at += found.length
    return found === '' ? undefined : found
  }
}

function keyText(key: Json): string {
  if (key !== null && typeof key === 'object') throw new NotJson('a key of a map is no text')
  return String(key)
}

const ESCAPES: Readonly<Record<string, string>> = { '\\': '\\', "'": "'", '"': '"', a: '\u0007', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\u000b', '\n': '' }

function unescaped(body: string): string {
  return body.replaceAll(/\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-7]{1,3}|[\s\S])/g, (whole, code: string) => {
    if (/^[xuU]./.test(code)) {
      const point = Number.parseInt(code.slice(1), 16)
      if (point > 0x10ffff) throw new NotLiteral()
      if (point >= 0xd800 && point <= 0xdfff) throw new NotJson('it holds half of a surrogate pair, which is no character')
      return String.fromCodePoint(point)
    }
    if (/^[0-7]/.test(code)) return String.fromCodePoint(Number.parseInt(code, 8))
    if (code === 'N') throw new NotJson('it names a character by `\\N`')
    if (/^[xuU]$/.test(code)) throw new NotLiteral()
    return ESCAPES[code] ?? whole
  })
}
