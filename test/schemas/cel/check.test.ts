import { describe, expect, test } from 'vitest'
import { check } from '../../../schemas/cel/check.ts'
import { parse } from '../../../schemas/cel/parse.ts'
import { formatType } from '../../../schemas/cel/type.ts'
import type { CelType } from '../../../schemas/cel/type.ts'
import type { Environment } from '../../../schemas/cel/environment.ts'

const disk: CelType = { object: 'disk', fields: { bytes: 'int', model: 'string', rotational: 'bool' } }
const node: CelType = {
  object: 'node',
  fields: { name: 'string', tags: { list: 'string' }, labels: { map: ['string', 'string'] } },
}
const role: CelType = { object: 'role', fields: { members: { list: node } } }
const environment: Environment = {
  variables: {
    machine: {
      object: 'machine',
      fields: { disks: { list: disk }, dmi: { object: 'dmi', fields: { product: 'string' } } },
    },
    node,
    attributes: 'dyn',
    count: 'int',
    ratio: 'double',
  },
  functions: [
    { name: 'address', receiver: node, params: ['string'], result: 'string', call: () => '' },
    { name: 'role', params: ['string'], result: role, call: () => ({ members: [] }) },
  ],
}

function checked(source: string): ReturnType<typeof check> {
  const { ast, errors } = parse(source)
  if (ast === undefined) throw new Error(errors[0].message)
  return check(ast, environment)
}

function mistakes(source: string): string[] {
  return checked(source).errors.map(({ offset, length, message }) => `${offset}+${length}: ${message}`)
}

describe('check', () => {
  test.each([
    ["machine.disks.filter(d, !d.rotational).size() >= 4 && machine.dmi.product.startsWith('PowerEdge')", 'bool'],
    ['machine.disks.map(d, d.bytes)', 'list(int)'],
    ["role('db').members.map(m, m.address('cluster'))", 'list(string)'],
    ['machine.disks[0]', 'disk'],
    ['node.labels.rack', 'string'],
    ['attributes.anything[0].at.all', 'dyn'],
    ['attributes.port + 1', 'int'],
    ['[1, 2.0]', 'list(dyn)'],
    ['[[], [1]]', 'list(list(int))'],
    ["{'a': 1}.?a.orValue(2)", 'int'],
    ['count > 1 ? node.tags : []', 'list(string)'],
    ['node == null ? null : node', 'node'],
    ['math.greatest(1, 2.5)', 'dyn'],
    ['cel.bind(x, node.name, x + x)', 'string'],
    ['node.labels.transformList(k, v, k + v)', 'list(string)'],
    ['type(count) == int', 'bool'],
  ])('%s is %s', (source, type) => {
    const { errors, type: found } = checked(source)
    expect(errors).toEqual([])
    expect(formatType(found)).toBe(type)
  })

  test.each([
    ['machin.disks', '0+6: there is no variable machin; did you mean machine?'],
    ['zzz', '0+3: there is no variable zzz; there are attributes, count, machine, node, ratio'],
    ['machine.disk', '8+4: there is no field disk in machine; did you mean disks?'],
    ["machine['disk']", '8+6: there is no field disk in machine; did you mean disks?'],
    ['machine.disks.filter(d, d.rotationl)', '26+9: there is no field rotationl in disk; did you mean rotational?'],
    ['has(machine.dsks)', '12+4: there is no field dsks in machine; did you mean disks?'],
    ['node.name.rack', '10+4: string has no fields, so no rack'],
    ["node.name.startWith('a')", '10+9: there is no method startWith; did you mean startsWith?'],
    ["node.addres('cluster')", '5+6: there is no method addres; did you mean address?'],
    ['node.address(1)', '5+7: there is no node.address(int); there is node.address(string)'],
    ["rol('db')", '0+3: there is no function rol; did you mean role?'],
    ["node.name.startsWith('a', 'b')", '10+10: startsWith takes 1 arguments, here are 2'],
    ['count + ratio', '6+1: + does not mix int and double; convert one with int(…) or double(…)'],
    ['node.name + count', '10+1: + does not join string and int; convert with string(…)'],
    ["count == 'a'", '0+12: == compares int with string, which are never equal'],
    ["'a' in [1, 2]", '0+13: string is never in list(int)'],
    ['1 in count', '5+5: in looks into a list or a map, this is int'],
    ['count && true', '0+5: && needs true or false here, this is int'],
    ['!node.name', '1+9: ! needs true or false here, this is string'],
    ['count ? 1 : 2', '0+5: ? needs true or false here, this is int'],
    ['count.map(x, x)', '0+5: map goes through a list or a map, this is int'],
    ["node.tags['a']", '10+3: a list is indexed by int, not by string'],
    ["node.name.matches('(')", '18+3: the pattern is not valid: there is a ( without its )'],
    ['{1.5: 2}', '1+3: a key is a string, int, uint or bool, not double'],
    ['[?count]', '2+5: after ? an optional value is needed, this is int'],
    ['machine.disks.filter(d, d.bytes)', '24+7: filter needs true or false here, this is int'],
  ])('%s: %s', (source, message) => {
    expect(mistakes(source)).toEqual([message])
  })

  test('reports every mistake at once', () => {
    expect(mistakes('machine.a && node.b')).toHaveLength(2)
  })

  test('offers the name that was meant as data', () => {
    expect(checked('machine.disk').errors[0]?.suggestion).toBe('disks')
  })

  test('compares and mixes numbers across types only where that is sound', () => {
    expect(mistakes('count < ratio && count == ratio && count in [ratio]')).toEqual([])
  })

  test.each([
    ['machine.disks[0].model', [['machine', 'disks']]],
    [
      "attributes.db['port'].x + attributes.db.port",
      [
        ['attributes', 'db', 'port'],
        ['attributes', 'db', 'port', 'x'],
      ],
    ],
    [
      'machine.disks.exists(d, d.model == node.name)',
      [
        ['machine', 'disks'],
        ['node', 'name'],
      ],
    ],
    ["node.address('cluster')", [['node']]],
    ['has(attributes.a.b)', [['attributes', 'a', 'b']]],
    ['attributes.?a.?b', [['attributes', 'a', 'b']]],
    ['[1].map(node, node.name)', []],
    ['attributes', [['attributes']]],
    ['1 + 1', []],
  ])('%s reads %j', (source, reads) => {
    expect(checked(source).reads).toEqual(reads)
  })

  test('lists the calls of host functions with their literal arguments', () => {
    expect(checked("role('db').members.size() > 0 || node.address(node.name) == ''").calls).toEqual([
      { name: 'role', receiver: undefined, literals: ['db'], offset: 0, length: 10 },
      { name: 'address', receiver: ['node'], literals: [undefined], offset: 33, length: 23 },
    ])
  })

  test('does not blow up on types that share their parts', () => {
    const source = `${Array.from({ length: 60 }, (_, i) => `cel.bind(v${i}, {${i === 0 ? 1 : `v${i - 1}`}: ${i === 0 ? 1 : `v${i - 1}`}}, `).join('')}1${')'.repeat(60)}`
    expect(mistakes(source)[0]).toMatch(/a key is a string, int, uint or bool, not map/)
  })
})
