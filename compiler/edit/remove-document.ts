import type { SourceDocument } from '../parse/document.ts'
import type { Splice } from './splice.ts'
import { documentSpans } from './yaml-text.ts'

/**
 * Takes a document out of its file, with its `---`; the file goes with its last one. What stands above the first document
 * of a file is about the file, and stays.
 */
export function removeDocument({ path, source, positions }: SourceDocument): Splice {
  const at = positions.start[0] ?? 0
  const spans = documentSpans(source.text)
  const index = spans.findIndex(({ start, end }) => start <= at && at < Math.max(end, start + 1))
  const span = spans[index]
  if (span === undefined || spans.length === 1) return { path, start: 0, end: source.text.length, text: null }
  const next = spans[index + 1]
  if (index > 0 || next === undefined) return { path, start: span.start, end: span.end, text: '' }
  // The next one becomes the first: its mark goes instead of this one's, if this one has none.
  const end = span.marked ? next.start : lineEnd(source.text, next.start)
  return { path, start: span.marked ? span.start : at, end, text: '' }
}

function lineEnd(text: string, from: number): number {
  const found = text.indexOf('\n', from)
  // A mark with something behind it belongs to what it begins.
  return /^---[ \t]*\r?$/.test(text.slice(from, found < 0 ? text.length : found)) ? (found < 0 ? text.length : found + 1) : from
}
