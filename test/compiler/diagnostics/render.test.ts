import { describe, expect, test } from 'vitest'
import { CODES } from '../../../compiler/diagnostics/codes.ts'
import { error, warning } from '../../../compiler/diagnostics/diagnostic.ts'
import { renderGithub } from '../../../compiler/diagnostics/render-github.ts'
import { renderSarif } from '../../../compiler/diagnostics/render-sarif.ts'
import { countOf, renderText } from '../../../compiler/diagnostics/render-text.ts'
import { settle } from '../../../compiler/diagnostics/settle.ts'
import { columnsOf } from '../../../compiler/diagnostics/width.ts'
import type { Diagnostic, Range } from '../../../schemas/diagnostic.ts'

const range = (path: string, line: number, column: number, end = column + 1): Range => ({ path, start: { line, column }, end: { line, column: end } })

const FILES: Readonly<Record<string, string>> = {
  'site.yaml': 'kind: site\nname: austin\nadmn: { network: admin }\n',
  'wide.yaml': 'a: 日本 x\n\t\tb: y\n"e\u0301😀": z\nc: \u001b[31mred\n',
}
const options = { linesOf: (path: string) => FILES[path]?.split('\n'), colour: false }

const TYPO = error('FIELD_UNKNOWN', range('site.yaml', 3, 1, 5), 'A site has no field `admn`.', { fix: 'Did you mean `admin`?', related: [{ message: 'the site', range: range('site.yaml', 1, 7, 11) }] })

describe('text', () => {
  test('shows a hundred of one code, and says how many more there are', () => {
    const many = Array.from({ length: 250 }, (_, i) => warning('CLAIM_STALE', undefined, `number ${i}`))
    const lines = renderText([...many, TYPO], options).split('\n')
    expect(lines.filter((line) => line.includes('[CLAIM_STALE]: number'))).toHaveLength(100)
    expect(lines).toContain('... and 150 more warning[CLAIM_STALE]: `crowbar validate --format json` has them all.')
    expect(lines[0]).toContain('number 0')
    expect(lines.join('\n')).toContain('error[FIELD_UNKNOWN]')
    expect(renderText(many.slice(0, 100), options)).not.toContain('more')
  })

  test('is place, code and sentence, the line with a caret, where else, and the fix', () => {
    expect(renderText([TYPO], options)).toBe(
      [
        'site.yaml:3:1: error[FIELD_UNKNOWN]: A site has no field `admn`.',
        '  3 | admn: { network: admin }',
        '    | ^^^^',
        '  site.yaml:1:7: the site',
        '  1 | kind: site',
        '    |       ^^^^',
        '  fix: Did you mean `admin`?',
        '',
      ].join('\n'),
    )
  })

  test.each([
    ['wide characters', range('wide.yaml', 1, 7, 8), '  1 | a: 日本 x\n    |         ^'],
    ['a wide character itself', range('wide.yaml', 1, 4, 6), '  1 | a: 日本 x\n    |    ^^^^'],
    ['tabs', range('wide.yaml', 2, 6, 7), '  2 | \t\tb: y\n    | \t\t   ^'],
    ['marks and emoji', range('wide.yaml', 3, 7, 8), '  3 | "e\u0301😀": z\n    |      ^'],
    ['control characters', range('wide.yaml', 4, 9, 12), '  4 | c: \ufffd[31mred\n    |         ^^^'],
  ])('puts the caret under what is meant, behind %s', (_, at, expected) => {
    expect(renderText([error('VALUE_INVALID', at, 's')], options).split('\n').slice(1, 3).join('\n')).toBe(expected)
  })

  test('cuts a long line around the place, and shows the first line of several', () => {
    const long = { linesOf: () => [`${'x'.repeat(500)}HERE${'y'.repeat(500)}`, 'second'], colour: false }
    const lines = renderText([error('VALUE_INVALID', range('a', 1, 501, 505), 's')], long).split('\n')
    expect((lines[1] as string).length).toBeLessThan(180)
    expect((lines[1] as string).indexOf('HERE')).toBe((lines[2] as string).indexOf('^^^^'))
    const several = renderText([error('VALUE_INVALID', { path: 'site.yaml', start: { line: 2, column: 7 }, end: { line: 3, column: 5 } }, 's')], options)
    expect(several).toContain('  2 | name: austin\n    |       ^^^^^^\n')
  })

  test('of something without a place, or in a file that is not text, is just the sentence', () => {
    expect(renderText([error('NOT_A_SITE', undefined, 'No.')], options)).toBe('error[NOT_A_SITE]: No.\n')
    expect(renderText([error('FILE_TOO_LARGE', range('big', 1, 1), 'Big.')], options)).toBe('big:1:1: error[FILE_TOO_LARGE]: Big.\n')
  })

  test('has colours only when asked', () => {
    expect(renderText([TYPO], options)).not.toContain('\u001b')
    expect(renderText([TYPO], { ...options, colour: true })).toContain('\u001b[31;1merror[FIELD_UNKNOWN]\u001b[0m')
  })

  test('counts', () => {
    expect(countOf([TYPO, TYPO, warning('YAML_LEADING_ZERO', undefined, 's')])).toBe('2 errors, 1 warning')
    expect(countOf([])).toBe('')
  })
})

test('columns of a terminal', () => {
  expect(['abc', 'é', 'e\u0301', '日', '😀', '한', 'ｗ', ''].map(columnsOf)).toEqual([3, 1, 1, 2, 2, 2, 2, 0])
})

test('settle puts each once, by file, line and column', () => {
  const at = (path: string, line: number, column: number): Diagnostic => error('VALUE_INVALID', range(path, line, column), `${path}${line}${column}`)
  const nowhere = error('NOT_A_SITE', undefined, 'no')
  expect(settle([at('b', 1, 1), at('a', 10, 1), at('a', 2, 5), at('a', 2, 5), nowhere, at('a', 2, 4)]).map(({ summary }) => summary)).toEqual(['no', 'a24', 'a25', 'a101', 'b11'])
})

test('SARIF 2.1.0 names rule, level, message and regions', () => {
  const log = JSON.parse(renderSarif([TYPO, warning('YAML_LEADING_ZERO', range('a b/ü.yaml', 1, 2), 'zeros')], '1.2.3')) as unknown
  expect(log).toEqual({
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: { driver: { name: 'crowbar', version: '1.2.3', rules: [{ id: 'FIELD_UNKNOWN', shortDescription: { text: CODES.FIELD_UNKNOWN } }, { id: 'YAML_LEADING_ZERO', shortDescription: { text: CODES.YAML_LEADING_ZERO } }] } },
        columnKind: 'utf16CodeUnits',
        results: [
          {
            ruleId: 'FIELD_UNKNOWN',
            ruleIndex: 0,
            level: 'error',
            message: { text: 'A site has no field `admn`.\nDid you mean `admin`?' },
            locations: [{ physicalLocation: { artifactLocation: { uri: 'site.yaml' }, region: { startLine: 3, startColumn: 1, endLine: 3, endColumn: 5 } } }],
            relatedLocations: [{ physicalLocation: { artifactLocation: { uri: 'site.yaml' }, region: { startLine: 1, startColumn: 7, endLine: 1, endColumn: 11 } }, message: { text: 'the site' } }],
          },
          { ruleId: 'YAML_LEADING_ZERO', ruleIndex: 1, level: 'warning', message: { text: 'zeros' }, locations: [{ physicalLocation: { artifactLocation: { uri: 'a%20b/%C3%BC.yaml' }, region: { startLine: 1, startColumn: 2, endLine: 1, endColumn: 3 } } }] },
        ],
      },
    ],
  })
})

test('GitHub annotations escape what would end them', () => {
  expect(renderGithub([error('VALUE_INVALID', range('a,b:c%.yaml', 1, 2, 3), '100%\nsure', { fix: 'x' })])).toBe('::error title=VALUE_INVALID,file=a%2Cb%3Ac%25.yaml,line=1,endLine=1,col=2,endColumn=3::100%25%0Asure%0Ax\n')
  expect(renderGithub([])).toBe('')
})

test('codes are in order, each explained in a sentence', () => {
  expect(Object.keys(CODES)).toEqual(Object.keys(CODES).toSorted())
  for (const [code, meaning] of Object.entries(CODES)) {
    expect(code).toMatch(/^[A-Z][A-Z0-9]*(_[A-Z0-9]+)*$/)
    expect(meaning).toMatch(/^[A-Z].*\.$/)
  }
})
