import { expect, test } from 'vitest'
import { compile, evaluate } from '../../../schemas/cel/evaluate.ts'
import { implies } from '../../../schemas/cel/implies.ts'
import { parse } from '../../../schemas/cel/parse.ts'
import type { Expression } from '../../../schemas/cel/ast.ts'
import fc from '../../property.ts'

const ast = (source: string): Expression => parse(source).ast as Expression

test.each<[string, string, boolean]>([
  ['a', 'a', true],
  ['x.y == 1', 'x.y==1', true],
  ['a && b', 'a', true],
  ['b && a', 'a && b', true],
  ['a', 'a || b', true],
  ['a || b', 'b || a', true],
  ['a', 'true', true],
  ['false', 'a', true],
  ['a', 'a && b', false],
  ['a || b', 'a', false],
  ['x > 1', 'x > 0', false],
  ['x == 1', 'x == 1.0', false],
  ['x == "1"', 'x == 1', false],
])('%s implies %s: %s', (a, b, expected) => {
  expect(implies(ast(a), ast(b))).toBe(expected)
})

test('is never wrong, whatever the variables are, also where parts of a condition fail', () => {
  const leaf = fc.constantFrom('a', 'b', 'c.d', 'true', 'false', '!a')
  const { tree } = fc.letrec<{ tree: string }>((tie) => ({ tree: fc.oneof({ maxDepth: 4 }, leaf, fc.tuple(tie('tree'), fc.constantFrom('&&', '||'), tie('tree')).map(([l, o, r]) => `(${l} ${o} ${r})`)) }))
  const environment = { variables: { a: 'bool', b: 'bool', c: 'dyn' }, functions: [] } as const
  const holds = (source: string, bindings: Parameters<typeof evaluate>[1]): boolean => {
    const { program } = compile(source, environment)
    const result = program === undefined ? undefined : evaluate(program, bindings)
    return result?.kind === 'value' && result.value === true
  }
  fc.assert(fc.property(tree, tree, fc.boolean(), fc.boolean(), fc.constantFrom({ d: true }, { d: false }, {}), (x, y, a, b, c) => {
    if (implies(ast(x), ast(y)) && holds(x, { a, b, c })) expect(holds(y, { a, b, c })).toBe(true)
  }), { numRuns: 500 })
})
