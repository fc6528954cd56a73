import { COLLECTION_STYLE, EVENT_ID, SCALAR_STYLE, YAMLException, getScalarValue, parseEvents } from 'js-yaml'
import type { AliasEvent, Event, MappingEvent, ScalarEvent, SequenceEvent } from 'js-yaml'
import type { Report } from '../../schemas/diagnostic.ts'
import type { Json } from '../../schemas/shape.ts'
import { error, warning } from '../diagnostics/diagnostic.ts'
import type { Code } from '../diagnostics/codes.ts'
import { rangeBetween } from './document.ts'
import type { SourceDocument, SourceText } from './document.ts'
import { readLoosely } from './loose-indent.ts'
import { resolvePlain } from './scalar.ts'
import type { Resolved } from './scalar.ts'
import { explainSyntax } from './syntax-error.ts'

/** Collections inside collections. */
const MAX_DEPTH = 100
/** Values that aliases may add to one file. */
const MAX_ALIASED_VALUES = 100_000

/** How YAML that another program reads differs from that of a site. */
export interface YamlDialect {
  /** What a plain scalar means. */
  readonly plain: (text: string) => Resolved
  /** What a plain key means, as text. */
  readonly key: (text: string) => string
  /** What a scalar with a tag of that program means; undefined for a tag that it does not have. */
  readonly tagged: (tag: string, text: string) => Json | undefined
  /** Tags that say of which class a list or a map is, and nothing else that matters. */
  readonly classes?: RegExp
}

/**
 * Reads every document of a YAML 1.2 (or JSON) file. Documents without any content are left out.
 *
 * @param dialect of a file that is no part of a site: merge keys count there, of a key that is given twice the last
 *   counts, with a warning, a number that JSON cannot keep is text, and indentation means nothing inside brackets and quotes.
 * @returns undefined when something in the file could not be understood; it is reported, one syntax error a file.
 */
export function parseYaml(source: SourceText, report: Report, dialect?: YamlDialect): readonly SourceDocument[] | undefined {
  if (dialect !== undefined) return looseDocuments(source, report, dialect)
  let events: readonly Event[]
  try {
    events = eventsOf(source.text)
  } catch (cause) {
    if (!(cause instanceof YAMLException)) throw cause
    report(explainSyntax(source, cause.reason, cause.mark?.position ?? 0))
    return undefined
  }
  return documentsOf(source, events, { report, dialect })
}

function looseDocuments(given: SourceText, report: Report, dialect: YamlDialect): readonly SourceDocument[] | undefined {
  const { source, events, toGiven, reportGiven } = readLoosely(given, eventsOf)
  if ('reason' in events) {
    report(explainSyntax(given, events.reason, events.position))
    return undefined
  }
  return documentsOf(source, events, { report: reportGiven(report), dialect })?.map(toGiven)
}

function eventsOf(text: string): readonly Event[] {
  return parseEvents(text, { maxDepth: MAX_DEPTH + 1 })
}

function documentsOf(source: SourceText, events: readonly Event[], reading: { readonly report: Report; readonly dialect: YamlDialect | undefined }): readonly SourceDocument[] | undefined {
  const builder = new DocumentBuilder(source, events, reading)
  const documents = builder.documents()
  return builder.failed ? undefined : documents
}

interface Anchor {
  readonly value: Json
  readonly first: number
  readonly last: number
}

/** Walks the events once and builds values and positions side by side. */
class DocumentBuilder {
  failed = false
  readonly #source: SourceText
  readonly #events: readonly Event[]
  readonly #report: Report
  readonly #dialect: YamlDialect | undefined
  #at = 0
  #aliased = 0
  #positions = emptyPositions()
  #anchors = new Map<string, Anchor | 'open'>()

  constructor(source: SourceText, events: readonly Event[], { report, dialect }: { readonly report: Report; readonly dialect: YamlDialect | undefined }) {
    this.#source = source
    this.#events = events
    this.#report = report
    this.#dialect = dialect
  }

  documents(): readonly SourceDocument[] {
    const documents: SourceDocument[] = []
    for (let index = 0; this.#at < this.#events.length; index++) {
      this.#at++
      this.#positions = emptyPositions()
      this.#anchors = new Map()
      const first = this.#events[this.#at] as Event
      const empty = first.type === EVENT_ID.SCALAR && first.valueStart < 0 && first.tagStart < 0
      if (first.type === EVENT_ID.POP) {
        this.#at++
        continue
      }
      const value = this.#value(null, -1, -1)
      this.#at++
      if (empty) continue
      documents.push({ path: this.#source.path, index, value, source: this.#source, positions: this.#positions })
    }
    return documents
  }

  #value(key: string | number | null, keyStart: number, keyEnd: number): Json {
    const event = this.#events[this.#at++] as Event
    const entry = this.#open(key, keyStart, keyEnd)
    switch (event.type) {
      case EVENT_ID.SCALAR:
        return this.#scalar(event, entry, keyEnd)
      case EVENT_ID.SEQUENCE:
        return this.#anchored(event, entry, () => this.#sequence(event, entry))
      case EVENT_ID.MAPPING:
        return this.#anchored(event, entry, () => this.#mapping(event, entry))
      case EVENT_ID.ALIAS:
        return this.#alias(event, entry)
      default:
        throw new TypeError(`unexpected event ${event.type} at ${this.#at - 1}`)
    }
  }

  #scalar(event: ScalarEvent, entry: number, keyEnd: number): Json {
    const { text } = this.#source
    const [start, end] = scalarSpan(text, event, keyEnd)
    this.#close(entry, start, end)
    const value = this.#resolve(event, start, end)
    if (event.anchorStart >= 0) this.#anchors.set(text.slice(event.anchorStart, event.anchorEnd), { value, first: entry, last: entry + 1 })
    return value
  }

  #resolve(event: ScalarEvent, start: number, end: number): Json {
    const raw = getScalarValue(this.#source.text, event)
    if (event.style === SCALAR_STYLE.DOUBLE_QUOTED) this.#checkCharacters(raw, start, end)
    const tag = this.#tag(event)
    if (tag === '!!str' || tag === '!') return raw
    const own = tag === undefined ? undefined : this.#dialect?.tagged(tag, raw)
    if (own !== undefined) return own
    if (tag !== undefined && !['!!int', '!!float', '!!bool', '!!null'].includes(tag)) return this.#unknownTag(event, tag)
    if (tag === undefined && event.style !== SCALAR_STYLE.PLAIN) return raw
    const resolved = (this.#dialect?.plain ?? resolvePlain)(raw)
    if ('problem' in resolved && this.#dialect !== undefined) return raw
    if ('problem' in resolved) {
      const why = resolved.problem === 'too-large' ? 'is larger than any number that can be kept exactly' : 'is not a number that JSON knows'
      this.#fail('YAML_NUMBER', start, end, `\`${shorten(raw)}\` ${why}.`, 'Quote it, if it is meant as text.')
      return null
    }
    if (tag !== undefined && !fitsTag(tag, resolved.value)) {
      this.#fail('YAML_TAG', start, end, `\`${shorten(raw)}\` is not what its tag ${tag} says.`, 'Remove the tag.')
    }
    if (tag === undefined && this.#dialect === undefined && /^[-+]?0[0-9]+$/.test(raw)) {
      const summary = `\`${raw}\` is the number ${Number(raw)}: YAML 1.2 has no octal numbers of this form.`
      this.#report(warning('YAML_LEADING_ZERO', rangeBetween(this.#source, start, end), summary, { fix: `Write "${raw}" with quotes if the zeros matter.` }))
    }
    return resolved.value
  }

  /** Only an escape can say what UTF-8 cannot; every reader would make something else of it. */
  #checkCharacters(text: string, start: number, end: number): void {
    if (!text.isWellFormed()) this.#fail('YAML_SYNTAX', start, end, 'This holds half of a surrogate pair, which is no character.', 'Write the character itself, or `\\U` and eight digits.')
  }

  #sequence(event: SequenceEvent, entry: number): Json {
    const tag = this.#tag(event)
    if (tag !== undefined && tag !== '!!seq' && this.#dialect?.classes?.test(tag) !== true) this.#unknownTag(event, tag)
    const items: Json[] = []
    while (this.#peek().type !== EVENT_ID.POP) items.push(this.#value(items.length, -1, -1))
    this.#closeCollection(event, entry)
    return items
  }

  #mapping(event: MappingEvent, entry: number): Json {
    const tag = this.#tag(event)
    if (tag !== undefined && tag !== '!!map' && this.#dialect?.classes?.test(tag) !== true) this.#unknownTag(event, tag)
    const fields: Record<string, Json> = {}
    const merged: Json[] = []
    const seen = new Map<string, number>()
    while (this.#peek().type !== EVENT_ID.POP) {
      const [key, start, end, merges] = this.#key()
      if (merges) {
        merged.push(this.#elsewhere())
        continue
      }
      const first = seen.get(key)
      if (first !== undefined && key !== '') {
        const related = [{ message: 'first given here', range: rangeBetween(this.#source, first, first + (end - start)) }]
        const lost = this.#dialect === undefined ? error : warning
        if (this.#dialect === undefined) this.failed = true
        this.#report(lost('DUPLICATE_KEY', rangeBetween(this.#source, start, end), `The key \`${shorten(key)}\` is given twice.`, { related, fix: 'Keep one of them.' }))
      }
      seen.set(key, start)
      const value = this.#value(key, start, end)
      // The key itself was refused, but assigning it would still change the prototype.
      if (key !== '__proto__') fields[key] = value
    }
    this.#closeCollection(event, entry)
    return merged.length === 0 ? fields : this.#merge(fields, merged, event)
  }

  /** What the keys `<<` name, below what the mapping says itself; of several the first counts. */
  #merge(fields: Readonly<Record<string, Json>>, merged: readonly Json[], event: MappingEvent): Json {
    const result: Record<string, Json> = { ...fields }
    for (const each of merged.flatMap((one) => (Array.isArray(one) ? (one as readonly Json[]) : [one]))) {
      if (each === null || typeof each !== 'object' || Array.isArray(each)) this.#fail('YAML_MERGE_KEY', event.start, event.start + 1, 'A merge key (`<<`) of this mapping names something else than mappings.', undefined)
      else for (const [key, value] of Object.entries(each)) if (!Object.hasOwn(result, key)) result[key] = value
    }
    this.#aliased += Object.keys(result).length
    if (this.#aliased > MAX_ALIASED_VALUES) this.#fail('YAML_ALIASES', event.start, event.start + 1, `The merge keys of this file add more than ${MAX_ALIASED_VALUES} values.`, 'Write out what is meant.')
    return this.#aliased > MAX_ALIASED_VALUES ? {} : result
  }

  /** A value whose parts have no place of their own. */
  #elsewhere(): Json {
    const saved = this.#positions
    this.#positions = emptyPositions()
    const value = this.#value(null, -1, -1)
    this.#positions = saved
    return value
  }

  /** A key as text, and where it stands. What cannot be one is reported. */
  #key(): readonly [key: string, start: number, end: number, merges?: true] {
    const event = this.#peek()
    const { text } = this.#source
    if (event.type === EVENT_ID.SCALAR) {
      this.#at++
      const [start, end] = scalarSpan(text, event, -1)
      const raw = getScalarValue(text, event)
      const key = this.#dialect !== undefined && event.style === SCALAR_STYLE.PLAIN && event.tagStart < 0 ? this.#dialect.key(raw) : raw
      if (event.anchorStart >= 0) this.#anchors.set(text.slice(event.anchorStart, event.anchorEnd), { value: key, first: 0, last: 0 })
      if (event.valueStart < 0) this.#fail('YAML_KEY', start, end, 'A key is missing here.', 'Write a name before the colon.')
      if (event.style === SCALAR_STYLE.DOUBLE_QUOTED) this.#checkCharacters(key, start, end)
      if (key === '__proto__') this.#fail('YAML_KEY', start, end, 'The key `__proto__` is not allowed.', 'Choose another name.')
      if (key === '<<' && event.style === SCALAR_STYLE.PLAIN) {
        if (this.#dialect !== undefined) return [key, start, end, true]
        this.#fail('YAML_MERGE_KEY', start, end, 'Merge keys (`<<`) are not part of YAML 1.2.', 'Write the keys out, or say them once in a lower layer: site, deployment or nodes.')
      }
      return [key, start, end]
    }
    const start = event.type === EVENT_ID.ALIAS ? event.anchorStart - 1 : 'start' in event ? event.start : 0
    this.#fail('YAML_KEY', start, start + 1, 'A key has to be plain text.', 'Use a name as the key.')
    this.#elsewhere()
    return ['', start, start + 1]
  }

  #alias(event: AliasEvent, entry: number): Json {
    const { text } = this.#source
    const start = event.anchorStart - 1
    const name = text.slice(event.anchorStart, event.anchorEnd)
    const anchor = this.#anchors.get(name)
    this.#close(entry, start, event.anchorEnd)
    if (anchor === undefined || anchor === 'open') {
      const why = anchor === 'open' ? 'stands inside the value that it stands for' : 'stands for nothing: no `&' + name + '` comes before it'
      this.#fail('YAML_ALIAS', start, event.anchorEnd, `The alias \`*${name}\` ${why}.`, undefined)
      return null
    }
    this.#aliased += anchor.last - anchor.first
    if (this.#aliased > MAX_ALIASED_VALUES) {
      if (!this.failed) {
        const summary = `The aliases of this file expand to more than ${MAX_ALIASED_VALUES} values.`
        this.#fail('YAML_ALIASES', start, event.anchorEnd, summary, 'Write out what is meant.')
      }
      return null
    }
    this.#copyPositions(anchor, entry)
    return anchor.value
  }

  /** What stands inside an aliased value is found where it was written. */
  #copyPositions(anchor: Anchor, entry: number): void {
    const positions = this.#positions
    const shift = entry - anchor.first
    for (let from = anchor.first + 1; from < anchor.last; from++) {
      positions.start.push(positions.start[from] as number)
      positions.end.push(positions.end[from] as number)
      positions.key.push(positions.key[from] as string | number | null)
      positions.keyStart.push(positions.keyStart[from] as number)
      positions.keyEnd.push(positions.keyEnd[from] as number)
      positions.next.push((positions.next[from] as number) + shift)
    }
    positions.next[entry] = positions.next.length
  }

  #anchored(event: MappingEvent | SequenceEvent, entry: number, build: () => Json): Json {
    if (event.anchorStart < 0) return build()
    const name = this.#source.text.slice(event.anchorStart, event.anchorEnd)
    this.#anchors.set(name, 'open')
    const value = build()
    this.#anchors.set(name, { value, first: entry, last: this.#positions.next[entry] as number })
    return value
  }

  #tag(event: ScalarEvent | MappingEvent | SequenceEvent): string | undefined {
    return event.tagStart < 0 ? undefined : this.#source.text.slice(event.tagStart, event.tagEnd)
  }

  #unknownTag(event: ScalarEvent | MappingEvent | SequenceEvent, tag: string): null {
    this.#fail('YAML_TAG', event.tagStart, event.tagEnd, `The tag \`${shorten(tag)}\` is none that a site may use.`, 'Remove the tag.')
    return null
  }

  #open(key: string | number | null, keyStart: number, keyEnd: number): number {
    const positions = this.#positions
    positions.start.push(0)
    positions.end.push(0)
    positions.key.push(key)
    positions.keyStart.push(keyStart)
    positions.keyEnd.push(keyEnd)
    return positions.next.push(positions.next.length + 1) - 1
  }

  #close(entry: number, start: number, end: number): void {
    this.#positions.start[entry] = start
    this.#positions.end[entry] = end
    this.#positions.next[entry] = this.#positions.next.length
  }

  #closeCollection(event: MappingEvent | SequenceEvent, entry: number): void {
    this.#at++
    const positions = this.#positions
    let end = event.start + 1
    for (let child = entry + 1; child < positions.next.length; child = positions.next[child] as number) {
      end = Math.max(end, positions.end[child] as number, positions.keyEnd[child] as number)
    }
    this.#close(entry, event.start, event.style === COLLECTION_STYLE.FLOW ? closingBracket(this.#source.text, end) : end)
  }

  #peek(): Event {
    return this.#events[this.#at] as Event
  }

  #fail(code: Code, start: number, end: number, summary: string, fix: string | undefined): void {
    this.failed = true
    this.#report(error(code, rangeBetween(this.#source, start, end), summary, { fix }))
  }
}

function emptyPositions(): { [K in keyof SourceDocument['positions']]: SourceDocument['positions'][K][number][] } {
  return { start: [], end: [], key: [], keyStart: [], keyEnd: [], next: [] }
}

/** From the first to the last character of a scalar, quotes included, indicators and surrounding space not. */
function scalarSpan(text: string, event: ScalarEvent, keyEnd: number): readonly [number, number] {
  if (event.valueStart < 0) {
    const at = event.tagEnd >= 0 ? event.tagEnd : event.anchorEnd >= 0 ? event.anchorEnd : Math.max(keyEnd, 0)
    return [at, at]
  }
  if (event.style === SCALAR_STYLE.SINGLE_QUOTED || event.style === SCALAR_STYLE.DOUBLE_QUOTED) return [event.valueStart - 1, event.valueEnd + 1]
  let start = event.valueStart
  let end = event.valueEnd
  while (end > start && isSpace(text.charCodeAt(end - 1))) end--
  while (start < end && isSpace(text.charCodeAt(start))) start++
  return [start, end]
}

/** The offset after the bracket that closes a flow collection whose last value ends at `from`. */
function closingBracket(text: string, from: number): number {
  for (let at = from; at < text.length; at++) {
    const character = text[at]
    if (character === ']' || character === '}') return at + 1
    if (character === '#') while (at < text.length && text[at] !== '\n') at++
    else if (character !== ',' && !isSpace(text.charCodeAt(at)) && character !== ':') return from
  }
  return from
}

function isSpace(unit: number): boolean {
  return unit === 0x20 || unit === 0x09 || unit === 0x0a || unit === 0x0d
}

function fitsTag(tag: string, value: Json): boolean {
  if (tag === '!!null') return value === null
  if (tag === '!!bool') return typeof value === 'boolean'
  return typeof value === 'number' && (tag === '!!float' || Number.isInteger(value))
}

function shorten(text: string): string {
  return text.length > 60 ? `${text.slice(0, 57)}…` : text
}
