import type { Diagnostic } from '../../schemas/diagnostic.ts'
import type { Code } from '../diagnostics/codes.ts'
import { error } from '../diagnostics/diagnostic.ts'
import { rangeBetween } from './document.ts'
import type { SourceText } from './document.ts'

interface Explanation {
  readonly when: RegExp
  readonly code: Code
  readonly summary: string
  readonly fix?: string
}

/** What the parser says, in the order in which it is looked up, and what people understand. */
const EXPLANATIONS: readonly Explanation[] = [
  { when: /maxDepth/, code: 'YAML_TOO_DEEP', summary: 'Values are nested more than 100 deep.', fix: 'No field of a site needs that.' },
  { when: /tab characters/, code: 'YAML_TAB', summary: 'A tab is used for indentation; YAML allows only spaces.', fix: 'Replace the tabs by spaces.' },
  { when: /non-printable/, code: 'YAML_SYNTAX', summary: 'A character that cannot be printed stands here.', fix: 'Remove it, or write it as an escape in double quotes.' },
  {
    when: /deficient indentation/,
    code: 'YAML_INDENT',
    summary: 'This line is indented less than what it would belong to.',
    fix: 'Close the quote or bracket that is still open above, or indent the line.',
  },
  { when: /mapping key|multiline key/, code: 'YAML_SYNTAX', summary: 'A colon is missing after this key.', fix: 'Write `key: value`.' },
  { when: /single quoted|double quoted/, code: 'YAML_SYNTAX', summary: 'A quoted text is not closed, or holds something it must not.', fix: 'Close the quote.' },
  { when: /flow collection/, code: 'YAML_SYNTAX', summary: 'A `[…]` or `{…}` is not closed, or a comma is missing in it.', fix: 'Close the bracket, or write the comma.' },
  { when: /escape|hexadecimal/, code: 'YAML_SYNTAX', summary: 'This escape is none that double quotes know.', fix: 'Write `\\\\` for a backslash, or use single quotes.' },
]

/** Turns the parser's word on a syntax error into a diagnostic at its place. */
export function explainSyntax(source: SourceText, reason: string, position: number): Diagnostic {
  const { text } = source
  const conflict = mergeConflict(source)
  if (conflict !== undefined) return conflict
  const at = Math.min(position, text.length)
  const range = rangeBetween(source, at, Math.min(at + 1, text.length))
  const character = text[at] ?? ''
  if (/bad indentation/.test(reason) && '@`%'.includes(character) && character !== '') {
    return error('YAML_SYNTAX', range, `A value cannot begin with \`${character}\`.`, { fix: 'Put the value in quotes.' })
  }
  if (/flow collection/.test(reason) && text[at - 1] === '$') {
    return error('YAML_SYNTAX', rangeBetween(source, at - 1, at + 1), 'Text that holds `${` is not quoted here.', { fix: 'Put it in double quotes.' })
  }
  const lineStart = text.lastIndexOf('\n', at - 1) + 1
  const before = text.slice(lineStart, at)
  if (/bad indentation of a mapping/.test(reason) && character === ':' && /:\s/.test(before)) {
    return error('YAML_SYNTAX', range, 'A second `: ` stands in this line.', { fix: 'Put the value in quotes, or begin a new line.' })
  }
  if (/bad indentation/.test(reason)) {
    const word = rangeBetween(source, lineStart + (before.length - before.trimStart().length), Math.min(at + 1, text.length))
    return error('YAML_INDENT', word, 'This does not line up with the lines around it.', { fix: 'Give all keys of one mapping, and every `-` of one list, the same indentation; quote a value that holds `: `.' })
  }
  if (/deficient indentation/.test(reason) && (character === ']' || character === '}')) {
    return error('YAML_INDENT', range, 'This bracket is not indented more than the key whose value it closes.', { fix: 'Indent it by at least one space.' })
  }
  for (const { when, code, summary, fix } of EXPLANATIONS) {
    if (when.test(reason)) return error(code, range, summary, { detail: reason, fix })
  }
  return error('YAML_SYNTAX', range, `The file is not YAML here: ${reason}.`)
}

/** The marks that git leaves where it could not merge. */
export function mergeConflict(source: SourceText): Diagnostic | undefined {
  const found = /^<{7}(?: .*)?$/m.exec(source.text)
  const middle = /^={7}\r?$/m.exec(source.text)
  if (found === null || middle === null) return undefined
  const range = rangeBetween(source, found.index, found.index + found[0].trimEnd().length)
  return error('MERGE_CONFLICT', range, 'The file holds the marks of an unfinished merge.', { related: [{ message: 'the other side begins here', range: rangeBetween(source, middle.index, middle.index + 7) }], fix: 'Resolve the conflict and commit the result.' })
}
