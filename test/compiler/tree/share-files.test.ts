import { expect, test } from 'vitest'
import { compile } from '../../../compiler/compile.ts'
import { readBuiltin } from '../../../compiler/cli/session.ts'
import { shareFiles, treeOf } from '../../../compiler/tree/tree.ts'
import type { Tree, TreeFile } from '../../../compiler/tree/tree.ts'
import { canonical } from '../../../schemas/canonical.ts'
import type { Json } from '../../../schemas/shape.ts'
import { exampleTree, withFiles } from '../compiling.ts'

const compiled = (tree: Tree): string => {
  const { plan, diagnostics } = compile({ tree, builtin: readBuiltin(), gitTrees: () => ({ kind: 'unpinned' }), crowbar: '0.0.0' })
  return canonical({ plan, diagnostics } as unknown as Json)
}
/** The same files, of which nothing is known yet. */
const fresh = (tree: Tree): Tree => ({ commit: tree.commit, files: new Map([...tree.files].map(([path, file]) => [path, { ...file }])) })

test('files of the same path, mode and content become one, all others stay', () => {
  const before = treeOf({ 'a.yaml': 'x', 'b.yaml': 'x', 'c.yaml': 'x', 'large.bin': 'x'.repeat(2 * 1024 * 1024) })
  const after = treeOf({ 'a.yaml': 'x', 'b.yaml': 'y', 'd.yaml': 'x', 'large.bin': 'x'.repeat(2 * 1024 * 1024) }, 'c0ffee')
  const shared = shareFiles(after, before)
  expect([shared.commit, [...shared.files.keys()]]).toEqual(['c0ffee', ['a.yaml', 'b.yaml', 'd.yaml', 'large.bin']])
  expect([...shared.files].map(([path, file]) => file === before.files.get(path))).toEqual([true, false, false, false])
  const executable = { commit: null, files: new Map<string, TreeFile>([...after.files].map(([path, file]) => [path, { ...file, mode: '0755' }])) }
  expect(shareFiles(executable, before).files).toEqual(executable.files)
})

test('blobs are compared by their ids, and not read', () => {
  const blob = (id: string): Tree => ({ commit: null, files: new Map([['a.yaml', { mode: '0644', size: 1, id, bytes: () => { throw new Error('it is read') } }]]) })
  const before = blob('1')
  expect(shareFiles(blob('1'), before).files.get('a.yaml')).toBe(before.files.get('a.yaml'))
  const other = blob('2')
  expect(shareFiles(other, before).files.get('a.yaml')).toBe(other.files.get('a.yaml'))
})

const EDITS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  nothing: {},
  'an attribute': { 'more.yaml': 'kind: policy\nname: p\nlevel: warn\ncheck: "true"\nmessage: m\n' },
  'something wrong': { 'more.yaml': 'kind: node\nname: db9\nmachin: {}\n' },
  'a syntax error': { 'more.yaml': 'kind: [\n' },
}

test.each(Object.entries(EDITS))('a compilation after another one says the same as by itself: %s', (_, edit) => {
  for (const broken of [{}, { 'warned.yaml': 'kind: node\nname: x\nname: y\n' }]) {
    const before = withFiles(exampleTree('austin'), broken)
    const after = withFiles(before, edit)
    const alone = compiled(fresh(after))
    compiled(before)
    expect(compiled(shareFiles(fresh(after), before))).toBe(alone)
  }
})

test('one file at two paths is two documents', () => {
  const file = treeOf({ x: 'kind: node\nname: twice\nadmin: true\n' }).files.get('x') as TreeFile
  const tree = (...paths: readonly string[]): Tree => ({ commit: null, files: new Map([...exampleTree('first-light').files, ...paths.map((path) => [path, file] as const)]) })
  const both = compiled(tree('one.yaml', 'two.yaml'))
  expect(both).toContain('"path":"two.yaml"')
  expect(compiled(tree('two.yaml'))).not.toContain('one.yaml')
  expect(compiled(tree('one.yaml', 'two.yaml'))).toBe(both)
})
