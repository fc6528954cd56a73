import { compile, evaluate } from '../schemas/cel/evaluate.ts'
import type { Bindings } from '../schemas/cel/frame.ts'
import type { CelType } from '../schemas/cel/type.ts'

/** Prints how long typical rules take on one machine with six disks. */
const disk: CelType = {
  object: 'disk',
  fields: { rotational: 'bool', bytes: 'int', model: 'string', serial: 'string', bus: 'string' },
}
const machine: CelType = {
  object: 'machine',
  fields: { disks: { list: disk }, dmi: { object: 'dmi', fields: { vendor: 'string', product: 'string' } } },
}
const environment = { variables: { machine, tags: { list: 'string' } as const }, functions: [] }
const bindings: Bindings = {
  tags: ['compute', 'rack-a'],
  machine: {
    disks: Array.from({ length: 6 }, (_, index) => ({
      rotational: index > 3,
      bytes: 960_197_124_096,
      model: 'MZ7',
      serial: `S${index}`,
      bus: 'sata',
    })),
    dmi: { vendor: 'Dell Inc.', product: 'PowerEdge R640' },
  },
}
const rules = [
  "machine.disks.filter(d, !d.rotational).size() >= 4 && machine.dmi.product.startsWith('PowerEdge')",
  "'compute' in tags",
  "machine.disks.exists(d, d.bytes > 900000000000 && d.bus == 'sata')",
  "machine.dmi.product.matches('^PowerEdge R[67]\\\\d0$')",
]

for (const rule of rules) {
  const { program, errors } = compile(rule, environment)
  if (program === undefined) throw new Error(errors[0]?.message)
  for (let turn = 0; turn < 100_000; turn++) evaluate(program, bindings)
  const turns = 300_000
  const start = process.hrtime.bigint()
  for (let turn = 0; turn < turns; turn++) evaluate(program, bindings)
  const nanos = Number(process.hrtime.bigint() - start) / turns
  const result = evaluate(program, bindings)
  console.log(`${(nanos / 1000).toFixed(2)} µs  ${rule}  → ${JSON.stringify(result)}`)
}
