import { byCodePoint } from '../../schemas/canonical.ts'
import type { Diagnostic } from '../../schemas/diagnostic.ts'

const SEVERITIES = ['error', 'warning', 'info']

/** Each diagnostic once, in the order of files and lines; those without a place first, the worse one first at one place. */
export function settle(diagnostics: readonly Diagnostic[]): readonly Diagnostic[] {
  const unique = new Map<string, Diagnostic>()
  for (const diagnostic of diagnostics) {
    const { code, severity, range, summary } = diagnostic
    const key = JSON.stringify([code, severity, range?.path, range?.start, summary])
    if (!unique.has(key)) unique.set(key, diagnostic)
  }
  return [...unique.values()].toSorted(compare)
}

function compare(a: Diagnostic, b: Diagnostic): number {
  return (
    byCodePoint(a.range?.path ?? '', b.range?.path ?? '') ||
    (a.range?.start.line ?? 0) - (b.range?.start.line ?? 0) ||
    (a.range?.start.column ?? 0) - (b.range?.start.column ?? 0) ||
    SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity) ||
    byCodePoint(a.code, b.code) ||
    byCodePoint(a.summary, b.summary)
  )
}
