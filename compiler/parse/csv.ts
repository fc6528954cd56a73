import type { Report } from '../../schemas/diagnostic.ts'
import { error } from '../diagnostics/diagnostic.ts'
import { rangeBetween } from './document.ts'
import type { SourceText } from './document.ts'

/** One cell and where it stands, quotes included; offsets are UTF-16 units. */
export interface Cell {
  readonly text: string
  readonly start: number
  readonly end: number
}

/**
 * Reads a table (RFC 4180; LF alone ends a line too). Rows without any text are left out; a `#` is not special.
 *
 * @returns undefined when a quote is not where it may be, which is reported.
 */
export function parseCsv(source: SourceText, report: Report): readonly (readonly Cell[])[] | undefined {
  const { text } = source
  const rows: Cell[][] = []
  let row: Cell[] = []
  for (let at = 0; at <= text.length; ) {
    const cell = readCell(text, at)
    if ('problem' in cell) {
      report(error('CSV_SYNTAX', rangeBetween(source, cell.start, cell.end), cell.problem, { fix: 'Quote the whole cell, and write a quote inside it twice.' }))
      return undefined
    }
    row.push(cell)
    at = cell.end + 1
    if (text[cell.end] === ',') continue
    if (text[cell.end] === '\r') at++
    if (row.some(({ text: content }) => content.trim() !== '')) rows.push(row)
    row = []
  }
  return rows
}

function readCell(text: string, start: number): Cell | { readonly problem: string; readonly start: number; readonly end: number } {
  if (text[start] !== '"') {
    let end = start
    while (end < text.length && text[end] !== ',' && !endsLine(text, end)) end++
    const content = text.slice(start, end)
    const quote = content.indexOf('"')
    return quote < 0 ? { text: content, start, end } : { problem: 'A quote stands in the middle of a cell that does not begin with one.', start: start + quote, end: start + quote + 1 }
  }
  let content = ''
  for (let at = start + 1; ; ) {
    const quote = text.indexOf('"', at)
    if (quote < 0) return { problem: 'A quoted cell is not closed.', start, end: start + 1 }
    content += text.slice(at, quote)
    if (text[quote + 1] !== '"') {
      const end = quote + 1
      if (end >= text.length || text[end] === ',' || endsLine(text, end)) return { text: content, start, end }
      return { problem: 'Something stands after the quote that closes a cell.', start: end, end: end + 1 }
    }
    content += '"'
    at = quote + 2
  }
}

function endsLine(text: string, at: number): boolean {
  return text[at] === '\n' || (text[at] === '\r' && (text[at + 1] === '\n' || at + 1 === text.length))
}
