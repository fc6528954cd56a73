import { describe, expect, test } from 'vitest'
import { codes, compiled, compileTexts, documentOf, machine } from '../compiling.ts'
import type { Texts } from '../compiling.ts'

/** A site in which the attribute `x` of the one role is what is said, from line 5 on. */
const site = (x: string): Texts => ({
  ...machine('m1'),
  'n.yaml': 'kind: node\nname: n1\nos: debian-12\nmachine: { where: "true" }\n',
  'd.yaml': `kind: deployment\nname: d\nroles: { r: { nodes: [n1] } }\nattributes:\n  b:\n    x: ${x}\n`,
  'barclamps/b/barclamp.yaml': 'kind: barclamp\nname: b\nversion: 1.0.0\nattributes: { type: object }\nroles: { r: {} }\n',
})
const valueOf = (x: string): unknown => (documentOf(compiled(site(x)).plan, 'd/r@n1')['b'] as { readonly x: unknown }).x
const said = (x: string): unknown => compileTexts(site(x)).diagnostics.map(({ code, range, summary, fix }) => [`${code} ${range?.start.line}:${range?.start.column}-${range?.end.column}`, summary, fix])

describe('expressions in a site', () => {
  test('that would run for ages end at the cost limit, which names the part that costs', () => {
    // Without a limit this is 10 to the power of 12 evaluations.
    const nested = 'abcdefghijkl'.split('').reduceRight((inner, name) => `[0, 1, 2, 3, 4, 5, 6, 7, 8, 9].map(${name}, ${inner})`, "'deep'")
    const text = `"\${${nested}}"`
    const innermost = text.slice(text.lastIndexOf('['), text.indexOf(')') + 1)
    const at = 8 + text.indexOf(innermost)
    expect(said(text)).toEqual([[`EXPRESSION_FAILED 6:${at}-${at + innermost.length}`, 'The expression needs more than its cost limit of 1000000 (for d/r on n1).', 'Let it do less: a macro inside another one runs for each item of both lists.']])
  })

  test('match in linear time, whatever the pattern', () => {
    expect(valueOf(`"\${'${'a'.repeat(5000)}b'.matches('^(a+)+$')}"`)).toBe(false)
    expect(valueOf(`"\${'${'a'.repeat(50)}'.matches('^(a?){50}a{50}$')}"`)).toBe(true)
  })

  test.each([
    ["'(?=a)'", 'The pattern is not valid: look-ahead and look-behind are not supported.'],
    ["'(?<!a)b'", 'The pattern is not valid: look-ahead and look-behind are not supported.'],
    [String.raw`r'(a)\1'`, 'The pattern is not valid: back-references are not supported.'],
  ])('with the pattern %s are refused before anything runs', (pattern, summary) => {
    expect(said(`\${'x'.matches(${pattern})}`)).toEqual([[`EXPRESSION_INVALID 6:22-${22 + pattern.length}`, summary, 'Patterns are those of RE2: no back-references, no look-around.']])
  })

  test('compare numbers of all types, and nothing else with another type', () => {
    expect(valueOf('"${1 == 1.0 && 1 < 2.5 && uint(3) > 2 && 3.0 in [3.0, 4.0]}"')).toBe(true)
    expect(said(`"\${'1' == 1}"`)).toEqual([['EXPRESSION_INVALID 6:11-19', '== compares string with int, which are never equal.', 'Compare values of one type; `x in list` asks whether a list holds something.']])
  })

  test('are pointed at inside a text of several lines, at every one that is wrong', () => {
    const block = '|\n      one ${node.name}\n        two ${1 + \'a\'}\n      three ${node.nam}\n'
    expect(codes(compileTexts(site(block)))).toEqual(['EXPRESSION_INVALID d.yaml:8:17', 'EXPRESSION_INVALID d.yaml:9:20'])
    expect(said(block)).toMatchObject([[expect.anything(), '+ does not join int and string; convert with string(…).', 'Convert one of them: string(), int() and double() do.'], [expect.anything(), 'There is no field nam in node.', 'Did you mean name?']])
    expect(valueOf('>-\n      a ${node.name}\n      b $${node.name}\n')).toBe('a n1 b ${node.name}')
  })
})
