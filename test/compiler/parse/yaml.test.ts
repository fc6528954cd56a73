import { describe, expect, test } from 'vitest'
import { parseAllDocuments, stringify } from 'yaml'
import { placeOf, rangeInside, rangeOf, sourceText } from '../../../compiler/parse/document.ts'
import type { SourceDocument } from '../../../compiler/parse/document.ts'
import { parseYaml } from '../../../compiler/parse/yaml.ts'
import type { Diagnostic } from '../../../schemas/diagnostic.ts'
import type { Json } from '../../../schemas/shape.ts'
import fc from '../../property.ts'

function read(text: string): { readonly documents: readonly SourceDocument[] | undefined; readonly found: readonly Diagnostic[] } {
  const found: Diagnostic[] = []
  const documents = parseYaml(sourceText('a.yaml', text), (diagnostic) => found.push(diagnostic))
  return { documents, found }
}

function values(text: string): readonly Json[] | undefined {
  return read(text).documents?.map(({ value }) => value)
}

/** `CODE line:column` of everything that is wrong. */
function problems(text: string): readonly string[] {
  return read(text).found.map(({ code, range }) => `${code} ${range?.start.line}:${range?.start.column}`)
}

describe('scalars are what the core schema of YAML 1.2 says', () => {
  test.each([
    ['~', null], ['', null], ['null', null], ['Null', null], ['nULL', 'nULL'],
    ['true', true], ['False', false], ['yes', 'yes'], ['no', 'no'], ['on', 'on'], ['y', 'y'],
    ['0755', 755], ['0o755', 493], ['0x1F', 31], ['+12', 12], ['-0', 0], ['1_000', '1_000'], ['0b11', '0b11'],
    ['1e3', 1000], ['1.5', 1.5], ['.5', 0.5], ['5.', 5], ['-1.2e-3', -0.0012], ['1.2.3', '1.2.3'], ['1:30', '1:30'],
    ['2026-01-02', '2026-01-02'], ['2026-01-02T03:04:05Z', '2026-01-02T03:04:05Z'], ['0xZZ', '0xZZ'], ['9007199254740991', 9007199254740991],
    ['"12"', '12'], ["'true'", 'true'], ['!!str 12', '12'], ['!!int 12', 12], ['-', [null]],
  ])('%s', (text, value) => {
    expect(values(`v: ${text === '-' ? '\n -' : text}\n`)).toEqual([{ v: value }])
  })

  test('a number that would not survive is refused, at its place', () => {
    expect(problems('a: 1\nb: 9007199254740993\n')).toEqual(['YAML_NUMBER 2:4'])
    expect(problems('a: .inf\n')).toEqual(['YAML_NUMBER 1:4'])
    expect(problems('a: [1, .NaN]\n')).toEqual(['YAML_NUMBER 1:8'])
    expect(problems('a: 1e999\n')).toEqual(['YAML_NUMBER 1:4'])
  })

  test('a number with zeros in front is a warning, and readable', () => {
    const { documents, found } = read('mode: 0755\n')
    expect(documents?.[0]?.value).toEqual({ mode: 755 })
    expect(found).toMatchObject([{ code: 'YAML_LEADING_ZERO', severity: 'warning' }])
  })
})

describe('what is refused, with its place', () => {
  test.each([
    ['a key twice', 'a: 1\nb:\n  c: 1\n  c: 2\n', ['DUPLICATE_KEY 4:3']],
    ['a tab', 'a:\n\tb: 1\n', ['YAML_TAB 2:1']],
    ['a key out of line', 'a: 1\n b: 2\n', ['YAML_INDENT 2:2']],
    ['an open bracket', 'a: [1\nb: 2\n', ['YAML_INDENT 2:1']],
    ['a closing bracket under its key', 'a: [\n  1\n]\n', ['YAML_INDENT 3:1']],
    ['a list item out of line', 'a:\n  - 1\n - 2\n', ['YAML_INDENT 3:2']],
    ['two colons', 'a: b: c\n', ['YAML_SYNTAX 1:5']],
    ['a value that begins with @', 'a: @b\n', ['YAML_SYNTAX 1:4']],
    ['an alias to nothing', 'a: *b\n', ['YAML_ALIAS 1:4']],
    ['an alias inside itself', 'a: &a\n  b: *a\n', ['YAML_ALIAS 2:6']],
    ['a merge key', 'a: &a { b: 1 }\nc:\n  <<: *a\n', ['YAML_MERGE_KEY 3:3']],
    ['a mapping as a key', '? [a]\n: b\n', ['YAML_KEY 1:3']],
    ['no key', ': b\n', ['YAML_KEY 1:1']],
    ['__proto__', 'a:\n  __proto__: { x: 1 }\n', ['YAML_KEY 2:3']],
    ['a tag', 'a: !secret b\n', ['YAML_TAG 1:4']],
    ['a control character', 'a: \u0001\n', ['YAML_SYNTAX 1:4']],
    ['a merge conflict', 'a: 1\n<<<<<<< ours\nb: 1\n=======\nb: 2\n>>>>>>> theirs\n', ['MERGE_CONFLICT 2:1']],
  ])('%s', (_, text, expected) => {
    expect(problems(text)).toEqual(expected)
    expect(read(text).documents).toBeUndefined()
  })

  test('both places of a key that is there twice', () => {
    const [problem] = read('a: 1\n"a": 2\n').found
    expect(problem?.related.map(({ range }) => placeOf(range))).toEqual(['a.yaml:1:1'])
  })

  test('too deep, before anything recurses', () => {
    expect(problems('['.repeat(5000))).toEqual(['YAML_TOO_DEEP 1:101'])
    expect(problems(`${'a: {'.repeat(200)}${'}'.repeat(200)}`)[0]).toMatch(/^YAML_TOO_DEEP/)
    expect(values(`${'['.repeat(99)}1${']'.repeat(99)}`)).toHaveLength(1)
  })

  test('a file that aliases blow up, once and quickly', () => {
    let bomb = 'a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n'
    for (let level = 1; level < 12; level++) bomb += `a${level}: &a${level} [${Array.from({ length: 10 }, () => `*a${level - 1}`).join(',')}]\n`
    const before = performance.now()
    expect(problems(bomb).map((problem) => problem.split(' ')[0])).toEqual(['YAML_ALIASES'])
    expect(performance.now() - before).toBeLessThan(5000)
  })
})

describe('aliases and anchors', () => {
  test('stand for the value, and their content is where it was written', () => {
    const [document] = read('a: &x { b: [1, 2] }\nc: *x\n').documents as [SourceDocument]
    expect(document.value).toEqual({ a: { b: [1, 2] }, c: { b: [1, 2] } })
    expect(placeOf(rangeOf(document, ['c']))).toBe('a.yaml:2:4')
    expect(placeOf(rangeOf(document, ['c', 'b', 1]))).toBe('a.yaml:1:16')
  })

  test('are kept apart from document to document', () => {
    expect(problems('a: &x 1\n---\nb: *x\n')).toEqual(['YAML_ALIAS 3:4'])
  })
})

describe('places', () => {
  const [document] = read('kind: node # comment\n"quoted key": \'it\'\nlist:\n  - one\n  - { two: 2, three: [ 3 ] }\nblock: |\n  first line\n  second line\nempty:\n').documents as [SourceDocument]

  test.each([
    [['kind'], 'value', '1:7-1:11'], [['kind'], 'key', '1:1-1:5'],
    [['quoted key'], 'key', '2:1-2:13'], [['quoted key'], 'value', '2:15-2:19'],
    [['list', 0], 'value', '4:5-4:8'], [['list', 1, 'two'], 'key', '5:7-5:10'], [['list', 1, 'three', 0], 'value', '5:24-5:25'],
    [['list', 1], 'value', '5:5-5:29'], [['block'], 'value', '7:3-8:14'], [['empty'], 'key', '9:1-9:6'],
    [['list', 1, 'missing'], 'value', '5:5-5:29'], [['missing'], 'value', '1:1-9:6'], [[], 'value', '1:1-9:6'],
  ] as const)('%j as %s', (pointer, what, expected) => {
    const { start, end } = rangeOf(document, pointer, what)
    expect(`${start.line}:${start.column}-${end.line}:${end.column}`).toBe(expected)
  })

  test('inside a string, also over the lines of a block', () => {
    expect(placeOf(rangeInside(document, ['block'], 17, 21))).toBe('a.yaml:8:9')
    expect(placeOf(rangeInside(document, ['quoted key'], 1, 2))).toBe('a.yaml:2:17')
    const [escaped] = read('a: "\\u0041BC"\n').documents as [SourceDocument]
    expect(placeOf(rangeInside(escaped, ['a'], 1, 2))).toBe('a.yaml:1:11')
  })

  test('count UTF-16 units, whatever ends a line', () => {
    const [found] = read('a: "😀é"\r\nb: { "ü": x, c: 1 }\rd: 2').documents as [SourceDocument]
    expect(found.value).toEqual({ a: '😀é', b: { ü: 'x', c: 1 }, d: 2 })
    expect(rangeOf(found, ['a'])).toMatchObject({ start: { line: 1, column: 4 }, end: { line: 1, column: 9 } })
    expect(placeOf(rangeOf(found, ['b', 'c']))).toBe('a.yaml:2:17')
    expect(placeOf(rangeOf(found, ['d'], 'key'))).toBe('a.yaml:3:1')
  })
})

describe('documents of a file', () => {
  test('are counted, and those that say nothing are left out', () => {
    const { documents } = read('# only a comment\n---\na: 1\n---\n---\n# nothing\n---\nb: 2\n...\n')
    expect(documents?.map(({ index, value }) => [index, value])).toEqual([[0, { a: 1 }], [3, { b: 2 }]])
    expect(values('')).toEqual([])
    expect(values('\n# x\n')).toEqual([])
  })

  test('may be JSON, also with tabs', () => {
    expect(values('{\n\t"a": [\n\t\t1,\n\t\t{"b": "\\u00e9\\/"}\n\t]\n}\n')).toEqual([{ a: [1, { b: 'é/' }] }])
  })
})

describe('against another parser', () => {
  const other = (text: string): unknown[] => parseAllDocuments(text, { version: '1.2', merge: false }).map((document) => document.toJS() as unknown)

  test('reads what it reads, for a corpus of YAML features', () => {
    const corpus = [
      'a: b\nc: [d, e]\n', '- 1\n- - 2\n  - 3\n-\n  k: v\n', 'a: |\n  x\n   y\n\n  z\n', 'a: |-\n  x\n', 'a: |+\n  x\n\n', 'a: >\n  x\n  y\n\n  z\n', 'a: >-\n  x\n  y\n',
      'a: "x\\ty\\n\\u263a"\n', "a: 'it''s'\n", 'a: plain text with  spaces # comment\n', 'a: multi\n  line\n  plain\n', 'a: "multi\n  line"\n', '? a\n: b\n', 'a: {b: c, "d": [e, {f: g}]}\n',
      'a: &x [1]\nb: *x\n', '--- a\n--- b\n', '--- |\n x\n---\ny: 1\n', 'a: http://example.com:80/x#y\n', 'a: [a:b, "c:d"]\n', 'a:\n- 1\n- 2\nb: 3\n', 'a: !!str 1\n', 'a: ""\nb: \'\'\n', '{a: 1,}\n', '[1, 2,]\n', 'a: -1\n',
      'key with spaces: v\n"a b": c\n', 'a: |2\n    x\n  y\n', 'a: "\\\n  x"\n', '%YAML 1.2\n---\na: 1\n', 'a: [\n  1,\n  # c\n  2\n ]\n',
    ]
    for (const text of corpus) expect([text, values(text)]).toEqual([text, other(text)])
  })

  test('reads what it writes, for generated documents', () => {
    const key = fc.string({ minLength: 1, maxLength: 8 }).filter((name) => name !== '__proto__' && name !== '<<')
    const { value } = fc.letrec((tie) => ({
      value: fc.oneof({ maxDepth: 4 }, fc.string({ maxLength: 20, unit: 'grapheme' }), fc.integer(), fc.boolean(), fc.constant(null), fc.constantFrom('yes', '0755', '1e3', '~', ' x ', 'a: b', '# c', '2026-01-01', 'x\ny\n', '-', '?', '<<'), tie('list'), tie('map')),
      list: fc.array(tie('value'), { maxLength: 4 }),
      map: fc.dictionary(key, tie('value'), { maxKeys: 4, noNullPrototype: true }),
    }))
    fc.assert(
      fc.property(fc.record({ kind: value }), fc.constantFrom({}, { collectionStyle: 'flow' as const }, { defaultStringType: 'QUOTE_DOUBLE' as const }, { defaultStringType: 'BLOCK_LITERAL' as const }), (document, style) => {
        const text = stringify(document, style)
        // The writer makes a block of a string of spaces alone, which by the rules of YAML is an empty string.
        fc.pre(!/[:-] [|>][-+]?\n +(\n|$)/.test(text))
        expect([text, values(text)]).toEqual([text, [document]])
      }),
      { numRuns: 300 },
    )
  })

  test('never crashes, and reads the same wherever it reads anything, for mangled text', () => {
    const piece = fc.constantFrom('a: ', 'b', '- ', '\n', '  ', '{', '}', '[', ']', ', ', '"', "'", '|', '>', '&x ', '*x', '#', ': ', '? ', '---\n', '\t', '!!str ', '1', '\r\n', '😀')
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 14 }).map((pieces) => pieces.join('')), (text) => {
        const { documents, found } = read(text)
        expect(documents === undefined).toBe(found.some(({ severity }) => severity === 'error'))
        for (const { range } of found) {
          const lines = text.split(/\r\n|\r|\n/)
          expect(range?.start.line).toBeLessThanOrEqual(lines.length)
          expect(range?.start.column).toBeLessThanOrEqual((lines[(range?.start.line ?? 1) - 1]?.length ?? 0) + 2)
        }
      }),
      { numRuns: 1000 },
    )
  })
})
