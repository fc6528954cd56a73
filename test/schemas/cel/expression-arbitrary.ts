import type { Json } from '../../../schemas/cel/json.ts'
import fc from '../../property.ts'

/** Names that the expressions read; `d` and `e` are variables of macros, unbound elsewhere. */
export const NAMES = ['a', 'b', 'c'] as const

const leaf = fc.constantFrom(
  'a',
  'b',
  'c',
  'd',
  'e',
  'true',
  'false',
  'null',
  '0',
  '1',
  '2',
  '-1',
  '1.5',
  '2.0',
  '3u',
  "'x'",
  "'y'",
  "''",
  '[]',
  '{}',
  "b'x'",
  "duration('1s')",
  'a.x',
  'b.y',
  'c[0]',
  'has(a.x)',
  'a.?x',
  'optional.none()',
  "'a' in b",
  '9223372036854775807',
)

/** Sources of expressions that parse; most fail to check, many fail to evaluate. */
export const expression: fc.Arbitrary<string> = fc.letrec<{ node: string }>((tie) => {
  const node = tie('node')
  const operator = fc.constantFrom('+', '-', '*', '/', '%', '==', '!=', '<', '<=', '>', '>=', ' in ', '&&', '||')
  const macro = fc.constantFrom('all', 'exists', 'exists_one', 'map', 'filter')
  const method = fc.constantFrom(
    'size()',
    'orValue(1)',
    'hasValue()',
    'sort()',
    'distinct()',
    'reverse()',
    "join('-')",
    "contains('x')",
    'x',
    '?y',
    'flatten()',
  )
  const call = fc.constantFrom(
    'size',
    'string',
    'int',
    'double',
    'type',
    'dyn',
    'bool',
    'optional.of',
    'math.greatest',
    '!',
    '-',
  )
  return {
    node: fc.oneof(
      { maxDepth: 5, depthSize: 'small' },
      leaf,
      fc.tuple(node, operator, node).map(([left, text, right]) => `(${left}${text}${right})`),
      fc.tuple(node, node, node).map(([test, yes, no]) => `(${test}?${yes}:${no})`),
      fc
        .tuple(node, macro, fc.constantFrom('d', 'e'), node)
        .map(([range, name, variable, body]) => `${range}.${name}(${variable},${body})`),
      fc.tuple(node, node).map(([range, body]) => `${range}.transformMap(d,e,${body})`),
      fc.tuple(node, method).map(([target, name]) => `${target}.${name}`),
      fc.tuple(call, node).map(([name, argument]) => `${name}(${argument})`),
      fc.tuple(node, node).map(([target, index]) => `${target}[${index}]`),
      fc.tuple(node, node).map(([target, index]) => `${target}[?${index}]`),
      fc.array(node, { maxLength: 3 }).map((elements) => `[${elements.join(',')}]`),
      fc
        .array(fc.tuple(node, node), { maxLength: 2 })
        .map((entries) => `{${entries.map(([key, value]) => `${key}:${value}`).join(',')}}`),
      fc.tuple(node, node).map(([value, body]) => `cel.bind(d,${value},${body})`),
      fc.tuple(node, node).map(([value, body]) => `${value}.optMap(d,${body})`),
    ),
  }
}).node

/** JSON values that make many of those expressions work. */
export const json: fc.Arbitrary<Json> = fc.letrec<{ value: Json }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3, depthSize: 'small' },
    fc.constantFrom<Json>(null, true, false, 0, 1, 2, 1.5, 'x', 'y', ''),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom('x', 'y', 'constructor', '__proto__'), tie('value'), { maxKeys: 3 }),
  ),
})).value
