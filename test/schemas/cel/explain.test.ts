import { describe, expect, test } from 'vitest'
import { compile, evaluate } from '../../../schemas/cel/evaluate.ts'
import { explainCondition } from '../../../schemas/cel/explain.ts'
import { unknown } from '../../../schemas/cel/value.ts'
import fc from '../../property.ts'

const ENVIRONMENT = { variables: { a: 'dyn', b: 'dyn', c: 'dyn', list: 'dyn', later: 'dyn' }, functions: [] } as const
const BINDINGS = { a: 3, b: 'x', c: false, list: [{ n: 1 }, { n: 5 }], later: unknown('later') }

function reasons(source: string): readonly string[] {
  const explained = explainCondition(source, ENVIRONMENT, BINDINGS)
  return [String(explained?.result), ...(explained?.reasons ?? []).map(({ text, result, values, detail }) => `${text} ${String(result)}${values.map((each) => ` ${each.text}=${each.value}`).join('')}${detail === null ? '' : ` (${detail})`}`)]
}

describe('why a condition came out as it did', () => {
  test.each<[string, readonly string[]]>([
    ['a > 1 && b == "y" && c', ['false', 'b == "y" false b="x"', 'c false']],
    ['a > 1 && b == "x"', ['true', 'a > 1 true a=3', 'b == "x" true b="x"']],
    ['a > 9 || b == "y"', ['false', 'a > 9 false a=3', 'b == "y" false b="x"']],
    ['a > 9 || b == "x"', ['true', 'b == "x" true b="x"']],
    ['!(a > 1 || c)', ['false', 'a > 1 true a=3']],
    ['a > 1 ? c : true', ['false', 'a > 1 true a=3', 'c false']],
    ['list.all(x, x.n > 2)', ['false', 'x.n > 2 false x.n=1 x={"n":1}']],
    ['list.exists(x, x.n > 2)', ['true', 'x.n > 2 true x.n=5 x={"n":5}']],
    ['list.exists(x, x.n > 9)', ['false', 'list.exists(x, x.n > 9) false list=[{"n":1},{"n":5}]']],
    ['list.filter(x, x.n > 2).size() >= 2', ['false', 'list.filter(x, x.n > 2).size() >= 2 false list.filter(x, x.n > 2).size()=1']],
    ['b in ["y", "z"]', ['false', 'b in ["y", "z"] false b="x"']],
    ['b.startsWith("y")', ['false', 'b.startsWith("y") false b="x"']],
    ['a.name == "y"', ['error', expect.stringContaining('a.name == "y" error (') as unknown as string]],
    ['a > 1 && later > 2', ['unknown', 'later > 2 unknown (later)']],
    ['a > 9 && later > 2', ['false', 'a > 9 false a=3']],
  ])('%s', (source, expected) => {
    expect(reasons(source)).toEqual(expected)
  })

  test('places are those of the source', () => {
    expect(explainCondition('a > 1  &&  b == "y"', ENVIRONMENT, BINDINGS)?.reasons.map(({ offset, length }) => [offset, length])).toEqual([[11, 8]])
  })

  test('the result is always that of the evaluation, and every reason has a part in it', () => {
    const leaf = fc.constantFrom('a > 1', 'a > 9', 'b == "x"', 'c', 'a.x == 1', 'later', 'list.all(x, x.n > 0)')
    const { tree } = fc.letrec<{ tree: string }>((tie) => ({ tree: fc.oneof({ maxDepth: 4 }, leaf, fc.tuple(tie('tree'), fc.constantFrom('&&', '||'), tie('tree')).map(([l, o, r]) => `(${l} ${o} ${r})`), tie('tree').map((x) => `!(${x})`)) }))
    fc.assert(fc.property(tree, (source) => {
      const { program } = compile(source, ENVIRONMENT)
      if (program === undefined) return
      const result = evaluate(program, BINDINGS)
      const explained = explainCondition(source, ENVIRONMENT, BINDINGS)
      expect(explained?.result).toBe(result.kind === 'value' ? result.value : result.kind)
      expect(explained?.reasons.length).toBeGreaterThan(0)
      for (const { text } of explained?.reasons ?? []) expect(source).toContain(text)
    }), { numRuns: 300 })
  })
})
