import { readdirSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { Compiled } from '../../../compiler/compile.ts'
import { readBuiltin } from '../../../compiler/cli/session.ts'
import { explain } from '../../../compiler/explain/explain.ts'
import type { ExplainedValue } from '../../../compiler/explain/explain.ts'
import type { LayerVoice } from '../../../compiler/explain/provenance.ts'
import { placeOf } from '../../../compiler/parse/document.ts'
import type { Tree } from '../../../compiler/tree/tree.ts'
import { treeOf } from '../../../compiler/tree/tree.ts'
import type { Json } from '../../../schemas/shape.ts'
import { stepDocument } from '../../../schemas/step-values.ts'
import { compileTree, exampleTree, stepOf, success, withFiles } from '../compiling.ts'
import { SEEN_MACHINES } from '../seen-machines.ts'
import { disagreement } from './disagreement.ts'
import { EVERY_LAYER } from './every-layer.ts'

const EXAMPLES = readdirSync(new URL('../../../site-examples', import.meta.url)).toSorted()
const BUILTIN = readBuiltin()

interface Case {
  readonly id: string
  readonly explained: ExplainedValue
  readonly planned: Json | undefined
}

/** Files as they lie in the site, in this installation, or in the repository that a barclamp came from. */
function sourcesOf(tree: Tree, result: Compiled): (path: string) => string {
  const barclamps = new Map([...success(result).ordered.injected.allocated.bound.resolved.barclamps.values()].map(({ document, files }) => [document.source.path, files.get('barclamp.yaml')?.content]))
  const texts = new Map<string, string>()
  return (path) => {
    const text = texts.get(path) ?? new TextDecoder().decode((tree.files.get(path) ?? BUILTIN.files.get(path))?.bytes() ?? barclamps.get(path))
    texts.set(path, text)
    return text
  }
}

/** Everything that explain says of all nodes, beside what the plan has at the same place. */
function* casesOf(result: Compiled): Generator<Case> {
  const { ordered, plan } = success(result)
  for (const node of Object.keys(plan.nodes)) {
    const answer = explain(ordered.injected, { node })
    if (!('roles' in answer)) throw new Error(answer.problem)
    for (const { id, values } of answer.roles) {
      const document = stepDocument(stepOf(plan, id), plan.values)
      if (document === null) continue
      for (const explained of values) yield { id, explained, planned: at(document as unknown as Json, explained.pointer) }
    }
  }
}

function at(value: Json, pointer: readonly (string | number)[]): Json | undefined {
  return pointer.reduce<Json | undefined>((inside, key) => (inside as Readonly<Record<string | number, Json>> | undefined)?.[key], value)
}

/** Leaves of all documents of role steps, counted without the help of explain. */
function leavesInPlan(result: Compiled): number {
  const { plan } = success(result)
  const count = (value: Json): number => (value === null || typeof value !== 'object' || Object.keys(value).length === 0 || 'deferred' in value ? 1 : Object.values(value).reduce<number>((sum, item) => sum + count(item as Json), 0))
  let leaves = 0
  for (const step of plan.steps) {
    if (step.kind !== 'role') continue
    for (const part of Object.values(stepDocument(step, plan.values) ?? {})) if (Object.keys(part as object).length > 0) leaves += count(part as Json)
  }
  return leaves
}

function problems(result: Compiled, tree: Tree): readonly string[] {
  const source = sourcesOf(tree, result)
  let leaves = 0
  const found: string[] = []
  for (const { id, explained, planned } of casesOf(result)) {
    leaves++
    const problem = disagreement(explained, planned, source)
    if (problem !== undefined) found.push(`${id} ${explained.path}: ${problem}`)
  }
  expect(leaves).toBe(leavesInPlan(result))
  return found
}

describe('explain says of every leaf what the plan has and where the source says it', () => {
  test.each(EXAMPLES)('%s', (name) => {
    const tree = exampleTree(name)
    expect(problems(compileTree(tree), tree)).toEqual([])
    const seen = withFiles(tree, SEEN_MACHINES[name] ?? {})
    expect(problems(compileTree(seen), seen)).toEqual([])
  })

  test('every layer, however it is written', () => {
    const tree = treeOf(EVERY_LAYER)
    const result = compileTree(tree)
    expect(problems(result, tree)).toEqual([])
    const layers = new Set([...casesOf(result)].flatMap(({ explained }) => explained.layers.filter(({ wins }) => wins).map(({ layer }) => layer)))
    expect([...layers].toSorted()).toEqual(['default', 'deployment', 'node', 'nodes', 'os', 'provide', 'role', 'rule', 'site', 'want'])
  })
})

test('a wrong provenance is noticed, whatever is wrong with it', () => {
  const tree = treeOf(EVERY_LAYER)
  const result = compileTree(tree)
  const source = sourcesOf(tree, result)
  let tried = 0
  for (const { explained, planned } of casesOf(result)) {
    const index = explained.layers.findIndex(({ wins }) => wins)
    const above = explained.layers.slice(0, index)
    const [winner, loser, ...below] = explained.layers.slice(index)
    if (winner === undefined) throw new Error('no layer')
    const { range } = winner
    const instead = (voice: Partial<LayerVoice>): ExplainedValue => ({ ...explained, layers: [...above, { ...winner, ...voice }, ...explained.layers.slice(index + 1)] })
    const shifted = (lines: number, columns: number) => ({ ...range, start: { line: range.start.line + lines, column: range.start.column + columns }, end: { line: range.end.line + lines, column: range.end.column + columns } })
    const mutants: [string, ExplainedValue][] = [
      ['another value', { ...explained, value: 'mutant' }],
      ['nobody wins', instead({ wins: false })],
      ['a line further', instead({ range: shifted(1, 0) })],
      ['two columns further', instead({ range: shifted(0, 2) })],
      ['other words', instead({ value: 'mutant' })],
    ]
    if (loser !== undefined) {
      const wins = { ...loser, wins: true }
      mutants.push(['the loser wins', { ...explained, layers: [...above, { ...winner, wins: false }, wins, ...below] }])
      mutants.push(['the winner left out', { ...explained, layers: [...above, wins, ...below] }])
    }
    for (const [what, mutant] of mutants) {
      tried++
      expect([what, explained.path, placeOf(range), disagreement(mutant, planned, source) === undefined]).toEqual([what, explained.path, placeOf(range), false])
    }
  }
  expect(tried).toBeGreaterThan(100)
})
