import { describe, expect, test } from 'vitest'
import { compileTemplate, escapeTemplate, evaluateTemplate, parseTemplate } from '../../../schemas/cel/template.ts'
import type { Environment } from '../../../schemas/cel/environment.ts'
import type { Bindings } from '../../../schemas/cel/frame.ts'
import { unknown } from '../../../schemas/cel/value.ts'
import fc from '../../property.ts'

const environment: Environment = {
  variables: {
    name: 'string',
    port: 'int',
    tags: { list: 'string' },
    any: 'dyn',
    node: { object: 'node', fields: { rack: 'string' } },
  },
  functions: [],
}
const bindings: Bindings = { name: 'db1', port: 3306, tags: ['a', 'b'], any: null, node: { rack: 'r1' } }

function evaluated(text: string, values: Bindings = bindings): unknown {
  const { program, errors } = compileTemplate(text, environment)
  if (program === undefined) return { errors }
  const result = evaluateTemplate(program, values)
  return result.kind === 'value' ? result.value : result
}

describe('a template', () => {
  test('that is exactly one expression keeps its type', () => {
    expect(evaluated('${port}')).toBe(3306)
    expect(evaluated('${tags}')).toEqual(['a', 'b'])
    expect(compileTemplate('${tags}', environment).program?.type).toEqual({ list: 'string' })
  })

  test('joins its parts as text otherwise', () => {
    expect(evaluated('http://${name}:${port}/')).toBe('http://db1:3306/')
    expect(evaluated('${name}${port}')).toBe('db13306')
    expect(evaluated(' ${port}')).toBe(' 3306')
    expect(evaluated('${port > 5} ${1.5} ${2u} ${2.0}')).toBe('true 1.5 2 2')
  })

  test('without an expression is a string', () => {
    expect(evaluated('plain $ {text}')).toBe('plain $ {text}')
    expect(evaluated('')).toBe('')
  })

  test('lets braces and strings nest inside an expression', () => {
    expect(evaluated("${{'a}': '}'}['a}']}")).toBe('}')
    expect(evaluated("x${{'k': {'l': name}}.k.l}y")).toBe('xdb1y')
    expect(evaluated("${'''}'''}")).toBe('}')
    expect(evaluated("${r'\\}'}")).toBe('\\}')
  })

  test('says $${ for ${', () => {
    expect(evaluated('$${name}')).toBe('${name}')
    expect(evaluated('$$${name}')).toBe('$${name}')
    expect(evaluated('$${${name}}')).toBe('${db1}')
    expect(evaluated('cost: $5')).toBe('cost: $5')
  })

  test('gives the spans of its parts in the whole text', () => {
    expect(parseTemplate('a${ b }$${c')).toEqual({
      errors: [],
      parts: [
        { kind: 'text', text: 'a', offset: 0, length: 1 },
        { kind: 'expression', source: ' b ', offset: 3, length: 3 },
        { kind: 'text', text: '${c', offset: 7, length: 4 },
      ],
    })
  })

  test('that is not closed is an error at its ${', () => {
    expect(evaluated('ab${name')).toEqual({ errors: [{ message: '${ has no matching }', offset: 2, length: 2 }] })
    expect(evaluated("ab${'x}")).toEqual({ errors: [{ message: 'the string is not closed', offset: 4, length: 3 }] })
  })

  test('reports every mistake of every expression, at its place', () => {
    expect(evaluated('${nam}-${node.rak}')).toEqual({
      errors: [
        { message: 'there is no variable nam; did you mean name?', offset: 2, length: 3, suggestion: 'name' },
        { message: 'there is no field rak in node; did you mean rack?', offset: 14, length: 3, suggestion: 'rack' },
      ],
    })
    expect(evaluated('${}')).toEqual({ errors: [{ message: 'the expression is empty', offset: 2, length: 0 }] })
  })

  test('refuses to join what has no text', () => {
    expect(evaluated('x${tags}')).toEqual({
      errors: [{ message: 'list(string) has no text to put into a string', offset: 3, length: 4 }],
    })
    expect(evaluated('x${any}')).toEqual({
      kind: 'error',
      message: 'null has no text to put into a string',
      offset: 3,
      length: 3,
    })
    expect(evaluated("x${timestamp('2026-01-01T00:00:00Z')}")).toMatchObject({ errors: [{ offset: 3 }] })
  })

  test('places an error of an evaluation in the whole text', () => {
    expect(evaluated('port ${any.x}')).toEqual({
      kind: 'error',
      message: 'null has no fields or elements, so no "x"',
      offset: 11,
      length: 1,
    })
  })

  test('waits for the inputs of all its parts', () => {
    const values = { ...bindings, name: unknown('b'), port: unknown('a') }
    expect(evaluated('${name}:${port}', values)).toEqual({ kind: 'unknown', inputs: ['a', 'b'] })
    expect(evaluated('${name}', values)).toEqual({ kind: 'unknown', inputs: ['b'] })
  })

  test('has one cost limit for all of it', () => {
    const { program } = compileTemplate('${[1, 2, 3].map(x, x).size()}${[1, 2, 3].map(x, x).size()}', environment)
    if (program === undefined) throw new Error('does not compile')
    expect(evaluateTemplate(program, bindings, { costLimit: 10 })).toMatchObject({
      kind: 'error',
      message: 'the expression needs more than its cost limit of 10',
    })
    expect(evaluateTemplate(program, bindings, { costLimit: 100 })).toEqual({ kind: 'value', value: '33' })
  })

  test('lists what it reads', () => {
    expect(compileTemplate('${name}/${node.rack}/${name}', environment).program?.reads).toEqual([
      ['name'],
      ['node', 'rack'],
    ])
  })

  test('says any text when that is escaped', () => {
    const text = fc.oneof(fc.string(), fc.stringMatching(/^[${}a"']{0,12}$/))
    fc.assert(fc.property(text, (plain) => evaluated(escapeTemplate(plain)) === plain))
  })

  test('never throws', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string({ unit: 'binary' }), fc.stringMatching(/^[${}ab."'\\()[\]]{0,20}$/)),
        (text) => void evaluated(text),
      ),
    )
  })
})
