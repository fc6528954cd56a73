import { describe, expect, test } from 'vitest'
import { rulesTraceText } from '../../../compiler/explain/rules-trace-text.ts'
import { traceRules } from '../../../compiler/explain/rules-trace.ts'
import type { MachineTrace, NodeTrace } from '../../../compiler/explain/rules-trace.ts'
import { compiled, machine } from '../compiling.ts'

const RULES = `kind: rule
name: big
when: "machine.memory.bytes >= 4 && machine.dmi.product == 'Box'"
set: { os: debian-12, tags: [big], labels: { kind: "\${machine.dmi.product}" } }
---
kind: rule
name: huge
order: 10
when: "machine.memory.bytes >= 9 && machine.cpu.cores > 1"
set: { os: debian-13 }
---
kind: rule
name: rest
when: "true"
set: { os: debian-11, tags: [any] }
`
const FILES = {
  'r.yaml': RULES,
  'n.yaml': 'kind: nodes\nname: "n[1-2]"\nmachine: { tags: [big], where: "machine.memory.bytes < 8" }\n---\nkind: node\nname: p\nos: debian-12\nmachine: { serial: serial-m2 }\n---\nkind: node\nname: q\nos: debian-12\nmachine: { serial: elsewhere }\n',
  ...machine('m1', { memory: 5 }), ...machine('m2', { memory: 9, macs: ['52:54:00:00:00:22'] }), ...machine('m3', { memory: 3, product: 'Other' }),
}
const { bound } = compiled(FILES).ordered.injected.allocated
const trace = (name: string): MachineTrace | NodeTrace => {
  const traced = traceRules(bound, name)
  if ('problem' in traced) throw new Error(traced.problem)
  return traced
}

describe('rules trace', () => {
  test('of a machine says which rules are met, what decided and who lost to whom', () => {
    expect(rulesTraceText(trace('m1'))).toBe(`machine m1, serial serial-m1, that n1 has

RULES  in their order; the first that sets a field wins
  - huge  not met  (order 10, r.yaml:9:7)
      machine.memory.bytes >= 9 is false: machine.memory.bytes is 5
  + big  met  (order 100, r.yaml:3:7)
      machine.memory.bytes >= 4 is true: machine.memory.bytes is 5
      machine.dmi.product == 'Box' is true: machine.dmi.product is "Box"
      sets os debian-12
      sets label kind Box
      sets tag big
  + rest  met  (order 100, r.yaml:14:7)
      true is true
      would set os debian-11, but big has set it
      sets tag any

n1 HAS
  os debian-12, by the rule big
  hardware none, by nothing

NODES  that could claim it: n[1-2]
  + n[1-2]  (first free machine tagged big where machine.memory.bytes < 8, n.yaml:3:10)
      machine.memory.bytes < 8 is true: machine.memory.bytes is 5
`)
  })

  test('finds a machine by its serial and its MAC, and by the node that has it', () => {
    for (const name of ['m2', 'serial-m2', '52:54:00:00:00:22', 'p']) expect(trace(name)).toMatchObject({ machine: 'm2', node: 'p' })
  })

  test('of a node without a machine says why it could claim none', () => {
    expect(rulesTraceText(trace('n2'))).toBe(`node n2 has no machine  (first free machine tagged big where machine.memory.bytes < 8, n.yaml:3:10)

MACHINES  that have been seen
  + m1  it could claim, but n1 has it
      machine.memory.bytes < 8 is true: machine.memory.bytes is 5
  - m2  p has it
      machine.memory.bytes < 8 is false: machine.memory.bytes is 9
  - m3  it could not claim
      it has no tag big
      machine.memory.bytes < 8 is true: machine.memory.bytes is 3
`)
    expect(trace('q')).toMatchObject({ machines: [{ machine: 'm1', could: false, misses: ['its serial is not elsewhere'] }, {}, {}] })
  })

  test('agrees with what was bound, of every machine and rule', () => {
    for (const found of bound.machines.values()) {
      const traced = trace(found.id) as MachineTrace
      expect(traced.rules.filter(({ result }) => result === true).map(({ rule }) => rule)).toEqual(found.outcome.rules.map(({ value }) => value.name))
      const os = traced.rules.flatMap(({ sets }) => sets).find(({ field, lostTo }) => field === 'os' && lostTo === null)
      expect(os?.value).toBe(found.outcome.os?.value)
    }
  })

  test('knows nobody of another name', () => {
    expect(traceRules(bound, 'm4')).toEqual({ problem: 'there is no machine and no node m4', near: 'm1' })
  })
})
