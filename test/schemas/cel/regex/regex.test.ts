import { describe, expect, test } from 'vitest'
import { compileRegex } from '../../../../schemas/cel/regex/regex.ts'
import fc from '../../../property.ts'

function matches(pattern: string, text: string): boolean | string {
  const regex = compileRegex(pattern)
  return typeof regex === 'string' ? regex : regex.test(text)
}

describe('a regular expression', () => {
  test.each([
    ['^PowerEdge R[67]\\d0$', 'PowerEdge R640', true],
    ['^PowerEdge R[67]\\d0$', 'PowerEdge R640x', false],
    ['b+', 'abc', true],
    ['', 'anything', true],
    ['^$', '', true],
    ['a|b|', 'c', true],
    ['^(?:ab|cd){2,3}$', 'abcdab', true],
    ['^(?:ab|cd){2,3}$', 'ab', false],
    ['^a{2}$', 'aa', true],
    ['^a{2,}$', 'aaaa', true],
    ['^a{,2}$', 'a{,2}', true],
    ['(?i)POWER', 'power', true],
    ['(?i:A)b', 'aB', false],
    ['a(?i)b|c', 'C', true],
    ['(a(?i)b)c', 'aBC', false],
    ['(?i)ſ', 'S', true],
    ['(?i)[k]', '\u212a', true],
    ['^.$', '\n', false],
    ['(?s)^.$', '\n', true],
    ['(?m)^b$', 'a\nb\nc', true],
    ['^b$', 'a\nb\nc', false],
    ['\\Ab\\z', 'b', true],
    ['\\bfoo\\b', 'a foo b', true],
    ['\\bfoo\\b', 'afoo b', false],
    ['o\\B', 'foot', true],
    ['^\\d+\\s\\w+$', '42 x_1', true],
    ['\\d', '٣', false],
    ['^[^a-c\\d]+$', 'xyz', true],
    ['^[]a]+$', ']a', true],
    ['^[a-]$', '-', true],
    ['^[[:alpha:]_]+$', 'ab_', true],
    ['^[[:^alpha:]]$', '1', true],
    ['^\\p{Greek}+$', 'αβγ', true],
    ['^\\pL\\PL$', 'é1', true],
    ['^[\\p{Lu}\\d]+$', 'A1É', true],
    ['^\\P{^L}$', 'a', true],
    ['\\Qa.b\\E', 'a.b', true],
    ['\\Qa.b\\E', 'axb', false],
    ['^\\x41\\x{1F431}\\101\\n$', 'A🐱A\n', true],
    ['^.$', '🐱', true],
    ['(?P<name>a)(?<other>b)', 'ab', true],
    ['^(a*)*$', 'aaaa', true],
    ['(|a)+$', 'aa', true],
    ['(?U)a+?', 'a', true],
    ['x*?y', 'y', true],
    ['\\.\\-\\/', '.-/', true],
  ])('%s on %j: %s', (pattern, text, expected) => {
    expect(matches(pattern, text)).toBe(expected)
  })

  test.each([
    ['(', 'there is a ( without its )'],
    ['a)', 'there is a ) without its ('],
    ['[a', 'there is a [ without its ]'],
    ['*a', 'there is nothing before * to repeat'],
    ['a**', 'a repetition cannot be repeated; put it in a group'],
    ['(?=a)', 'look-ahead and look-behind are not supported'],
    ['(?<!a)', 'look-ahead and look-behind are not supported'],
    ['(a)\\1', 'back-references are not supported'],
    ['\\8', 'back-references are not supported'],
    ['a{1001}', 'it repeats more than 1000 times'],
    ['a{3,2}', '{3,2} has its numbers the wrong way round'],
    ['((a{100}){100}){100}', 'it is too large once its repetitions are written out'],
    ['[b-a]', 'a range has its ends the wrong way round'],
    ['[a-\\d]', 'a range ends with a character, not with a class'],
    ['\\q', '\\q has no meaning'],
    ['\\p{Klingon}', '\\p{Klingon} is not a Unicode class'],
    ['[[:foo:]]', '[:foo:] is not a class'],
    ['\\x{110000}', '\\x needs two hexadecimal digits, or more in braces'],
    ['(?z)', '(? starts neither a group nor flags that are known'],
    ['a\\', 'it ends too early'],
    ['('.repeat(300), 'its groups are nested deeper than 200'],
    ['a'.repeat(5000), 'it is longer than 4096 characters'],
  ])('%s is refused: %s', (pattern, message) => {
    expect(matches(pattern, '')).toBe(message)
  })

  test('takes time in proportion to the text, where backtracking takes for ever', () => {
    const text = 'a'.repeat(20_000)
    for (const pattern of ['^(a+)+$b', '^(a|a)*b', '^(a?){50}a{50}b', '(.*)(.*)(.*)(.*)x'])
      expect(matches(pattern, text)).toBe(false)
  })

  test('agrees with JavaScript where both mean the same', () => {
    const atom = fc.constantFrom(
      'a',
      'b',
      'c',
      '.',
      '[ab]',
      '[^a]',
      '[a-c]',
      '\\d',
      '\\w',
      '\\s',
      '^',
      '$',
      '\\b',
      '\\B',
      '\\.',
      '1',
      ' ',
    )
    const pattern = fc.letrec<{ pattern: string }>((tie) => ({
      pattern: fc.oneof(
        { maxDepth: 4, depthSize: 'medium' },
        atom,
        fc
          .tuple(
            fc.constantFrom('a', 'b', '.', '[ab]', '\\w'),
            fc.constantFrom('*', '+', '?', '{2}', '{1,2}', '{0,1}?', '*?'),
          )
          .map((parts) => parts.join('')),
        fc.array(tie('pattern'), { maxLength: 4 }).map((parts) => parts.join('')),
        fc.array(tie('pattern'), { minLength: 1, maxLength: 3 }).map((parts) => `(?:${parts.join('|')})`),
        fc
          .tuple(tie('pattern'), fc.constantFrom('*', '+', '?', '{2}', '{0,3}'))
          .map(([part, times]) => `(${part})${times}`),
      ),
    })).pattern
    const flags = fc.constantFrom('', 'i', 's', 'm')
    const text = fc.string({ unit: fc.constantFrom('a', 'b', 'c', 'A', '1', '.', ' ', '\n'), maxLength: 8 })
    fc.assert(
      fc.property(pattern, flags, fc.array(text, { minLength: 4, maxLength: 4 }), (source, flag, texts) => {
        const expected = new RegExp(source, flag)
        for (const each of texts) {
          expect(matches(flag === '' ? source : `(?${flag})${source}`, each), each).toBe(expected.test(each))
        }
      }),
      { numRuns: 3000 },
    )
  })

  test('never throws for a pattern, whatever it is', () => {
    const soup = fc
      .array(
        fc.constantFrom(
          'a',
          '(',
          ')',
          '[',
          ']',
          '*',
          '+',
          '?',
          '{',
          '}',
          '1',
          ',',
          '|',
          '\\',
          'p',
          'Q',
          'E',
          'x',
          '^',
          '$',
          '-',
          ':',
          '[:',
          ':]',
          '(?',
          '<',
          '=',
          'i',
        ),
        { maxLength: 15 },
      )
      .map((parts) => parts.join(''))
    fc.assert(
      fc.property(
        fc.oneof(soup, fc.string({ unit: 'binary' })),
        fc.string(),
        (pattern, text) => void matches(pattern, text),
      ),
      { numRuns: 3000 },
    )
  })
})
