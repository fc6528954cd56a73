import type { Report } from '../../schemas/diagnostic.ts'
import { error } from '../diagnostics/diagnostic.ts'
import { rangeBetween } from '../parse/document.ts'
import type { SourceDocument, SourceText } from '../parse/document.ts'
import { documentOf, mapNode } from './text-node.ts'
import type { TextNode } from './text-node.ts'

const MAX_DEPTH = 100
const BARE = /[A-Za-z0-9_-]+/y
const SPACE = /[ \t]*/y
/** Space, line ends and comments, as between the items of a list. */
const GAP = /(?:[ \t\r\n]|#[^\n]*)*/y
const DATE = /\d{4}-\d\d-\d\d(?:[Tt ]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[-+]\d\d:\d\d)?)?|\d\d:\d\d:\d\d(?:\.\d+)?/y
const NUMBER = /0x[0-9a-fA-F](?:_?[0-9a-fA-F])*|0o[0-7](?:_?[0-7])*|0b[01](?:_?[01])*|[-+]?(?:0|[1-9](?:_?[0-9])*)(?:\.[0-9](?:_?[0-9])*)?(?:[eE][-+]?[0-9](?:_?[0-9])*)?/y
const WORD = /true|false|[-+]?(?:inf|nan)/y
const ESCAPES: Readonly<Record<string, string>> = { b: '\b', t: '\t', n: '\n', f: '\f', r: '\r', e: '\u001b', '"': '"', '\\': '\\' }

class Malformed extends Error {
  readonly offset: number
  constructor(offset: number, message: string) {
    super(message)
    this.offset = offset
  }
}

type MapNode = ReturnType<typeof mapNode>

/**
 * Reads TOML 1.0 with the place of every value. Dates, and numbers that JSON cannot keep, are text.
 *
 * @returns undefined when it is not TOML, which is reported.
 */
export function readToml(source: SourceText, report: Report): SourceDocument | undefined {
  try {
    return documentOf(new Reader(source.text).whole(), source)
  } catch (cause) {
    if (!(cause instanceof Malformed)) throw cause
    report(error('IMPORT_SYNTAX', rangeBetween(source, cause.offset, cause.offset + 1), `This is not TOML: ${cause.message}.`))
    return undefined
  }
}

class Reader {
  readonly #text: string
  readonly #root: MapNode
  /** Tables that a header opened, and those that are closed to more keys. */
  readonly #opened = new Set<TextNode>()
  readonly #closed = new Set<TextNode>()
  #at = 0

  constructor(text: string) {
    this.#text = text
    this.#root = mapNode({ start: 0, end: text.length, keyStart: -1, keyEnd: -1 })
  }

  whole(): TextNode {
    let table = this.#root
    for (;;) {
      this.#match(GAP)
      if (this.#at >= this.#text.length) return this.#root
      if (this.#text[this.#at] === '[') table = this.#header()
      else this.#pair(table, 0)
      this.#match(SPACE)
      if (this.#at < this.#text.length && !/[\r\n#]/.test(this.#text[this.#at] ?? '')) throw new Malformed(this.#at, 'a line ends with its value')
    }
  }

  #header(): MapNode {
    const start = this.#at
    const list = this.#text.startsWith('[[', this.#at)
    this.#at += list ? 2 : 1
    const keys = this.#keys()
    if (!this.#text.startsWith(list ? ']]' : ']', this.#at)) throw new Malformed(this.#at, 'a bracket is not closed')
    this.#at += list ? 2 : 1
    const last = keys.pop() as Key
    const parent = this.#descend(this.#root, keys)
    const there = parent.content.entries.get(last.name)
    const span = { start, end: this.#at, keyStart: last.start, keyEnd: last.end }
    if (list) {
      const table = mapNode({ ...span, keyStart: -1, keyEnd: -1 })
      if (there === undefined) parent.content.entries.set(last.name, { ...span, content: { kind: 'list', items: [table] } })
      else if (there.content.kind === 'list' && !this.#closed.has(there)) there.content.items.push(table)
      else throw new Malformed(start, `${last.name} is something else already`)
      return table
    }
    if (there !== undefined && (!isMapNode(there) || this.#opened.has(there) || this.#closed.has(there))) throw new Malformed(start, `${last.name} is there already`)
    const table = there ?? mapNode(span)
    parent.content.entries.set(last.name, table)
    this.#opened.add(table)
    return table
  }

  #pair(table: MapNode, depth: number): void {
    const keys = this.#keys()
    if (this.#text[this.#at] !== '=') throw new Malformed(this.#at, 'an equals sign is missing')
    this.#at++
    this.#match(SPACE)
    const last = keys.pop() as Key
    const into = this.#descend(table, keys)
    if (into.content.entries.has(last.name)) throw new Malformed(last.start, `${last.name} is given twice`)
    into.content.entries.set(last.name, this.#value({ keyStart: last.start, keyEnd: last.end }, depth))
  }

  #keys(): Key[] {
    const keys: Key[] = []
    do {
      if (keys.length > 0) this.#at++
      this.#match(SPACE)
      const start = this.#at
      const quote = this.#text[start]
      const name = quote === '"' || quote === "'" ? this.#string() : this.#match(BARE)
      if (name === undefined) throw new Malformed(start, 'a key is missing')
      if (name === '__proto__') throw new Malformed(start, 'the key `__proto__` is not allowed')
      keys.push({ name, start, end: this.#at })
      this.#match(SPACE)
    } while (this.#text[this.#at] === '.' && keys.length < MAX_DEPTH)
    return keys
  }

  #descend(from: MapNode, keys: readonly Key[]): MapNode {
    return keys.reduce<MapNode>((table, { name, start, end }) => {
      const there = table.content.entries.get(name)
      if (there !== undefined && this.#closed.has(there)) throw new Malformed(start, `${name} is closed`)
      if (there?.content.kind === 'list') {
        const item = there.content.items.at(-1)
        if (item !== undefined && isMapNode(item)) return item
      }
      if (there !== undefined && isMapNode(there)) return there
      if (there !== undefined) throw new Malformed(start, `${name} is something else already`)
      const made = mapNode({ start, end, keyStart: start, keyEnd: end })
      table.content.entries.set(name, made)
      return made
    }, from)
  }

  #value(key: { readonly keyStart: number; readonly keyEnd: number }, depth: number): TextNode {
    if (depth > MAX_DEPTH) throw new Malformed(this.#at, `values are nested more than ${MAX_DEPTH} deep`)
    const start = this.#at
    const first = this.#text[start]
    if (first === '[') return this.#list(key, depth)
    if (first === '{') return this.#inline(key, depth)
    const value = first === '"' || first === "'" ? this.#string() : this.#scalar()
    if (value === undefined) throw new Malformed(start, 'no value can begin here')
    return { start, end: this.#at, ...key, content: { kind: 'value', value } }
  }

  #list(key: { readonly keyStart: number; readonly keyEnd: number }, depth: number): TextNode {
    const start = this.#at++
    const items: TextNode[] = []
    for (;;) {
      this.#match(GAP)
      if (this.#text[this.#at] === ']') break
      if (this.#at >= this.#text.length) throw new Malformed(start, 'a bracket is not closed')
      items.push(this.#value({ keyStart: -1, keyEnd: -1 }, depth + 1))
      this.#match(GAP)
      if (this.#text[this.#at] === ',') this.#at++
      else if (this.#text[this.#at] !== ']') throw new Malformed(this.#at, 'a comma is missing')
    }
    this.#at++
    const node: TextNode = { start, end: this.#at, ...key, content: { kind: 'list', items } }
    this.#closed.add(node)
    return node
  }

  #inline(key: { readonly keyStart: number; readonly keyEnd: number }, depth: number): TextNode {
    const node = mapNode({ start: this.#at++, end: 0, ...key })
    this.#match(SPACE)
    while (this.#text[this.#at] !== '}') {
      this.#pair(node, depth + 1)
      this.#match(SPACE)
      if (this.#text[this.#at] === ',') this.#at++
      else if (this.#text[this.#at] !== '}') throw new Malformed(this.#at, 'a brace is not closed')
      this.#match(SPACE)
    }
    node.end = ++this.#at
    this.#closed.add(node)
    return node
  }

  #scalar(): string | number | boolean | undefined {
    const date = this.#match(DATE)
    if (date !== undefined) return date
    const word = this.#match(WORD)
    if (word !== undefined) return word === 'true' ? true : word === 'false' ? false : word
    const number = this.#match(NUMBER)
    if (number === undefined || /[A-Za-z0-9_.]/.test(this.#text[this.#at] ?? '')) return undefined
    const value = Number(number.replaceAll('_', ''))
    if (/^(?:[-+]?[0-9_]+|0[xob].*)$/.test(number) && !Number.isSafeInteger(value)) return String(BigInt(number.replaceAll(/[_+]/g, '')))
    return Number.isFinite(value) ? (value === 0 ? 0 : value) : number
  }

  #string(): string {
    const start = this.#at
    const quote = this.#text[start] ?? ''
    const long = this.#text.startsWith(quote.repeat(3), start)
    let result = ''
    let at = start + (long ? 3 : 1)
    if (long) at += /^\r?\n/.exec(this.#text.slice(at, at + 2))?.[0].length ?? 0
    for (;;) {
      const character = this.#text[at]
      if (character === undefined || (!long && character === '\n')) throw new Malformed(start, 'a text is not closed')
      if (!long && character === quote) {
        this.#at = at + 1
        return result
      }
      if (long && this.#text.startsWith(quote.repeat(3), at)) {
        // Up to two quotes may stand before the three that close it.
        while (this.#text[at + 3] === quote) {
          result += quote
          at++
        }
        this.#at = at + 3
        return result
      }
      if (quote === '"' && character === '\\') {
        const escape = /^\\(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([btnfre"\\])|[ \t]*\r?\n[ \t\r\n]*)/.exec(this.#text.slice(at, at + 4096))
        if (escape === null) throw new Malformed(at, 'this escape is none')
        const point = Number.parseInt(escape[1] ?? escape[2] ?? '', 16)
        if (point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) throw new Malformed(at, 'this is no character')
        result += escape[3] !== undefined ? (ESCAPES[escape[3]] ?? '') : Number.isNaN(point) ? '' : String.fromCodePoint(point)
        at += escape[0].length
      } else {
        result += character
        at++
      }
    }
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at
    const found = pattern.exec(this.#text)?.[0]
    if (found !== undefined) this.#at += found.length
    return found === '' ? undefined : found
  }
}

interface Key {
  readonly name: string
  readonly start: number
  readonly end: number
}

function isMapNode(node: TextNode): node is MapNode {
  return node.content.kind === 'map'
}
