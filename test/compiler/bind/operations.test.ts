import { describe, expect, test } from 'vitest'
import { rollingSite } from '../../builders/rolling-site.ts'
import { codes, compiled, compileTexts } from '../compiling.ts'

const operation = (lines: string): string => `kind: operation\nname: kernel\n${lines}\n`
const said = (lines: string): readonly string[] => codes(compileTexts(rollingSite({ documents: operation(lines) })))

describe('an operation that cannot be done is refused, where it says so:', () => {
  test.each([
    ['no role of that name', 'do: [check]\nrole: wbe', 'REFERENCE_UNKNOWN more.yaml:4:7'],
    ['no node of that name', 'do: [reboot]\nnodes: [w1, w9]', 'REFERENCE_UNKNOWN more.yaml:4:13'],
    ['no nodes are said', 'do: [reboot]', 'FIELD_MISSING more.yaml:2:7'],
    ['an admin node', 'do: [reboot]\nnodes: [adm]', 'UNSUPPORTED more.yaml:4:9'],
    ['a node without the role', 'do: [run]\nrole: plain\nnodes: [w1]', 'OPERATION_ROLE more.yaml:5:9'],
    ['a role without the action', 'do: [reboot, check]\nrole: base', 'OPERATION_ROLE more.yaml:3:14'],
    ['a run of no role', 'do: [run]\nnodes: [w1]', 'OPERATION_ROLE more.yaml:3:6'],
    ['an unknown action', 'do: [defrost]\nnodes: [w1]', 'VALUE_INVALID more.yaml:3:6'],
    ['a condition that is none', 'do: [reboot]\nwhere: node.naem == "x"', 'EXPRESSION_INVALID more.yaml:4:13'],
    ['packages where nothing is staged', 'do: [reboot, packages]\nnodes: [w1, w2]', 'OPERATION_ROLE more.yaml:3:14'],
    ['an installation that the lock does not ask for', 'do: [drain, reinstall, resume]\nnodes: [w1, w2]', 'OPERATION_LOCK more.yaml:3:13'],
  ])('%s', (_, lines, expected) => {
    expect(said(lines)).toContain(expected)
  })

  test('a destructive role that is to run again', () => {
    const site = rollingSite({ roles: '{ format: { nodes: [w1] } }', documents: operation('do: [run]\nrole: format') })
    expect(codes(compileTexts(site))).toContain('OPERATION_ROLE more.yaml:3:6')
  })
})

describe('an operation that does less than it seems is warned of:', () => {
  test.each([
    ['no node matches', "do: [reboot]\nwhere: \"'nobody' in node.tags\"", 'OPERATION_EMPTY more.yaml:2:7'],
    ['no role has the action', 'do: [drain]\nnodes: [w1]', 'OPERATION_ROLE more.yaml:3:6'],
  ])('%s', (_, lines, expected) => {
    const result = compileTexts(rollingSite({ roles: '{ plain: { nodes: ["w[1-6]"] } }', documents: operation(lines) }))
    expect(codes(result)).toContain(expected)
    expect(result.plan).not.toBeNull()
  })
})

describe('an operation is for', () => {
  const nodesOf = (lines: string): readonly (string | null)[] => [...new Set(compiled(rollingSite({ unseen: ['w6'], roles: '{ web: { nodes: ["w[1-5]"] }, base: { nodes: ["w[1-6]"] } }', documents: operation(lines) })).plan.operations[0]?.steps.map((step) => step.node))]
  test.each([
    ['nodes by name, by index and once each', 'do: [reboot]\nnodes: ["w[3-4]", w1, w3]', ['w1', 'w3', 'w4']],
    ['nodes that a condition meets', "do: [reboot]\nwhere: \"node.labels.rack == 'b'\"", ['w2', 'w5']],
    ['both together', "do: [reboot]\nnodes: [w1]\nwhere: \"node.labels.rack == 'b'\"", ['w1', 'w2', 'w5']],
    ['the nodes of a role', 'do: [reboot]\nrole: web', ['w1', 'w2', 'w3', 'w4', 'w5']],
    ['the nodes of a role that a condition meets', "do: [reboot]\nrole: web\nwhere: \"node.labels.rack != 'a'\"", ['w2', 'w3', 'w5']],
    ['no node that has no machine', 'do: [reboot]\nwhere: "true"', ['w1', 'w2', 'w3', 'w4', 'w5']],
  ])('%s', (_, lines, expected) => {
    expect(nodesOf(lines)).toEqual(expected)
  })
})
