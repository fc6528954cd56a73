import { YAMLException } from 'js-yaml'
import type { Diagnostic, Range, Report } from '../../schemas/diagnostic.ts'
import { sourceText } from './document.ts'
import type { SourceDocument, SourceText } from './document.ts'

/** Spaces put before a line that is indented too little. */
const PAD = 256
/** UTF-16 units that are read again in all attempts together. */
const MAX_READ = 8 * 1024 * 1024

/** What was read of a text, of which some lines may have been indented, and the way back to the text that was given. */
export interface LooseText<Events> {
  readonly source: SourceText
  /** Or why it cannot be read, and where in the text that was given. */
  readonly events: Events | { readonly reason: string; readonly position: number }
  readonly toGiven: (document: SourceDocument) => SourceDocument
  readonly reportGiven: (report: Report) => Report
}

/**
 * Reads YAML as libyaml and PyYAML do, to whom indentation means nothing inside brackets and quotes: `key: [` may be closed
 * by a `]` below the `k`. A line that is indented too little there gets spaces, which say nothing, until all can be read.
 *
 * @param read throws YAMLException.
 */
export function readLoosely<Events>(given: SourceText, read: (text: string) => Events): LooseText<Events> {
  const padded = new Set<number>()
  for (let spent = 0; ; ) {
    const source = padded.size === 0 ? given : sourceText(given.path, given.text.split(/(?<=\n)/).map((line, i) => (padded.has(i) ? ' '.repeat(PAD) + line : line)).join(''))
    const places = [...padded].map((line) => source.lines[line] ?? 0).toSorted((a, b) => a - b)
    const back = (offset: number): number => offset - PAD * places.filter((place) => place < offset).length
    const rest = { source, toGiven: (document: SourceDocument) => (padded.size === 0 ? document : moved(document, given, back)), reportGiven: (report: Report): Report => (diagnostic) => report(movedDiagnostic(diagnostic, padded)) }
    try {
      return { ...rest, events: read(source.text) }
    } catch (cause) {
      if (!(cause instanceof YAMLException)) throw cause
      const position = cause.mark?.position ?? 0
      const line = source.text.slice(0, position).split('\n').length - 1
      spent += source.text.length
      if (cause.reason !== 'deficient indentation' || position >= source.text.length || padded.has(line) || spent > MAX_READ) return { ...rest, events: { reason: cause.reason, position: back(position) } }
      padded.add(line)
    }
  }
}

function moved(document: SourceDocument, source: SourceText, back: (offset: number) => number): SourceDocument {
  const offsets = (list: readonly number[]): readonly number[] => list.map((offset) => (offset < 0 ? offset : back(offset)))
  const { start, end, keyStart, keyEnd } = document.positions
  return { ...document, source, positions: { ...document.positions, start: offsets(start), end: offsets(end), keyStart: offsets(keyStart), keyEnd: offsets(keyEnd) } }
}

function movedDiagnostic(diagnostic: Diagnostic, padded: ReadonlySet<number>): Diagnostic {
  const place = ({ line, column }: Range['start']): Range['start'] => ({ line, column: padded.has(line - 1) ? Math.max(1, column - PAD) : column })
  const range = (one: Range): Range => ({ ...one, start: place(one.start), end: place(one.end) })
  return { ...diagnostic, ...(diagnostic.range === undefined ? {} : { range: range(diagnostic.range) }), related: diagnostic.related.map((one) => ({ ...one, range: range(one.range) })) }
}
