import { describe, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { rangeInside } from '../../../compiler/parse/document.ts'
import type { SourceDocument } from '../../../compiler/parse/document.ts'
import { parseYaml } from '../../../compiler/parse/yaml.ts'
import { sourceText } from '../../../compiler/parse/document.ts'
import fc from '../../property.ts'

function read(text: string): SourceDocument {
  const [document] = parseYaml(sourceText('x.yaml', text), ({ summary }) => { throw new Error(summary) }) ?? []
  if (document === undefined) throw new Error('no document')
  return document
}

/** The text at the place of a word of the value under `v`. */
function textOf(text: string, word: string): string {
  const document = read(text)
  const value = (document.value as { readonly v: string }).v
  const at = value.indexOf(word)
  expect(at).toBeGreaterThanOrEqual(0)
  const { start, end } = rangeInside(document, ['v'], at, at + word.length)
  const lines = text.split('\n')
  const offset = (line: number, column: number): number => lines.slice(0, line - 1).join('\n').length + (line > 1 ? 1 : 0) + column - 1
  return text.slice(offset(start.line, start.column), offset(end.line, end.column))
}

describe('the place of a part of a string', () => {
  test.each([
    ['plain', 'v: a == ${node.nme} b\n', 'nme', 'nme'],
    ['double-quoted after escapes', 'v: "\\t\\"${node.nme}\\""\n', 'nme', 'nme'],
    ['an escaped word', 'v: "a \\u0062\\x63 d"\n', 'bc', '\\u0062\\x63'],
    ['beyond the basic plane', 'v: "\\U0001F600 ${nme}"\n', 'nme', 'nme'],
    ['double-quoted over lines', 'v: "one\n  ${node.nme}\n\n  two"\n', 'nme', 'nme'],
    ['double-quoted with an escaped line end', 'v: "one \\\n  ${node.nme}"\n', 'nme', 'nme'],
    ['single-quoted after doubled quotes', "v: 'it''s ${node.nme}'\n", 'nme', 'nme'],
    ['a word that holds a doubled quote', "v: 'it''s'\n", "it's", "it''s"],
    ['literal', 'v: |\n  first\n    ${node.nme}\n\n  last\n', 'nme', 'nme'],
    ['folded', 'v: >-\n  first ${site.name}\n  ${node.nme}\n\n  last ${x}\n', 'nme', 'nme'],
    ['folded, over a blank line', 'v: >\n  first\n\n\n  last ${nme}\n', 'nme', 'nme'],
    ['folded, with a more indented line', 'v: >\n  first\n    deeper\n  last ${nme}\n', 'nme', 'nme'],
    ['plain over lines', 'v: first\n  ${node.nme}\n  last\n', 'nme', 'nme'],
    ['the same word before it', 'v: "nm ${nm.nme}"\n', 'nme', 'nme'],
  ])('%s', (_, text, word, expected) => {
    expect(textOf(text, word)).toBe(expected)
  })

  test('is right for any word of any text, in any style', () => {
    const word = fc.stringMatching(/^[A-Za-z0-9$.{}'"\\:é😀-]{1,8}$/u)
    fc.assert(fc.property(fc.array(word, { minLength: 2, maxLength: 12 }), fc.constantFrom('PLAIN', 'QUOTE_DOUBLE', 'QUOTE_SINGLE', 'BLOCK_LITERAL', 'BLOCK_FOLDED'), fc.constantFrom(' ', '\n', '\n\n'), (words, style, gap) => {
      const marked = words.map((each, i) => `w${i}w${each}`)
      const text = stringify({ v: marked.join(gap) }, { defaultStringType: style as 'PLAIN', lineWidth: 20 })
      for (const i of words.keys()) expect(textOf(text, `w${i}w`).replace(/\\\n */g, '')).toBe(`w${i}w`)
    }))
  })
})
