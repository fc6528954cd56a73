import type { Range } from '../../schemas/diagnostic.ts'
import type { Json } from '../../schemas/shape.ts'
import { rangeBetween, rangeOf } from '../parse/document.ts'
import type { Pointer, SourceDocument } from '../parse/document.ts'

/** A value of a file that is imported, and where it stands there. */
export interface Place {
  readonly document: SourceDocument
  readonly pointer: Pointer
  readonly value: Json
}

/** What became of a value: it means something here; it is kept as it is, where nothing reads it; it is left out. */
export type Fate = 'mapped' | 'raw' | 'refused'

/** One scalar (or empty list or map) of the input, and what became of it. */
export interface ReportedField {
  /** As it was named to the import. */
  readonly file: string
  /** Keys and indexes from the root of its document. */
  readonly pointer: Pointer
  readonly range: Range
  readonly fate: Fate
  /** Where it went, as `KIND NAME: PATH` or `FILE#POINTER`; empty when it went nowhere. */
  readonly to: readonly string[]
  /** Why it was refused, or what else there is to know. */
  readonly note: string | undefined
}

interface Entry {
  fate: Fate
  beside: boolean
  readonly to: string[]
  readonly notes: string[]
}

/** Values of all documents of one import. */
export const MAX_VALUES = 500_000

/** The documents hold more values than one import reads. */
export class TooManyValues extends Error {}

const WORSE: readonly Fate[] = ['mapped', 'raw', 'refused']
/** Destinations that are kept of one value. */
const MAX_TO = 10

/**
 * The book of every value of the input: what is said of a value holds for all that is inside, unless something is said
 * of that too. A value of which nothing is said is refused, so that none can be lost silently.
 */
export class Fields {
  readonly #documents: SourceDocument[] = []
  readonly #entries = new Map<SourceDocument, Map<string, Entry>>()
  #values = 0

  /**
   * Takes a document into the book.
   *
   * @throws {TooManyValues}
   */
  add(document: SourceDocument): Place {
    this.#values += document.positions.next.length
    if (this.#values > MAX_VALUES) throw new TooManyValues()
    this.#documents.push(document)
    this.#entries.set(document, new Map())
    return { document, pointer: [], value: document.value }
  }

  mapped(place: Place, to: string, note?: string): void {
    this.#say(place, 'mapped', { to, note })
  }

  /** The value is where it, or what it stands in, was mapped to, and nothing here makes anything of it. */
  raw(place: Place, note: string, to?: string): void {
    this.#say(place, 'raw', { to, note })
  }

  /** The value is kept beside the documents, in a file that nothing reads. */
  beside(place: Place, note: string): void {
    this.#say(place, 'raw', { note }).beside = true
  }

  refused(place: Place, note: string): void {
    this.#say(place, 'refused', { note })
  }

  /** Whether something was said of this value itself. */
  has({ document, pointer }: Place): boolean {
    return this.#entries.get(document)?.has(keyOf(pointer)) ?? false
  }

  /** Every leaf of every document once, in the order in which they stand there. */
  *leaves(): Generator<Leaf> {
    for (const document of this.#documents) {
      const entries = this.#entries.get(document) as Map<string, Entry>
      yield* leavesOf({ document, pointer: [], value: document.value }, entries, { entry: undefined, to: [], depth: 0 })
    }
  }

  #say({ document, pointer }: Place, fate: Fate, { to, note }: { readonly to?: string | undefined; readonly note?: string | undefined }): Entry {
    const entries = this.#entries.get(document)
    if (entries === undefined) throw new TypeError(`not in the book: ${document.path}`)
    const key = keyOf(pointer)
    const entry = entries.get(key) ?? { fate, beside: false, to: [], notes: [] }
    entries.set(key, entry)
    // Of what is refused only the reason is to be known.
    if (fate === 'refused' && entry.fate !== 'refused') entry.notes.length = 0
    if (WORSE.indexOf(fate) > WORSE.indexOf(entry.fate)) entry.fate = fate
    if (entry.fate === 'refused' && fate !== 'refused') return entry
    if (to !== undefined && !entry.to.includes(to) && entry.to.length < MAX_TO) entry.to.push(to)
    if (note !== undefined && !entry.notes.includes(note)) entry.notes.push(note)
    return entry
  }
}

/** The value below a key or an index; undefined when there is none. */
export function below({ document, pointer, value }: Place, key: string | number): Place | undefined {
  if (value === null || typeof value !== 'object' || !Object.hasOwn(value, key)) return undefined
  return { document, pointer: [...pointer, key], value: (value as { readonly [key: string | number]: Json })[key] as Json }
}

/** The value at the end of a way. */
export function at(place: Place | undefined, ...way: Pointer): Place | undefined {
  return way.reduce<Place | undefined>((from, key) => (from === undefined ? undefined : below(from, key)), place)
}

/** Entries of a map, or none when it is something else. */
export function entriesOf(place: Place | undefined): readonly (readonly [string, Place])[] {
  if (place === undefined || !isMap(place.value)) return []
  return Object.keys(place.value).map((key) => [key, below(place, key) as Place] as const)
}

/** Items of a list, or none when it is something else. */
export function itemsOf(place: Place | undefined): readonly Place[] {
  return place !== undefined && Array.isArray(place.value) ? (place.value as readonly Json[]).map((_, i) => below(place, i) as Place) : []
}

export function isMap(value: Json | undefined): value is { readonly [key: string]: Json } {
  return value !== null && typeof value === 'object' && !Array.isArray(value)
}

export function textAt(place: Place | undefined, ...way: Pointer): string | undefined {
  const value = at(place, ...way)?.value
  return typeof value === 'string' ? value : undefined
}

/** Where values stand, of a document of which many are asked for. */
export function rangesOf(document: SourceDocument): (pointer: Pointer) => Range {
  const { positions, source } = document
  const ranges = new Map<string, number>()
  const walk = (entry: number, path: string): void => {
    ranges.set(path, entry)
    for (let child = entry + 1; child < (positions.next[entry] ?? 0); child = positions.next[child] as number) walk(child, path + keyOf([positions.key[child] ?? '']))
  }
  if (positions.next.length > 0) walk(0, '')
  return (pointer) => {
    const entry = ranges.get(keyOf(pointer))
    return entry === undefined ? rangeOf(document, pointer) : rangeBetween(source, positions.start[entry] ?? 0, positions.end[entry] ?? 0)
  }
}

/** RFC 6901. */
export function pointerText(pointer: Pointer): string {
  return pointer.map((key) => `/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')
}

const keyOf = pointerText

function* leavesOf(place: Place, entries: ReadonlyMap<string, Entry>, above: Above): Generator<Leaf> {
  const own = entries.get(keyOf(place.pointer))
  const goes = own !== undefined && own.to.length > 0 ? { to: own.to, depth: place.pointer.length } : own?.fate === 'refused' ? { to: [], depth: 0 } : above
  const holds: Above = { to: goes.to, depth: goes.depth, entry: own ?? above.entry }
  const { value } = place
  if (value === null || typeof value !== 'object' || Object.keys(value).length === 0) {
    const { entry, to, depth } = holds
    const rest = place.pointer.slice(depth)
    const fate = entry?.fate ?? 'refused'
    const gone = to.map((one) => (rest.length === 0 ? one : `${one}.${rest.join('.')}`))
    yield { place, fate, beside: entry?.beside === true && fate !== 'refused', to: fate === 'refused' ? [] : gone, note: entry === undefined ? 'nothing here knows what it means' : entry.notes.join('; ') || undefined }
    return
  }
  for (const key of Array.isArray(value) ? value.keys() : Object.keys(value)) yield* leavesOf(below(place, key) as Place, entries, holds)
}

interface Above {
  readonly entry: Entry | undefined
  readonly to: readonly string[]
  /** Keys that lead to what `to` is about. */
  readonly depth: number
}

/** A leaf of the input, and what became of it. */
export interface Leaf extends Omit<ReportedField, 'file' | 'pointer' | 'range'> {
  readonly place: Place
  /** Whether it is to be kept beside the documents. */
  readonly beside: boolean
}
