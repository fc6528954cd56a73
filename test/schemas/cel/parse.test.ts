import { describe, expect, test } from 'vitest'
import { MAX_DEPTH, MAX_LENGTH, parse } from '../../../schemas/cel/parse.ts'
import type { Expression } from '../../../schemas/cel/ast.ts'
import fc from '../../property.ts'

/** The tree with every operator in parentheses. */
function show(node: Expression): string {
  switch (node.kind) {
    case 'literal':
      return JSON.stringify(node.value)
    case 'name':
      return node.name
    case 'select':
      return `${show(node.operand)}.${node.optional ? '?' : ''}${node.field}`
    case 'has':
      return `has(${show(node.operand)}.${node.field})`
    case 'index':
      return `${show(node.operand)}[${node.optional ? '?' : ''}${show(node.index)}]`
    case 'call':
      return `${node.target === undefined ? '' : `${show(node.target)}.`}${node.name}(${node.args.map(show).join(', ')})`
    case 'unary':
      return `(${node.operator}${show(node.operand)})`
    case 'binary':
    case 'logical':
      return `(${show(node.left)} ${node.operator} ${show(node.right)})`
    case 'conditional':
      return `(${show(node.test)} ? ${show(node.yes)} : ${show(node.no)})`
    case 'list':
      return `[${node.elements.map(({ value, optional }) => (optional ? '?' : '') + show(value)).join(', ')}]`
    case 'map':
      return `{${node.entries.map(({ key, value }) => `${show(key)}: ${show(value)}`).join(', ')}}`
    case 'macro':
      return `${node.macro}<${node.variables.join(', ')}>(${[node.range, ...(node.filter === undefined ? [] : [node.filter]), node.body].map(show).join(', ')})`
    case 'bind':
      return `${node.form}<${node.variable}>(${show(node.value)}, ${show(node.body)})`
  }
}

function shown(source: string): string {
  const { ast, errors } = parse(source)
  return ast === undefined ? `${errors[0].offset}+${errors[0].length}: ${errors[0].message}` : show(ast)
}

describe('parse', () => {
  test.each([
    ['a || b && c == d + e * -f', '(a || (b && (c == (d + (e * (-f))))))'],
    ['a - b - c', '((a - b) - c)'],
    ['a ? b : c ? d : e', '(a ? b : (c ? d : e))'],
    ['!a.b[c].d(e, f)', '(!a.b[c].d(e, f))'],
    ['-1 - -2', '(-1 - -2)'],
    ['a in b && c', '((a in b) && c)'],
    ['x.map(y, y > 0, y + 1)', 'map<y>(x, (y > 0), (y + 1))'],
    ['x.exists_one(y, true)', 'existsOne<y>(x, true)'],
    ['x.transformMap(k, v, v)', 'transformMap<k, v>(x, v)'],
    ['has(a.b.c)', 'has(a.b.c)'],
    ['cel.bind(v, 1, v + v)', 'bind<v>(1, (v + v))'],
    ['a.?b[?0].optMap(v, v)', 'optMap<v>(a.?b[?0], v)'],
    ['[?a, b,]', '[?a, b]'],
    ["{'a': 1, 'b': [2]}", '{"a": 1, "b": [2]}'],
    ['a.`b-c`.in', 'a.b-c.in'],
    ['a // not this\n + b', '(a + b)'],
    [`r'\\d' + "\\u00e9\\x41\\101"`, '("\\\\d" + "éAA")'],
  ])('reads %s', (source, tree) => {
    expect(shown(source)).toBe(tree)
  })

  test('gives every node its span', () => {
    const { ast } = parse(' machine.disks.size() >= 4 ')
    expect(ast).toMatchObject({
      kind: 'binary',
      offset: 1,
      length: 25,
      operatorSpan: { offset: 22, length: 2 },
      left: {
        kind: 'call',
        offset: 1,
        length: 20,
        nameSpan: { offset: 15, length: 4 },
        target: { kind: 'select', offset: 1, length: 13, fieldSpan: { offset: 9, length: 5 } },
      },
      right: { kind: 'literal', offset: 25, length: 1 },
    })
  })

  test('counts spans in UTF-16 units', () => {
    expect(parse("'🐱' + b").ast).toMatchObject({ right: { offset: 7, length: 1 } })
  })

  test.each([
    ['', '0+0: the expression is empty'],
    ['a = b', '2+1: a single = is not an operator; compare with =='],
    ['a & b', '2+1: a single & is not an operator; "and" is &&'],
    ['a +', '3+0: expected a value, the expression ends here'],
    ['a b', '2+1: expected an operator or the end, found b'],
    ['(a', '2+0: expected an operator or ), the expression ends here'],
    ['f(a b)', '4+1: expected , or ), found b'],
    ["'abc", '0+4: the string is not closed'],
    ["'\\q'", '1+2: unknown escape \\q; a backslash is written \\\\'],
    ["'\\ud800'", '1+2: \\ud800 is not a Unicode character'],
    ['9223372036854775808', '0+19: number out of range: an int is at most 9223372036854775807'],
    ['1x', '0+2: a number cannot be followed by x'],
    ['for', '0+3: for is a reserved word and cannot be a name'],
    ['has(a)', '0+6: has() takes one field, such as has(machine.bmc.address)'],
    ['x.all(a.b, true)', '6+3: expected the name of a variable, such as d in disks.filter(d, d.rotational)'],
    ['x.all(a, a, true)', '9+1: the two variables of all need different names'],
    ['Node{name: 1}', '4+1: messages cannot be made here; a map is written {"key": value}'],
    ['a ? b', '5+0: expected : and the value otherwise, the expression ends here'],
    ['# a', '0+1: unexpected character "#"'],
  ])('says what is wrong with %s', (source, message) => {
    expect(shown(source)).toBe(message)
  })

  test.each([
    ['parentheses', '('.repeat(30_000)],
    ['lists', '['.repeat(30_000)],
    ['maps', '{1:'.repeat(20_000)],
    ['calls', 'f('.repeat(20_000)],
    ['minus signs', `${'-'.repeat(30_000)}a`],
    ['additions', `1${'+1'.repeat(30_000)}`],
    ['conditionals', `${'a?b:'.repeat(10_000)}c`],
    ['selections', `a${'.b'.repeat(30_000)}`],
    ['indexes', 'a['.repeat(30_000)],
    ['macros', 'a.map(a,'.repeat(8000)],
  ])('refuses %s nested too deep, without using up the stack', (_what, source) => {
    expect(parse(source).errors[0]?.message).toBe(`the expression is nested deeper than ${MAX_DEPTH} levels`)
  })

  test('accepts what is deep but within bounds', () => {
    expect(parse(`${'('.repeat(MAX_DEPTH - 1)}1${')'.repeat(MAX_DEPTH - 1)}`).errors).toEqual([])
    expect(parse(`1${'+1'.repeat(MAX_DEPTH - 1)}`).errors).toEqual([])
  })

  test('refuses a source that is too long', () => {
    expect(parse(' '.repeat(MAX_LENGTH + 1)).errors[0]?.message).toMatch(/longer than 65536/)
  })

  test('never throws, and points into the source', () => {
    const tokens = fc.constantFrom(
      'a',
      'b',
      '.',
      '?',
      ':',
      '(',
      ')',
      '[',
      ']',
      '{',
      '}',
      '&&',
      '||',
      '!',
      '-',
      '+',
      '1',
      '2u',
      '.5',
      '"s"',
      "b'x'",
      ' in ',
      'has',
      '.map(x,',
      ',',
      '==',
      '\\',
      '`',
      '\n',
      '//',
      'true',
    )
    const soup = fc.array(tokens, { maxLength: 30 }).map((parts) => parts.join(''))
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), soup), (source) => {
        const { errors } = parse(source)
        for (const { offset, length } of errors)
          expect(offset >= 0 && length >= 0 && offset + length <= source.length).toBe(true)
      }),
      { numRuns: 2000 },
    )
  })
})
