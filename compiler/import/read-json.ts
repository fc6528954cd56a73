import type { Report } from '../../schemas/diagnostic.ts'
import type { Json } from '../../schemas/shape.ts'
import { error, warning } from '../diagnostics/diagnostic.ts'
import { rangeBetween } from '../parse/document.ts'
import type { SourceDocument, SourceText } from '../parse/document.ts'
import { documentOf } from './text-node.ts'
import type { TextNode } from './text-node.ts'

/** Collections inside collections. */
const MAX_DEPTH = 100
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?/y
const WORD = /true|false|null|NaN|-?Infinity/y
const SPACE = /[ \t\r\n]*/y

class Malformed extends Error {
  readonly offset: number
  constructor(offset: number, message: string) {
    super(message)
    this.offset = offset
  }
}

/**
 * Reads a JSON text (RFC 8259) with the place of every value. A number that cannot be kept exactly is text, and so are
 * the `NaN` and `Infinity` that Python writes; of a key that is given twice the last counts, with a warning.
 *
 * @param many whether several maps may follow each other, which are taken as one: as Salt prints answers one by one.
 * @returns undefined when it is not JSON, which is reported.
 */
export function readJson(source: SourceText, report: Report, many: 'one' | 'many' = 'one'): SourceDocument | undefined {
  try {
    return documentOf(new Reader(source, report).whole(many), source)
  } catch (cause) {
    if (!(cause instanceof Malformed)) throw cause
    report(error('IMPORT_SYNTAX', rangeBetween(source, cause.offset, cause.offset + 1), `This is not JSON: ${cause.message}.`, { fix: 'Give the file as the tool wrote it.' }))
    return undefined
  }
}

class Reader {
  #at = 0
  readonly #source: SourceText
  readonly #report: Report

  constructor(source: SourceText, report: Report) {
    this.#source = source
    this.#report = report
  }

  whole(many: 'one' | 'many'): TextNode {
    this.#match(SPACE)
    const node = this.#value({ keyStart: -1, keyEnd: -1 }, 0)
    this.#match(SPACE)
    while (many === 'many' && node.content.kind === 'map' && this.#source.text[this.#at] === '{') {
      const next = this.#value({ keyStart: -1, keyEnd: -1 }, 0)
      this.#match(SPACE)
      if (next.content.kind !== 'map') break
      for (const [key, child] of next.content.entries) {
        if (node.content.entries.has(key)) this.#report(warning('DUPLICATE_KEY', rangeBetween(this.#source, child.keyStart, child.keyEnd), `The key \`${key}\` is given twice; the last counts.`))
        node.content.entries.set(key, child)
      }
      node.end = next.end
    }
    if (this.#at < this.#source.text.length) throw new Malformed(this.#at, 'something comes after its end')
    return node
  }

  #value(key: { readonly keyStart: number; readonly keyEnd: number }, depth: number): TextNode {
    if (depth > MAX_DEPTH) throw new Malformed(this.#at, `values are nested more than ${MAX_DEPTH} deep`)
    const start = this.#at
    const first = this.#source.text[start]
    if (first === '{') return this.#map({ start, ...key }, depth)
    if (first === '[') return this.#list({ start, ...key }, depth)
    const text = first === '"' ? this.#string() : (this.#match(WORD) ?? this.#match(NUMBER))
    if (text === undefined) throw new Malformed(start, first === undefined ? 'it ends too early' : first === '"' ? 'a text is not closed, or holds what it must not' : 'no value can begin here')
    return { start, end: this.#at, ...key, content: { kind: 'value', value: scalar(text) } }
  }

  #map({ start, keyStart, keyEnd }: { readonly start: number; readonly keyStart: number; readonly keyEnd: number }, depth: number): TextNode {
    const entries = new Map<string, TextNode>()
    this.#at++
    this.#match(SPACE)
    while (!this.#eats('}')) {
      if (entries.size > 0 && !this.#eats(',')) throw new Malformed(this.#at, 'a comma or a brace is missing')
      this.#match(SPACE)
      const at = this.#at
      const text = this.#string()
      if (text === undefined) throw new Malformed(at, 'a key in double quotes is missing')
      const name = JSON.parse(text) as string
      if (name === '__proto__') throw new Malformed(at, 'the key `__proto__` is not allowed')
      const end = this.#at
      this.#match(SPACE)
      if (!this.#eats(':')) throw new Malformed(this.#at, 'a colon is missing')
      this.#match(SPACE)
      if (entries.has(name)) this.#report(warning('DUPLICATE_KEY', rangeBetween(this.#source, at, end), `The key \`${name}\` is given twice; the last counts.`))
      entries.set(name, this.#value({ keyStart: at, keyEnd: end }, depth + 1))
      this.#match(SPACE)
    }
    return { start, end: this.#at, keyStart, keyEnd, content: { kind: 'map', entries } }
  }

  #list({ start, keyStart, keyEnd }: { readonly start: number; readonly keyStart: number; readonly keyEnd: number }, depth: number): TextNode {
    const items: TextNode[] = []
    this.#at++
    this.#match(SPACE)
    while (!this.#eats(']')) {
      if (items.length > 0 && !this.#eats(',')) throw new Malformed(this.#at, 'a comma or a bracket is missing')
      this.#match(SPACE)
      items.push(this.#value({ keyStart: -1, keyEnd: -1 }, depth + 1))
      this.#match(SPACE)
    }
    return { start, end: this.#at, keyStart, keyEnd, content: { kind: 'list', items } }
  }

  /** A text with its quotes; undefined when there is none, or it is not one. */
  #string(): string | undefined {
    const { text } = this.#source
    if (text[this.#at] !== '"') return undefined
    let end = this.#at + 1
    while (end < text.length && text[end] !== '"') end += text[end] === '\\' ? 2 : 1
    const quoted = text.slice(this.#at, end + 1)
    try {
      if (!(JSON.parse(quoted) as string).isWellFormed()) throw new Malformed(this.#at, 'a text holds half of a surrogate pair, which is no character')
    } catch (error) {
      if (error instanceof Malformed) throw error
      return undefined
    }
    this.#at = end + 1
    return quoted
  }

  #eats(character: string): boolean {
    if (this.#source.text[this.#at] !== character) return false
    this.#at++
    return true
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at
    const found = pattern.exec(this.#source.text)?.[0]
    if (found !== undefined) this.#at += found.length
    return found
  }
}

function scalar(text: string): Json {
  if (text === 'NaN' || text.endsWith('Infinity')) return text
  const value = JSON.parse(text) as Json
  if (typeof value !== 'number') return value
  // Others may have written 1e19 so.
  const kept = /^-?[0-9]+$/.test(text) ? Number.isSafeInteger(value) || (text.length < 30 && BigInt(value) === BigInt(text)) : Number.isFinite(value)
  return kept ? (value === 0 ? 0 : value) : text
}
