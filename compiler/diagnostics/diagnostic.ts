import type { Diagnostic, Range } from '../../schemas/diagnostic.ts'
import type { Code } from './codes.ts'

/** What a diagnostic has besides its code, place and sentence. */
export interface More {
  /** More, when the sentence is not enough. */
  readonly detail?: string | undefined
  /** What to change. */
  readonly fix?: string | undefined
  /** Where else to look: "first defined here". */
  readonly related?: readonly { readonly message: string; readonly range: Range }[] | undefined
}

/** Something that makes the site unusable. `range` is undefined only when no file is at fault. */
export function error(code: Code, range: Range | undefined, summary: string, more: More = {}): Diagnostic {
  return diagnostic('error', code, range, summary, more)
}

/** Something that the site can live with, but its author should know. */
export function warning(code: Code, range: Range | undefined, summary: string, more: More = {}): Diagnostic {
  return diagnostic('warning', code, range, summary, more)
}

/** Whether a list of diagnostics holds one that makes the site unusable. */
export function hasErrors(diagnostics: Iterable<Diagnostic>): boolean {
  for (const found of diagnostics) if (found.severity === 'error') return true
  return false
}

function diagnostic(severity: Diagnostic['severity'], code: Code, range: Range | undefined, summary: string, more: More): Diagnostic {
  return {
    code,
    severity,
    summary,
    ...(more.detail === undefined ? {} : { detail: more.detail }),
    ...(range === undefined ? {} : { range }),
    related: more.related ?? [],
    ...(more.fix === undefined ? {} : { fix: more.fix }),
  }
}
