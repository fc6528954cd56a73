import { expect, test } from 'vitest'
import { prettyJson } from '../../../compiler/print/pretty-json.ts'
import type { Json } from '../../../schemas/shape.ts'
import { expectGolden } from '../../builders/golden.ts'
import { compileTree, exampleTree, machine, success, withFiles } from '../compiling.ts'

const SEEN = { ...machine('m1', { macs: ['52:54:00:12:5d:01'] }), ...machine('m2', { macs: ['52:54:00:12:5d:02'] }), ...machine('m3', { macs: ['52:54:00:12:5d:03'] }) }

test('joined: the plan of three machines that are installed already writes no disk and stages nothing', () => {
  const { plan, diagnostics } = success(compileTree(withFiles(exampleTree('joined'), SEEN)))
  expect(diagnostics).toEqual([])
  expect([plan.complete, plan.artifacts, plan.steps.filter(step => step.destructive)]).toEqual([true, {}, []])
  expectGolden(prettyJson(plan as unknown as Json), new URL('../../../site-examples/joined/golden/plan-with-machines.json', import.meta.url))
})
