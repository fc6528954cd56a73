import { describe, expect, test } from 'vitest'
import { expression, json } from './expression-arbitrary.ts'
import { compile, evaluate, evaluateMetered } from '../../../schemas/cel/evaluate.ts'
import type { EvaluateOptions } from '../../../schemas/cel/evaluate.ts'
import type { Environment } from '../../../schemas/cel/environment.ts'
import type { Bindings } from '../../../schemas/cel/frame.ts'
import type { CelType } from '../../../schemas/cel/type.ts'
import { Failure, unknown } from '../../../schemas/cel/value.ts'
import fc from '../../property.ts'

const node: CelType = { object: 'node', fields: { name: 'string', nets: { map: ['string', 'string'] } } }
const network: CelType = { object: 'network', fields: { vlan: 'int', cidr: 'string' } }
const environment: Environment = {
  variables: { a: 'dyn', b: 'dyn', c: 'dyn', node, machine: 'dyn' },
  functions: [
    {
      name: 'address',
      receiver: node,
      params: ['string'],
      result: 'string',
      call: ([self, net]) => {
        const nets = (self as { readonly nets: Readonly<Record<string, string>> }).nets
        return nets[net as string] ?? new Failure(`not on network ${net as string}`)
      },
    },
    {
      name: 'address',
      receiver: network,
      params: ['int'],
      result: 'string',
      call: ([, index]) => `host${index as number}`,
    },
    { name: 'network', params: ['string'], result: network, call: () => ({ vlan: 7, cidr: '10.0.0.0/24' }) },
  ],
}
const bindings: Bindings = {
  node: { name: 'db1', nets: { admin: '10.0.0.1' } },
  machine: {
    disks: [
      { bytes: 10, rotational: false },
      { bytes: 2_000_398_934_016, rotational: true },
    ],
    nics: [],
    none: null,
    ratio: 0.5,
  },
}

function run(source: string, values: Bindings = bindings, options: EvaluateOptions = {}): unknown {
  const { program, errors } = compile(source, environment)
  if (program === undefined) throw new Error(errors[0]?.message)
  const result = evaluate(program, values, options)
  return result.kind === 'value' ? result.value : result
}

function failure(source: string): string {
  const result = run(source) as { kind: string; message: string; offset: number; length: number }
  return `${result.offset}+${result.length}: ${result.message}`
}

describe('evaluate', () => {
  test('works on plain JSON', () => {
    expect(run('machine.disks.filter(d, !d.rotational).map(d, d.bytes)')).toEqual([10])
    expect(run('machine.disks[1].bytes / 1000000000')).toBe(2000)
    expect(run("machine.map(k, k) == ['disks', 'nics', 'none', 'ratio']")).toBe(true)
    expect(run('machine.none == null && has(machine.none) && !has(machine.missing)')).toBe(true)
    expect(run("machine.?missing.?deeper.orValue('none')")).toBe('none')
    expect(run("'disks' in machine && size(machine) == 4")).toBe(true)
  })

  test('compares ints and doubles, and computes with each apart', () => {
    expect(run('machine.ratio < 1 && 1 == 1.0 && 2u in [2.0]')).toBe(true)
    expect(run('1 / 2')).toBe(0)
    expect(run('1.0 / 2.0')).toBe(0.5)
    expect(failure('machine.ratio + machine.disks[0].bytes')).toBe('0+38: + does not apply to double and int')
  })

  test('computes with 64 bits exactly', () => {
    expect(run('9007199254740993 + 0')).toBe(9007199254740993n)
    expect(run('9007199254740993 - 9007199254740992')).toBe(1)
    expect(run('string(9223372036854775807 % 10)')).toBe('7')
    expect(run('3037000499 * 3037000499')).toBe(9223372030926249001n)
    for (const source of [
      '9223372036854775807 + 1',
      '-9223372036854775808 - 1',
      '-(-9223372036854775808)',
      '4294967296 * 4294967296',
    ]) {
      expect(failure(source)).toMatch(/does not fit a 64-bit integer/)
    }
  })

  test('calls host functions, chosen by their types, with the receiver first', () => {
    expect(run("node.address('admin')")).toBe('10.0.0.1')
    expect(run("network('admin').address(3)")).toBe('host3')
    expect(run("dyn(network('admin')).address(3) + dyn(node).address('admin')")).toBe('host310.0.0.1')
    expect(run("node.address('admin')", { node: { name: 'db1', more: unknown('facts'), nets: { admin: 'x' } } })).toBe(
      'x',
    )
    expect(run("node.address('admin')", { node: { name: 'db1', nets: { admin: unknown('later') } } })).toEqual({
      kind: 'unknown',
      inputs: ['later'],
    })
    expect(run('node.address(a)', { ...bindings, a: unknown('later') })).toEqual({ kind: 'unknown', inputs: ['later'] })
    expect(failure("'x' + node.address('storage')")).toBe('6+23: not on network storage')
    expect(failure("dyn('x').address('admin')")).toBe('0+25: address does not take (string, string)')
  })

  test.each([
    ['machine.disks[2]', '0+16: there is no element 2 in a list of 2'],
    ['machine.nic[0]', '8+3: there is no key "nic"; did you mean nics?'],
    ['machine.bmc.address', '8+3: there is no key "bmc"'],
    ['machine.none.x', '13+1: null has no fields or elements, so no "x"'],
    ['1 + 1 / 0', '4+5: division by zero'],
    ['machine.ratio ? 1 : 2', '0+13: ? needs true or false before it'],
    ["machine.ratio.startsWith('x')", '0+29: startsWith does not take (double, string)'],
    ["int('x')", '0+8: "x" is not an integer'],
    ['[1, machine.disks].sort()', '0+25: only values of one type that has an order can be sorted'],
    [
      "timestamp('2026-01-01T00:00:00Z').getHours('Europe/Berlin')",
      '0+59: time zone "Europe/Berlin": only UTC and offsets such as +02:00 are known, so that the result is the same everywhere',
    ],
    ["{'a': 1, 'a': 2}", '9+3: the key a is there twice'],
    ['b', '0+1: b has no value here'],
  ])('%s fails at its place', (source, message) => {
    expect(failure(source)).toBe(message)
  })

  test('knows no key that JSON did not bring', () => {
    expect(run("has(machine.constructor) || has(machine.toString) || '__proto__' in machine")).toBe(false)
    expect(run('a.constructor', { a: JSON.parse('{"constructor": {"constructor": 1}}') as never })).toEqual({
      constructor: 1,
    })
    expect(run('a.__proto__', { a: JSON.parse('{"__proto__": 1}') as never })).toBe(1)
  })

  test('orders and counts text by code points', () => {
    expect(run("'\\uffff' < '🐱' && size('🐱') == 1 && '🐱x'.substring(1) == 'x'")).toBe(true)
    expect(run("['🐱', '\\uffff', 'a'].sort()")).toEqual(['a', '\uffff', '🐱'])
  })

  test('takes the same list twice without copying, and never changes a binding', () => {
    const frozen = Object.freeze({ list: Object.freeze([3, 1, 2]) })
    expect(run('a.list.sort() + a.list.reverse() + a.list', { a: frozen })).toEqual([1, 2, 3, 2, 1, 3, 3, 1, 2])
  })
})

describe('the cost', () => {
  test('is limited, and the error says by what and where', () => {
    const source = '1 + [1, 2, 3].map(x, [1, 2, 3].map(y, x * y)).size()'
    expect(run(source, {}, { costLimit: 25 })).toEqual({
      kind: 'error',
      message: 'the expression needs more than its cost limit of 25',
      offset: 38,
      length: 5,
    })
    expect(run(source, {}, { costLimit: 100 })).toBe(4)
  })

  test('cannot be caught by an expression', () => {
    expect(run('[1, 2, 3].exists(x, x == 3) || true', {}, { costLimit: 3 })).toMatchObject({ kind: 'error' })
  })

  test('bounds what small expressions could make large', () => {
    const doubled = (seed: string, next: (v: string) => string, use: string): string =>
      `${Array.from({ length: 60 }, (_, i) => `cel.bind(v${i}, ${i === 0 ? seed : next(`v${i - 1}`)}, `).join('')}${use}${')'.repeat(60)}`
    const pair = (v: string): string => `[${v}, ${v}]`
    for (const source of [
      doubled('1', pair, 'v59'),
      doubled('1', pair, 'v59 == v59'),
      doubled('1', pair, "'%s'.format([v59])"),
      doubled('1', pair, '[v59] == [v59]'),
      doubled("'x'", (v) => `${v} + ${v}`, 'v59.size()'),
      doubled('[1]', (v) => `${v} + ${v}`, 'v59.size()'),
      'lists.range(1000000).map(x, x)',
    ]) {
      expect(run(source), source.slice(-40)).toMatchObject({ kind: 'error' })
    }
  })

  test('is the same every time, and so is the result', () => {
    fc.assert(
      fc.property(expression, json, json, json, (source, a, b, c) => {
        const { program } = compile(source, environment, { evaluateUnchecked: true })
        if (program === undefined) return
        const once = evaluateMetered(program, { a, b, c })
        expect(evaluateMetered(program, { c, b, a })).toEqual(once)
        expect(evaluateMetered(program, { a, b, c }, { costLimit: once.cost })).toEqual(once)
        if (once.cost > 0) expect(evaluate(program, { a, b, c }, { costLimit: once.cost - 1 }).kind).toBe('error')
      }),
      { numRuns: 1000 },
    )
  })
})

test('an evaluation never throws, whatever the expression and the bindings', () => {
  const value = fc.oneof(json, fc.jsonValue(), fc.constant(unknown('later')))
  fc.assert(
    fc.property(expression, value, value, value, fc.boolean(), (source, a, b, c, evaluateUnchecked) => {
      const { program } = compile(source, environment, { evaluateUnchecked })
      if (program === undefined) return
      const result = evaluate(program, { a, b, c } as Bindings)
      if (result.kind === 'error') expect(result.offset + result.length).toBeLessThanOrEqual(source.length)
    }),
    { numRuns: 3000 },
  )
})

test('what checks without dyn does not fail for its types', () => {
  const typed: Environment = {
    variables: { a: 'int', b: { list: 'int' }, c: { map: ['string', 'int'] } },
    functions: [],
  }
  const values: Bindings = { a: 1, b: [1, 2], c: { x: 1, y: 2 } }
  let evaluated = 0
  fc.assert(
    fc.property(expression, (source) => {
      if (source.includes('null') || source.includes('dyn')) return
      const { program } = compile(source, typed)
      if (program === undefined || program.type === 'dyn') return
      evaluated++
      const result = evaluate(program, values)
      if (result.kind === 'error' && !/\bmath|,|\?/.test(source))
        expect(result.message).not.toMatch(/does not (apply|take)/)
    }),
    { numRuns: 3000 },
  )
  expect(evaluated).toBeGreaterThan(100)
})
