import { tests } from '@bufbuild/cel-spec/testdata/conformance.js'
import { expect, test } from 'vitest'
import { runCase } from './conformance-case.ts'
import type { ConformanceTest } from './conformance-case.ts'

interface Suite {
  readonly name: string
  readonly suites?: readonly Suite[]
  readonly tests?: readonly { readonly original: ConformanceTest }[]
}

/** The files of the language itself; the others are extensions. */
const CORE: ReadonlySet<string> = new Set([
  'basic',
  'comparisons',
  'conversions',
  'fields',
  'fp_math',
  'integer_math',
  'lists',
  'logic',
  'macros',
  'namespace',
  'parse',
  'plumbing',
  'string',
  'timestamps',
  'type_deductions',
])

/** Files that are about protobuf from end to end, and one about an optimizer's notation. */
const PROTOBUF_FILES: ReadonlySet<string> = new Set(['dynamic', 'enums', 'proto2', 'proto3', 'proto2_ext', 'wrappers'])
const PROTOBUF = /TestAllTypes|NestedTestAllTypes|proto[23]\.|google\.protobuf\.(?!Timestamp|Duration)|GlobalEnum/

function skipReason(file: string, original: ConformanceTest): string | undefined {
  if (file === 'block_ext') return 'cel.block is the notation of an optimizer'
  const { container, ...rest } = original
  if (PROTOBUF_FILES.has(file) || PROTOBUF.test(JSON.stringify(rest))) return 'needs protobuf messages'
  if (file === 'namespace' && container !== undefined) return 'needs a container'
  if (/get\w+\('[A-Z][a-z]+\/|get\w+\('US\//.test(original.expr)) return 'named time zones are refused'
  return undefined
}

function* cases(suite: Suite, path: string): Generator<{ readonly id: string; readonly original: ConformanceTest }> {
  for (const { original } of suite.tests ?? []) yield { id: `${path}/${original.name}`, original }
  for (const inner of suite.suites ?? []) yield* cases(inner, `${path}/${inner.name}`)
}

interface Score {
  passed: number
  run: number
  readonly failures: string[]
}

test('the conformance data of the specification passes, all of it that needs no protobuf', () => {
  const scores: Record<'core' | 'extensions', Score> = {
    core: { passed: 0, run: 0, failures: [] },
    extensions: { passed: 0, run: 0, failures: [] },
  }
  const skipped: Record<string, number> = {}
  for (const file of (tests as Suite).suites ?? []) {
    const score = scores[CORE.has(file.name) ? 'core' : 'extensions']
    for (const { id, original } of cases(file, file.name)) {
      const reason = skipReason(file.name, original)
      if (reason !== undefined) {
        skipped[reason] = (skipped[reason] ?? 0) + 1
        continue
      }
      score.run++
      const seen = runCase(original)
      if (seen === undefined) score.passed++
      else score.failures.push(`${id}: ${original.expr} → ${seen}`)
    }
  }
  const { core, extensions } = scores
  const why = Object.entries(skipped)
    .map(([reason, count]) => `${count} (${reason})`)
    .join(', ')
  console.log(
    `CEL conformance: core ${core.passed}/${core.run}, extensions ${extensions.passed}/${extensions.run}, skipped ${why}`,
  )
  expect([...core.failures, ...extensions.failures]).toEqual([])
  expect({ core: core.passed, extensions: extensions.passed }).toEqual({ core: 1100, extensions: 519 })
})
