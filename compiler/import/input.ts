import type { Report } from '../../schemas/diagnostic.ts'
import { error } from '../diagnostics/diagnostic.ts'
import { rangeBetween, rangeOf, sourceText } from '../parse/document.ts'
import type { SourceDocument, SourceText } from '../parse/document.ts'
import { decode } from '../parse/text.ts'
import { parseYaml } from '../parse/yaml.ts'
import type { YamlDialect } from '../parse/yaml.ts'
import { readJson } from './read-json.ts'

/** A file that is imported. */
export interface InputFile {
  /** As it is named in the report, with slashes. */
  readonly path: string
  readonly bytes: Uint8Array
}

/** Bytes of one file, and of all of one import. */
export const MAX_FILE_BYTES = 32 * 1024 * 1024
export const MAX_ALL_BYTES = 256 * 1024 * 1024
/** Characters of one file at which another value may begin. */
const MAX_SEPARATORS = 4_000_000

/** The text of a file; undefined, with a report, when it is too large or not UTF-8. */
export function textOf({ path, bytes }: InputFile, report: Report): SourceText | undefined {
  if (bytes.length <= MAX_FILE_BYTES) {
    if (!hasTooMany(bytes)) return decode(path, bytes, report)
    report(error('IMPORT_TOO_LARGE', rangeBetween(sourceText(path, ''), 0, 0), 'The file may hold millions of values, which are not read.', { fix: 'Split it.' }))
    return undefined
  }
  report(error('IMPORT_TOO_LARGE', rangeBetween(sourceText(path, ''), 0, 0), `The file has ${Math.ceil(bytes.length / 1024 / 1024)} MiB; more than ${MAX_FILE_BYTES / 1024 / 1024} MiB are not read.`, { fix: 'Split it.' }))
  return undefined
}

/** Whether there are too many line ends, commas, colons and brackets. */
function hasTooMany(bytes: Uint8Array): boolean {
  if (bytes.length <= MAX_SEPARATORS) return false
  let count = 0
  for (const byte of bytes) if (byte === 0x0a || byte === 0x2c || byte === 0x3a || byte === 0x5b || byte === 0x7b) count++
  return count > MAX_SEPARATORS
}

/** A file of one document, JSON or YAML by how it begins; undefined, with a report, when it is neither. Empty: no document and no report. */
export function readDocument(file: InputFile, dialect: YamlDialect, report: Report, many: 'one' | 'many' = 'one'): SourceDocument | undefined {
  const source = textOf(file, report)
  if (source === undefined) return undefined
  // YAML in brackets may look like JSON.
  if (/^\s*[[{]/.test(source.text)) {
    if (/\.json$/i.test(file.path)) return readJson(source, report, many)
    const json = readJson(source, () => {}, many)
    if (json !== undefined) return json
  }
  const [first, second] = parseYaml(source, report, dialect) ?? []
  if (second === undefined) return first
  report(error('IMPORT_SYNTAX', rangeOf(second, []), 'The file holds more than one document.', { fix: 'Keep the first one.' }))
  return undefined
}

/** A file as one value, of which nothing more is known: for files that cannot be read. */
export function wholeFile({ path, bytes }: InputFile): SourceDocument {
  const text = bytes.length > MAX_FILE_BYTES ? '' : new TextDecoder().decode(bytes)
  return { path, index: 0, value: text, source: sourceText(path, text), positions: { start: [0], end: [0], key: [null], keyStart: [-1], keyEnd: [-1], next: [1] } }
}
