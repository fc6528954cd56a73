import { describe, expect, test } from 'vitest'
import { codes, compiled, machine } from '../compiling.ts'

const rule = (name: string, when: string, set: string, order = '') => `kind: rule\nname: ${name}\n${order}when: ${JSON.stringify(when)}\nset: ${set}\n---\n`
const NODE = 'kind: node\nname: n\nos: debian-12\nmachine: { serial: serial-m1 }\n'
const rules = (text: string) => codes(compiled({ 'n.yaml': NODE, 'r.yaml': text, ...machine('m1') }))
const SMALL = 'machine.memory.bytes < 9999999999'

describe('rules that never do anything', () => {
  test.each<[string, string, readonly string[]]>([
    ['a condition that is false for every machine', rule('a', `${SMALL} && false`, '{ tags: [x] }'), ['RULE_UNREACHABLE r.yaml:3:7']],
    ['nothing to set', rule('a', SMALL, '{}'), ['RULE_UNREACHABLE r.yaml:4:1']],
    ['the same condition and the same field', rule('a', SMALL, '{ hardware: h }') + rule('b', SMALL, '{ hardware: h }'), ['RULE_UNREACHABLE r.yaml:7:7']],
    ['a stronger rule that is always met', rule('a', 'true', '{ hardware: h, labels: { x: "1" } }') + rule('b', SMALL, '{ labels: { x: "1" } }'), ['RULE_UNREACHABLE r.yaml:7:7']],
    ['a stronger rule whose condition is part of it', rule('a', SMALL, '{ tags: [x, y] }') + rule('b', `machine.cpu.cores > 1 && ${SMALL}`, '{ tags: [y] }'), ['RULE_UNREACHABLE r.yaml:7:7']],
    ['two stronger rules between them', rule('a', SMALL, '{ hardware: h }') + rule('b', SMALL, '{ tags: [y] }') + rule('c', SMALL, '{ tags: [y], hardware: h }'), ['RULE_UNREACHABLE r.yaml:12:7']],
  ])('%s', (_, text, expected) => {
    expect(rules(`${text}kind: hardware\nname: h\n`)).toEqual(expected)
  })

  test.each<[string, string]>([
    ['one field more', rule('a', 'true', '{ hardware: h }') + rule('b', SMALL, '{ hardware: h, tags: [x] }')],
    ['the weaker one is met more often', rule('a', `${SMALL} && machine.cpu.cores > 1`, '{ hardware: h }') + rule('b', SMALL, '{ hardware: h }')],
    ['a label that cannot always be made', rule('a', 'true', '{ labels: { x: "${machine.nics[3].mac}" } }') + rule('b', SMALL, '{ labels: { x: "1" } }')],
    ['attributes', rule('a', 'true', '{ attributes: { empty: { a: 1 } } }') + rule('b', 'true', '{ attributes: { empty: { a: 1 } } }')],
    ['a condition over a node that is pinned or not', rule('a', "node != null && node.name == 'n'", '{ tags: [x] }')],
  ])('are not taken for it: %s', (_, text) => {
    expect(rules(`${text}kind: hardware\nname: h\n`).filter((code) => code.startsWith('RULE_'))).toEqual([])
  })
})

describe('rules that contradict each other', () => {
  const two = (a: string, b: string, order = '') => rule('a', SMALL, a, order) + rule('b', 'machine.cpu.cores > 1', b)

  test('are told when a machine meets both, with both places', () => {
    const result = compiled({ 'n.yaml': NODE, 'r.yaml': two('{ labels: { x: "1" } }', '{ labels: { x: "2" } }'), ...machine('m1'), ...machine('m2') })
    expect(codes(result)).toEqual(['RULE_CONFLICT r.yaml:9:21'])
    expect(result.diagnostics[0]).toMatchObject({ summary: 'a and b both set label x for machine m1, differently; a wins only by its name.', related: [{ range: { start: { line: 4, column: 21 } } }] })
  })

  test.each<[string, string]>([
    ['one of them comes first by its order', two('{ labels: { x: "1" } }', '{ labels: { x: "2" } }', 'order: 50\n')],
    ['they say the same', two('{ labels: { x: "2" } }', '{ labels: { x: "${machine.cpu.cores == 2 ? \'2\' : \'3\'}" } }')],
    ['a third one that comes before has the field', two('{ labels: { x: "1" } }', '{ labels: { x: "2" } }') + rule('z', 'true', '{ labels: { x: "3" }, tags: [y] }', 'order: 1\n')],
    ['no machine meets both', rule('a', 'machine.cpu.cores > 99', '{ labels: { x: "1" } }') + rule('b', SMALL, '{ labels: { x: "2" } }')],
    ['tags add up', two('{ tags: [x] }', '{ tags: [y] }')],
  ])('are none when %s', (_, text) => {
    expect(rules(text).filter((code) => code.startsWith('RULE_CONFLICT'))).toEqual([])
  })
})
