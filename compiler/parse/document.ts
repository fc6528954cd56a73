import type { Range } from '../../schemas/diagnostic.ts'
import type { Json } from '../../schemas/shape.ts'
import { alignText } from './aligned-text.ts'

/** The way from a document's root to a value: keys and list indexes. */
export type Pointer = readonly (string | number)[]

/** The text of one file, with what it takes to turn an offset into line and column. */
export interface SourceText {
  /** Relative to the site, with slashes. */
  readonly path: string
  /** Without a byte order mark. */
  readonly text: string
  /** Offset of the first character of each line, in UTF-16 units. */
  readonly lines: readonly number[]
}

/**
 * Where each value of a document stands, in the order in which the values stand there, parents before children.
 * Parallel lists: entry n of each is about the same value. Offsets are UTF-16 units into the text, ends exclusive.
 */
export interface Positions {
  readonly start: readonly number[]
  readonly end: readonly number[]
  /** The key that leads to the value; its list index when its parent is a list; null for the root. */
  readonly key: readonly (string | number | null)[]
  /** Of the key; -1 where there is none to be seen. */
  readonly keyStart: readonly number[]
  readonly keyEnd: readonly number[]
  /** The entry after the value and all that is in it. */
  readonly next: readonly number[]
}

/** One document of a file: what it says, and where. A row of a table is a document too. */
export interface SourceDocument {
  readonly path: string
  /** Counts the documents of its file from 0. */
  readonly index: number
  readonly value: Json
  readonly source: SourceText
  readonly positions: Positions
}

/** Splits a text into lines: LF, CR LF and CR end one (YAML 1.2.2 §5.4). */
export function sourceText(path: string, text: string): SourceText {
  const lines = [0]
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit === 0x0a || (unit === 0x0d && text.charCodeAt(i + 1) !== 0x0a)) lines.push(i + 1)
  }
  return { path, text, lines }
}

/** The place between two offsets of a text. */
export function rangeBetween(source: SourceText, start: number, end: number): Range {
  return { path: source.path, start: positionAt(source, start), end: positionAt(source, Math.max(start, end)) }
}

/**
 * Where a value, or the key that leads to it, stands. What the document does not say itself is found at the nearest
 * thing around it that it does say, so there is always an answer. A key asked for where there is none (a list item, the
 * root) gives the value.
 */
export function rangeOf(document: SourceDocument, pointer: Pointer, what: 'key' | 'value' = 'value'): Range {
  const { positions, source } = document
  const found = entryAt(positions, pointer)
  const exact = found.depth === pointer.length
  if (what === 'key' || !exact) {
    const keyStart = positions.keyStart[found.entry] ?? -1
    if (keyStart >= 0) return rangeBetween(source, keyStart, positions.keyEnd[found.entry] as number)
  }
  return rangeBetween(source, positions.start[found.entry] ?? 0, positions.end[found.entry] ?? 0)
}

/** Whether the document itself says something at this place. */
export function hasPosition(document: SourceDocument, pointer: Pointer): boolean {
  return entryAt(document.positions, pointer).depth === pointer.length
}

/**
 * The place of a part of a string value: UTF-16 units `start` to `end` of it, in whatever style the value is written; the
 * whole value when it is not a string, or says something else than its text.
 */
export function rangeInside(document: SourceDocument, pointer: Pointer, start: number, end: number): Range {
  const { positions, source } = document
  const found = entryAt(positions, pointer)
  const value = pointer.reduce<unknown>((at, key) => (at as Readonly<Record<string | number, unknown>> | null | undefined)?.[key], document.value)
  const whole = rangeOf(document, pointer)
  if (typeof value !== 'string' || found.depth !== pointer.length) return whole
  const from = positions.start[found.entry] as number
  const to = positions.end[found.entry] as number
  const aligned = alignText(value, source.text.slice(from, to))
  if (aligned === undefined) return whole
  // An expression may lack what comes after its end.
  const last = aligned.end.at(-1) ?? 0
  const first = aligned.start[start] ?? last
  return rangeBetween(source, from + first, from + (end > start ? (aligned.end[end - 1] ?? last) : first))
}

/** `path:line:column`, as people and editors write a place. */
export function placeOf(range: Range): string {
  return `${range.path}:${range.start.line}:${range.start.column}`
}

function positionAt(source: SourceText, offset: number): { line: number; column: number } {
  const { lines } = source
  let low = 0
  let high = lines.length - 1
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if ((lines[middle] as number) <= offset) low = middle
    else high = middle - 1
  }
  return { line: low + 1, column: offset - (lines[low] as number) + 1 }
}

function entryAt(positions: Positions, pointer: Pointer): { entry: number; depth: number } {
  let entry = 0
  for (let depth = 0; depth < pointer.length; depth++) {
    const end = positions.next[entry] ?? 0
    const wanted = pointer[depth]
    let child = entry + 1
    while (child < end && positions.key[child] !== wanted) child = positions.next[child] as number
    if (child >= end) return { entry, depth }
    entry = child
  }
  return { entry, depth: pointer.length }
}
