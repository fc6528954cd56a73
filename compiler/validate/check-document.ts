import type { Report } from '../../schemas/diagnostic.ts'
import { DOCUMENT_SHAPES } from '../../schemas/documents/kinds.ts'
import type { DocumentKind, DocumentOf } from '../../schemas/documents/kinds.ts'
import type { Json, Shape } from '../../schemas/shape.ts'
import { error } from '../diagnostics/diagnostic.ts'
import { LOCK_PATH } from '../parse/choose.ts'
import { rangeBetween, rangeOf } from '../parse/document.ts'
import type { SourceDocument } from '../parse/document.ts'
import { checkValue } from './check-value.ts'
import { suggest } from '../../schemas/cel/suggest.ts'
import type { Located } from './site.ts'
import { describeValue } from './words.ts'

/** A document of any kind that fits its schema. */
export type AnyDocument = { readonly [K in DocumentKind]: { readonly kind: K } & Located<DocumentOf<K>> }[DocumentKind]

/** Finds out what a document is and checks it against the schema of its kind; undefined when something is wrong, which is reported. */
export function checkDocument(document: SourceDocument, report: Report): AnyDocument | undefined {
  const kind = kindOf(document, report)
  if (kind === undefined) return undefined
  const located = checkAgainst(document, DOCUMENT_SHAPES[kind] as Shape<unknown>, { owner: `${/^[aeiou]/.test(kind) ? 'an' : 'a'} ${kind}`, report })
  return located === undefined ? undefined : ({ kind, ...located } as AnyDocument)
}

/** The shapes that documents were found to fit: two trees may share them. */
const fitting = new WeakMap<SourceDocument, Shape<unknown>>()

/** Checks a document against one schema; undefined when something is wrong, which is reported. */
export function checkAgainst<T>(document: SourceDocument, shape: Shape<T>, options: { readonly owner: string; readonly report: Report }): Located<T> | undefined {
  if (fitting.get(document) === shape) return { value: document.value as T, source: document }
  const complaints = checkValue(shape.json, document.value, options.owner)
  for (const { code, pointer, at, summary, fix } of complaints) {
    const range = pointer.length === 0 ? rangeOf(document, ['kind']) : rangeOf(document, pointer, at)
    options.report(error(code, range, summary, { fix }))
  }
  if (complaints.length > 0) return undefined
  fitting.set(document, shape)
  return { value: document.value as T, source: document }
}

function kindOf(document: SourceDocument, report: Report): DocumentKind | undefined {
  const { value } = document
  const kinds = Object.keys(DOCUMENT_SHAPES)
  // JSON files are mostly other programs' (package.json, a saved plan): only one that says `kind` is meant for us.
  const foreign = document.path.endsWith('.json')
  if (value === null || typeof value !== 'object' || Array.isArray(value)) {
    if (foreign) return undefined
    report(error('KIND_MISSING', firstLine(document), `A document is a mapping with a \`kind\`, not ${describeValue(value)}.`, { fix: notADocument(document) }))
    return undefined
  }
  const { kind } = value as { readonly [key: string]: Json }
  if (kind === undefined) {
    const misspelt = suggest('kind', Object.keys(value))
    if (foreign && misspelt === undefined) return undefined
    const range = misspelt === undefined ? firstLine(document) : rangeOf(document, [misspelt], 'key')
    const fix = misspelt === undefined ? notADocument(document) : `Did you mean \`kind\` where it says \`${misspelt}\`?`
    report(error('KIND_MISSING', range, 'This document has no `kind`.', { fix }))
    return undefined
  }
  if (typeof kind === 'string' && kinds.includes(kind)) return kind as DocumentKind
  if (kind === 'lock') {
    report(error('KIND_UNKNOWN', rangeOf(document, ['kind']), `The lock of a site is ${LOCK_PATH}, and nothing else is one.`, { fix: `Move it there, or take it out; a copy is left alone when .crowbarignore names ${document.path}.` }))
    return undefined
  }
  const guess = typeof kind === 'string' ? suggest(kind, kinds) : undefined
  const fix = guess === undefined ? `Known kinds: ${kinds.join(', ')}. A file that is for another program is left alone when .crowbarignore names it.` : `Did you mean \`${guess}\`?`
  report(error('KIND_UNKNOWN', rangeOf(document, ['kind']), `There is no kind ${describeValue(kind)} of document.`, { fix }))
  return undefined
}

function notADocument(document: SourceDocument): string {
  return `Begin it with \`kind: …\`, or name ${document.path} in .crowbarignore when it is for another program.`
}

/** The place of the first line that says something. */
function firstLine(document: SourceDocument): ReturnType<typeof rangeOf> {
  const start = document.positions.start[0] ?? 0
  const { text } = document.source
  const end = text.indexOf('\n', start)
  return rangeBetween(document.source, start, end < 0 ? text.length : end)
}
