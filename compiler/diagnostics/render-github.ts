import type { Diagnostic } from '../../schemas/diagnostic.ts'

/** Diagnostics as GitHub workflow commands, which become annotations on the lines of a pull request. */
export function renderGithub(diagnostics: readonly Diagnostic[]): string {
  return diagnostics.map((diagnostic) => `${commandOf(diagnostic)}\n`).join('')
}

function commandOf({ code, severity, summary, detail, fix, range, related }: Diagnostic): string {
  const properties: Record<string, string> = { title: code }
  if (range !== undefined) {
    properties['file'] = range.path
    properties['line'] = String(range.start.line)
    properties['endLine'] = String(range.end.line)
    properties['col'] = String(range.start.column)
    properties['endColumn'] = String(range.end.column)
  }
  const elsewhere = related.map(({ message, range: other }) => `${other.path}:${other.start.line}:${other.start.column}: ${message}`)
  const text = [summary, detail, ...elsewhere, fix].filter((line) => line !== undefined).join('\n')
  const list = Object.entries(properties).map(([name, value]) => `${name}=${escapeText(value).replaceAll(':', '%3A').replaceAll(',', '%2C')}`)
  return `::${severity === 'info' ? 'notice' : severity} ${list.join(',')}::${escapeText(text)}`
}

function escapeText(text: string): string {
  return text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A')
}
