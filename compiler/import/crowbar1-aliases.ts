import type { Diagnostic, Report } from '../../schemas/diagnostic.ts'
import type { Json } from '../../schemas/shape.ts'
import { sourceText } from '../parse/document.ts'
import type { SourceDocument } from '../parse/document.ts'
import { readDocument } from './input.ts'
import type { InputFile } from './input.ts'
import { RUBY_YAML } from './yaml-dialects.ts'

/** `@@name@@` where a key or a value begins and ends, which YAML does not let stand there without quotes. */
const ALIAS = '@@([\\w.-]+)@@(?=[ \\t]*(?:[\\]},#\\r\\n]|:[ \\t\\r\\n]|$))'
/** With its quotes, as long as before. */
const QUOTED = '"\uE000$1\uE001"'
/** UTF-16 units that are read again in all attempts together. */
const MAX_READ = 8 * 1024 * 1024

/**
 * A file of Crowbar 1. It put the names of nodes for `@@alias@@` into the text of a batch before it read that as YAML, and
 * so aliases stand there without quotes. Here they get some, without moving anything in the line: all of them, or when that
 * breaks something, such as a text of several lines in quotes, those which cannot be read.
 */
export function readWithAliases(file: InputFile, report: Report): SourceDocument | undefined {
  let [document, found] = attempt(file, undefined)
  if (document === undefined) {
    let text = new TextDecoder().decode(file.bytes)
    const all = text.replaceAll(new RegExp(`(?<=[\\s[{,])${ALIAS}`, 'gm'), QUOTED)
    const [whole, others] = all === text ? [] : attempt(file, all)
    if (whole !== undefined) return told(whole, others)
    for (let spent = 0; spent <= MAX_READ; spent += text.length) {
      const start = found.find(({ severity }) => severity === 'error')?.range?.start
      const alias = new RegExp(ALIAS, 'y')
      alias.lastIndex = start === undefined ? text.length : (sourceText(file.path, text).lines[start.line - 1] ?? text.length) + start.column - 1
      const match = alias.exec(text)
      if (match === null) break
      text = text.slice(0, match.index) + match[0].replace(/^@@(.*)@@$/, QUOTED) + text.slice(alias.lastIndex)
      ;[document, found] = attempt(file, text)
      if (document !== undefined) break
    }
  }
  return told(document, found)

  function told(document: SourceDocument | undefined, diagnostics: readonly Diagnostic[] = []): SourceDocument | undefined {
    diagnostics.forEach(report)
    return document
  }
}

function attempt(file: InputFile, text: string | undefined): readonly [SourceDocument | undefined, readonly Diagnostic[]] {
  const found: Diagnostic[] = []
  const document = readDocument(text === undefined ? file : { path: file.path, bytes: new TextEncoder().encode(text) }, RUBY_YAML, (diagnostic) => void found.push(diagnostic))
  if (document === undefined || text === undefined) return [document, found]
  const { value, positions } = document
  return [{ ...document, value: asGiven(value), positions: { ...positions, key: positions.key.map((key) => (typeof key === 'string' ? named(key) : key)) } }, found]
}

function named(text: string): string {
  return text.replaceAll(/"?\uE000([^\uE000\uE001]*)\uE001"?/g, '@@$1@@')
}

function asGiven(value: Json): Json {
  if (typeof value === 'string') return named(value)
  if (Array.isArray(value)) return value.map(asGiven)
  return value === null || typeof value !== 'object' ? value : Object.fromEntries(Object.entries(value).map(([key, one]) => [named(key), asGiven(one)]))
}
