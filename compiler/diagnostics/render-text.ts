import type { Diagnostic, Range } from '../../schemas/diagnostic.ts'
import { columnsOf } from './width.ts'

/** Characters of a source line that are shown; a longer one is cut around the place. */
const MAX_LINE = 160
/** Diagnostics of one code and severity that are shown; nobody reads more of the same. */
const MAX_OF_ONE = 100

export interface TextOptions {
  /** The lines of a file of the site; undefined when there is no text to show. */
  readonly linesOf: (path: string) => readonly string[] | undefined
  /** Whether to write ANSI colours. */
  readonly colour: boolean
}

/** Diagnostics for people: place, code and sentence, the line with a caret under it, where else to look, what to change. */
export function renderText(diagnostics: readonly Diagnostic[], options: TextOptions): string {
  const counts = new Map<string, number>()
  const shown = diagnostics.filter(({ code, severity }) => {
    const key = `${severity}[${code}]`
    const count = (counts.get(key) ?? 0) + 1
    counts.set(key, count)
    return count <= MAX_OF_ONE
  })
  const more = [...counts].filter(([, count]) => count > MAX_OF_ONE).map(([key, count]) => `... and ${count - MAX_OF_ONE} more ${key}: \`crowbar validate --format json\` has them all.\n`)
  return [...shown.map((diagnostic) => renderOne(diagnostic, options)), ...more].join('\n')
}

/** `2 errors, 1 warning`; empty when there is nothing. */
export function countOf(diagnostics: readonly Diagnostic[]): string {
  const count = (severity: Diagnostic['severity']): string => {
    const found = diagnostics.filter((diagnostic) => diagnostic.severity === severity).length
    return found === 0 ? '' : `${found} ${severity}${found === 1 || severity === 'info' ? '' : 's'}`
  }
  return [count('error'), count('warning'), count('info')].filter((text) => text !== '').join(', ')
}

function renderOne({ code, severity, summary, detail, range, related, fix }: Diagnostic, options: TextOptions): string {
  const paint = (text: string, style: keyof typeof STYLES): string => (options.colour ? `\u001b[${STYLES[style]}m${text}\u001b[0m` : text)
  const place = range === undefined ? '' : `${paint(`${range.path}:${range.start.line}:${range.start.column}:`, 'bold')} `
  const lines = [`${place}${paint(`${severity}[${code}]`, severity)}: ${summary}`]
  if (range !== undefined) lines.push(...excerpt(range, options.linesOf(range.path), (text) => paint(text, severity)))
  if (detail !== undefined) lines.push(...detail.split('\n').map((line) => `  ${line}`))
  for (const { message, range: other } of related) {
    lines.push(`  ${other.path}:${other.start.line}:${other.start.column}: ${message}`)
    lines.push(...excerpt(other, options.linesOf(other.path), (text) => paint(text, 'info')))
  }
  if (fix !== undefined) lines.push(`  ${paint('fix:', 'bold')} ${fix}`)
  return `${lines.join('\n')}\n`
}

const STYLES = { error: '31;1', warning: '33;1', info: '36;1', bold: '1' } as const

/** The line of a range with carets under the part that is meant; under its first line only when it has several. */
function excerpt(range: Range, lines: readonly string[] | undefined, paint: (text: string) => string): readonly string[] {
  const line = lines?.[range.start.line - 1]
  if (line === undefined || line.trim() === '') return []
  const start = range.start.column - 1
  const end = range.end.line === range.start.line ? Math.max(range.end.column - 1, start + 1) : line.trimEnd().length
  const cut = start > MAX_LINE - 40 ? start - 40 : 0
  const shown = line.slice(cut, cut + MAX_LINE)
  const gutter = String(range.start.line)
  const before = shown.slice(0, start - cut)
  const meant = shown.slice(start - cut, end - cut)
  // A tab stays a tab, so that it is as wide under the line as in it.
  const padding = before.replaceAll(/[^\t]+/g, (text) => ' '.repeat(columnsOf(text)))
  const carets = '^'.repeat(Math.max(1, columnsOf(meant.replaceAll('\t', ' '))))
  return [`  ${gutter} | ${cut > 0 ? '…' : ''}${visible(shown)}`, `  ${' '.repeat(gutter.length)} | ${cut > 0 ? ' ' : ''}${padding}${paint(carets)}`]
}

/** Nothing in a file may write to the terminal. */
function visible(text: string): string {
  // oxlint-disable-next-line no-control-regex -- control characters are what is replaced
  return text.replaceAll(/[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, '\ufffd').trimEnd()
}
