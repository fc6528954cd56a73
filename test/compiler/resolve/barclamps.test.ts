import { describe, expect, test } from 'vitest'
import { compile } from '../../../compiler/compile.ts'
import type { Compiled } from '../../../compiler/compile.ts'
import { readBuiltin } from '../../../compiler/cli/session.ts'
import { treeOf } from '../../../compiler/tree/tree.ts'
import type { TreeFile } from '../../../compiler/tree/tree.ts'
import { codes, compiled, compileTexts, SITE, stepOf } from '../compiling.ts'
import type { Texts } from '../compiling.ts'

const barclamp = (name: string, more = '', version = '1.2.0'): Texts => ({ [`barclamps/${name}/barclamp.yaml`]: `kind: barclamp\nname: ${name}\nversion: ${version}\n${more}` })

describe('requires', () => {
  test('a barclamp that is missing or has another version is told with both places', () => {
    const result = compileTexts({ ...barclamp('a', 'requires: [b, "c >=2", "d", "c ^1.1"]\n'), ...barclamp('c') })
    expect(codes(result)).toEqual(['REFERENCE_UNKNOWN barclamps/a/barclamp.yaml:4:12', 'BARCLAMP_VERSION barclamps/a/barclamp.yaml:4:15', 'REFERENCE_UNKNOWN barclamps/a/barclamp.yaml:4:24'])
    expect(result.diagnostics.map(({ related }) => related.map(({ range }) => `${range.path}:${range.start.line}`))).toEqual([['site.yaml:5'], ['barclamps/c/barclamp.yaml:3'], ['site.yaml:5']])
  })

  test('two may require each other, and what is no requirement is said', () => {
    expect(codes(compileTexts({ ...barclamp('a', 'requires: [b]\n'), ...barclamp('b', 'requires: ["a ^1"]\n') }))).toEqual([])
    expect(codes(compileTexts(barclamp('a', 'requires: ["a ~> 1"]\n')))).toEqual(['VALUE_INVALID barclamps/a/barclamp.yaml:4:12'])
  })
})

describe('two barclamps of one name', () => {
  const COMMIT = 'a'.repeat(40)
  const fromGit = (texts: Texts, sources: string): Compiled => compile({
    tree: treeOf({ 'site.yaml': SITE.replace('[builtin, { path: barclamps }]', sources), ...texts }),
    builtin: readBuiltin(),
    gitTrees: ({ url }) => ({ kind: 'found', commit: COMMIT, tree: treeOf({ 'debian/barclamp.yaml': `kind: barclamp\nname: debian\nversion: 9.0.0\ndescription: ${url}\n` }), diagnostics: [] }),
    crowbar: '0.0.0',
  })
  const git = (url: string, more = ''): string => `{ git: "https://git.example.com/${url}", ref: ${COMMIT}${more} }`

  test('one from git does not stand in for a builtin one unasked', () => {
    const place = (url: string): string => `BARCLAMP_DUPLICATE https://git.example.com/${url}@${COMMIT}:debian/barclamp.yaml:2:7`
    expect(codes(fromGit({}, `[builtin, ${git('a')}]`))).toEqual([place('a')])
    expect(codes(fromGit({}, `[${git('a', ', replaces: [debian]')}, builtin]`))).toEqual([])
    expect(codes(fromGit({}, `[${git('a')}, ${git('b')}]`))).toEqual([place('b')])
    expect(codes(fromGit({}, `[builtin, ${git('a', ', replaces: [debian, redhat]')}]`))).toEqual(['REFERENCE_UNKNOWN site.yaml:5:124'])
  })

  test('a role of a builtin barclamp gives way to one of the site', () => {
    const result = fromGit({ ...barclamp('clock', 'roles: { ntp-server: { description: Ours } }\n'), 'd.yaml': 'kind: deployment\nname: d\nroles: { ntp-server: { nodes: [adm] } }\n' }, '[builtin, { path: barclamps }]')
    expect(codes(result)).toEqual([])
    expect(result.plan?.steps.filter(({ role }) => role === 'ntp-server').map((step) => step.barclamp)).toEqual(['clock'])
  })

  test('one of a folder of the site stands in for any', () => {
    const result = fromGit(barclamp('debian', '', '8.0.0'), `[{ path: barclamps }, ${git('a', ', replaces: [debian]')}, builtin]`)
    expect(result.plan === null ? codes(result) : result.ordered.injected.allocated.bound.resolved.barclamps.get('debian')?.document.value.version).toBe('8.0.0')
  })
})

describe('a repository that is too large', () => {
  const large = (files: Readonly<Record<string, number>>): Compiled => compile({
    tree: treeOf({ 'site.yaml': SITE.replace('[builtin, { path: barclamps }]', `[builtin, { git: "/b", ref: ${'a'.repeat(40)} }]`) }),
    builtin: readBuiltin(),
    gitTrees: ({ commit }) => ({
      kind: 'found',
      commit: commit ?? '',
      tree: { commit, files: new Map<string, TreeFile>([...treeOf({ 'b/barclamp.yaml': 'kind: barclamp\nname: b\nversion: 1.0.0\n' }).files, ...Object.entries(files).map(([path, size]) => [path, { mode: '0644' as const, size, bytes: () => { throw new Error(`${path} is read`) } }] as const)]) },
      diagnostics: [],
    }),
    crowbar: '0.0.0',
  })
  const MIB = 1024 * 1024

  test('is refused before any of it is read, and what is not of a barclamp does not count', () => {
    expect(codes(large({ 'b/big': 65 * MIB }))).toEqual(['FILE_TOO_LARGE site.yaml:5:29'])
    expect(codes(large(Object.fromEntries([1, 2, 3, 4, 5].map((i) => [`b/${i}`, 60 * MIB]))))).toEqual(['FILE_TOO_LARGE site.yaml:5:29'])
    expect(codes(large({ 'elsewhere/big': 900 * MIB }))).toEqual([])
  })
})

describe('files of barclamps', () => {
  const site = (more: Texts): Texts => ({ 'n.yaml': 'kind: node\nname: n1\nos: debian-12\nmachine: { serial: s }\n---\nkind: deployment\nname: d\nroles: { r: { nodes: [n1] } }\n', 'barclamps/r/run.sh': '#!/bin/sh\n', ...more })
  const ROLE = barclamp('r', 'roles:\n  r: { jig: script, run: run.sh, requires: [shared] }\n')
  const LIBRARY = barclamp('tools', 'roles:\n  shared: { flags: [library] }\n')

  test('what is for people is not sent, so that an edit of it runs nothing again', () => {
    const plain = site(barclamp('r', 'roles:\n  r: { jig: script, run: run.sh }\n'))
    const before = stepOf(compiled(plain).plan, 'd/r@n1')
    const after = stepOf(compiled({ ...plain, 'barclamps/r/README.md': 'r', 'barclamps/r/tests/one.yaml': 'name: x\n', 'barclamps/r/.gitignore': '*~' }).plan, 'd/r@n1')
    expect(after.digest).toBe(before.digest)
  })

  test('who requires a library has its files, and runs again when they change', () => {
    const files = site({ ...ROLE, ...LIBRARY, 'barclamps/tools/lib.sh': 'x=1\n' })
    const { plan } = compiled(files)
    const step = stepOf(plan, 'd/r@n1')
    expect(Object.keys(plan.contents[step.content as string] ?? {})).toEqual(['barclamp.yaml', 'libraries/tools/barclamp.yaml', 'libraries/tools/lib.sh', 'run.sh'])
    expect(plan.steps.some(({ role }) => role === 'shared')).toBe(false)
    expect(stepOf(compiled({ ...files, 'barclamps/tools/lib.sh': 'x=2\n' }).plan, 'd/r@n1').digest).not.toBe(step.digest)
  })

  test('a library is bound to nothing', () => {
    const files = site({ ...ROLE, ...LIBRARY, 'e.yaml': 'kind: deployment\nname: e\nroles: { shared: { nodes: [n1] } }\n' })
    expect(codes(compileTexts(files))).toEqual(['ROLE_LIBRARY e.yaml:3:10'])
  })
})
