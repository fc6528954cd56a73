import { describe, expect, test } from 'vitest'
import { expression, json, NAMES } from './expression-arbitrary.ts'
import { compile, evaluate } from '../../../schemas/cel/evaluate.ts'
import type { Evaluation } from '../../../schemas/cel/evaluate.ts'
import type { Environment } from '../../../schemas/cel/environment.ts'
import type { Bindings } from '../../../schemas/cel/frame.ts'
import { unknown } from '../../../schemas/cel/value.ts'
import type { CelValue } from '../../../schemas/cel/value.ts'
import fc from '../../property.ts'

const environment: Environment = {
  variables: { a: 'dyn', b: 'dyn', c: 'dyn', u: 'dyn', v: 'dyn', w: 'dyn' },
  functions: [{ name: 'host', params: ['dyn'], result: 'string', call: () => 'called' }],
}
const bindings: Bindings = {
  u: unknown('u'),
  v: unknown('v'),
  w: { known: 1, later: unknown('w'), list: [1, unknown('w')] },
}

function evaluated(source: string, values: Bindings = bindings): Evaluation | undefined {
  const { program } = compile(source, environment, { evaluateUnchecked: true })
  return program && evaluate(program, values)
}

describe('an unknown', () => {
  test.each([
    ['u || true', true],
    ['true || u', true],
    ['u && false', false],
    ['false ? u : 1', 1],
    ['[1, 2].exists(x, x == 1 || u)', true],
    ['w.list.exists(x, x == 1)', true],
    ['w.list.all(x, x == 2)', false],
    ['w.known', 1],
    ['w.list.size()', 2],
    ['has(w.later)', true],
    ['w.list == [1]', false],
    ['w.list == [2, 3]', false],
    ["w == {'known': 2, 'later': 1, 'list': []}", false],
    ['1 in w.list', true],
    ['optional.of(1).orValue(u)', 1],
    ['type(w.list) == list', true],
    ['(1/0 == 1 && u) || true', true],
  ])('does not matter in %s', (source, value) => {
    expect(evaluated(source)).toEqual({ kind: 'value', value })
  })

  test.each([
    ['u', ['u']],
    ['u + v', ['u', 'v']],
    ['v && u', ['u', 'v']],
    ['u || false', ['u']],
    ['u || 1/0 == 1', ['u']],
    ['u ? v : w.later', ['u', 'v', 'w']],
    ['w', ['w']],
    ['w.later.deeper[0]', ['w']],
    ['w.list[u]', ['u', 'w']],
    ['w.list == [1, 2]', ['w']],
    ['u in w.list', ['u', 'w']],
    ['u.map(x, x + v)', ['u', 'v']],
    ['u.all(x, [1].exists(y, y == v))', ['u', 'v']],
    ['[1, 2].filter(x, x == u)', ['u']],
    ['[1, u]', ['u']],
    ['[1, u].size()', ['u']],
    ['[1, 1].map(x, u + x).size()', ['u']],
    ['w.list.exists_one(x, x == 1)', ['w']],
    ['w.list.filter(x, true)', ['w']],
    ['{u: v}', ['u', 'v']],
    ["{'a': [v]}", ['v']],
    ['host(w)', ['w']],
    ["'%s'.format([[u]])", ['u']],
    ['has(u.x)', ['u']],
    ['u.?x.orValue(v)', ['u', 'v']],
    ['size(u)', ['u']],
    ['-u', ['u']],
    ['math.greatest(1, u)', ['u']],
    ['cel.bind(x, u, x + x)', ['u']],
  ])('%s waits for %j', (source, inputs) => {
    expect(evaluated(source)).toEqual({ kind: 'unknown', inputs })
  })

  test('does not hide an error that is certain', () => {
    expect(evaluated('u + 1/0')).toMatchObject({ kind: 'error', message: 'division by zero' })
    expect(evaluated('[u, 1/0]')).toMatchObject({ kind: 'error', message: 'division by zero' })
    expect(evaluated('w.list.map(x, 1/0)')).toMatchObject({ kind: 'error', message: 'division by zero' })
  })
})

const KNOWN = fc.tuple(json, json, json)

/** Replaces unknowns by what they turn out to be. */
function settle(later: Readonly<Record<string, CelValue>>, only?: readonly string[]): Bindings {
  return Object.fromEntries(
    NAMES.map((name) => [name, only === undefined || only.includes(name) ? (later[name] ?? null) : unknown(name)]),
  )
}

test('what is decided before the unknowns are known stays so, whatever they turn out to be', () => {
  let decided = 0
  fc.assert(
    fc.property(expression, KNOWN, fc.subarray([...NAMES], { minLength: 1 }), (source, [a, b, c], waiting) => {
      const later = { a, b, c } as Record<string, CelValue>
      const early = evaluated(
        source,
        settle(
          later,
          NAMES.filter((name) => !waiting.includes(name)),
        ),
      )
      if (early === undefined || early.kind === 'unknown') return
      decided++
      const late = evaluated(source, settle(later))
      if (early.kind === 'error') expect(late?.kind).toBe('error')
      else expect(late).toEqual(early)
    }),
    { numRuns: 4000 },
  )
  expect(decided).toBeGreaterThan(200)
})

test('once the inputs that were named are known, nothing is unknown any more', () => {
  let waited = 0
  fc.assert(
    fc.property(expression, KNOWN, (source, [a, b, c]) => {
      const early = evaluated(source, settle({}, []))
      if (early?.kind !== 'unknown') return
      waited++
      expect([...early.inputs].sort()).toEqual([...new Set(early.inputs)])
      expect(evaluated(source, settle({ a, b, c } as Record<string, CelValue>, early.inputs))?.kind).not.toBe('unknown')
    }),
    { numRuns: 4000 },
  )
  expect(waited).toBeGreaterThan(200)
})
