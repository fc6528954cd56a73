import { expect, test } from 'vitest'
import { compile } from '../../../compiler/compile.ts'
import type { Compiled } from '../../../compiler/compile.ts'
import { readBuiltin } from '../../../compiler/cli/session.ts'
import type { GitAnswer, GitQuestion } from '../../../compiler/resolve/git-source.ts'
import { treeOf } from '../../../compiler/tree/tree.ts'
import { codes, SITE, stepOf, success } from '../compiling.ts'
import type { Texts } from '../compiling.ts'

const COMMIT = 'a'.repeat(40)
const ROLE: Texts = { 'tasks/main.yml': '- debug: {}\n', 'README.md': 'for people\n', '.github/ci.yml': 'x\n', 'kind.yaml': 'kind: node\nname: no-node-of-ours\n' }

/** A site whose barclamp r takes files from elsewhere. */
function site(upstream: string, more: Texts = {}, answer: (question: GitQuestion) => GitAnswer = ({ commit }) => ({ kind: 'found', commit: commit ?? COMMIT, tree: treeOf(ROLE), diagnostics: [] })): Compiled {
  const tree = treeOf({
    'site.yaml': SITE, 'n.yaml': 'kind: node\nname: n1\nos: debian-12\nmachine: { serial: s }\n---\nkind: deployment\nname: d\nroles: { r: { nodes: [n1] } }\n',
    'barclamps/r/barclamp.yaml': `kind: barclamp\nname: r\nversion: 1.0.0\nupstream:\n  roles/theirs: ${upstream}\nroles:\n  r: { jig: ansible, run: playbook.yml }\n`, 'barclamps/r/playbook.yml': '- hosts: all\n  roles: [theirs]\n', ...more,
  })
  return compile({ tree, builtin: readBuiltin(), gitTrees: answer, crowbar: '0.0.0' })
}

test('what a barclamp takes from elsewhere is among its files, unchanged, at the commit that the lock has from then on', () => {
  const asked: GitQuestion[] = []
  const { plan, lock } = success(site('{ git: "https://git.example.com/theirs.git", ref: v1 }', {}, (question) => {
    asked.push(question)
    return { kind: 'found', commit: COMMIT, tree: treeOf(ROLE), diagnostics: [] }
  }))
  const files = plan.contents[stepOf(plan, 'd/r@n1').content as string] ?? {}
  expect(Object.keys(files)).toEqual(['barclamp.yaml', 'playbook.yml', 'roles/theirs/README.md', 'roles/theirs/kind.yaml', 'roles/theirs/tasks/main.yml'])
  expect(asked).toEqual([{ url: 'https://git.example.com/theirs.git', ref: 'v1', commit: null, within: '' }])
  expect(lock.barclamps).toEqual({ 'https://git.example.com/theirs.git v1': COMMIT })
})

test('another commit of it runs the role again', () => {
  const other = ({ commit }: GitQuestion): GitAnswer => ({ kind: 'found', commit: commit ?? COMMIT, tree: treeOf({ ...ROLE, 'tasks/main.yml': '- fail: {}\n' }), diagnostics: [] })
  const upstream = `{ git: "/theirs", ref: ${COMMIT} }`
  expect(stepOf(success(site(upstream, {}, other)).plan, 'd/r@n1').digest).not.toBe(stepOf(success(site(upstream)).plan, 'd/r@n1').digest)
})

test('what cannot be taken is told where the barclamp asks for it', () => {
  const upstream = '{ git: "/theirs", ref: v1 }'
  expect(codes(site(upstream, {}, () => ({ kind: 'unpinned' })))).toEqual(['BARCLAMP_UNPINNED barclamps/r/barclamp.yaml:5:40'])
  expect(codes(site(upstream, {}, () => ({ kind: 'unreachable', message: 'gone', fix: 'look' })))).toEqual(['BARCLAMP_UNREACHABLE barclamps/r/barclamp.yaml:5:24'])
  expect(codes(site(upstream, { 'barclamps/r/roles/theirs/tasks/own.yml': 'x\n' }))).toEqual(['VALUE_INVALID barclamps/r/barclamp.yaml:5:3'])
  expect(codes(site('{ git: "/theirs", ref: v1, path: nowhere }'))).toEqual(['REFERENCE_UNKNOWN barclamps/r/barclamp.yaml:5:50'])
  expect(codes(site('{ git: "ext::sh", ref: "a b" }'))).toEqual(['VALUE_INVALID barclamps/r/barclamp.yaml:5:24', 'VALUE_INVALID barclamps/r/barclamp.yaml:5:40'])
  expect(codes(site('{ git: "/theirs", ref: v1 }\n  ../up: { git: "/theirs", ref: v1 }'))).toEqual([expect.stringContaining('barclamps/r/barclamp.yaml:6:3')])
})
