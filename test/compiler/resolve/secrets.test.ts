import { expect, test } from 'vitest'
import { readSecrets } from '../../../compiler/resolve/secrets.ts'
import { treeOf } from '../../../compiler/tree/tree.ts'
import type { Diagnostic } from '../../../schemas/diagnostic.ts'
import { secretFiles, secretFileText } from '../../builders/secrets.ts'

const read = (texts: Readonly<Record<string, string>>) => {
  const found: Diagnostic[] = []
  const index = readSecrets(treeOf(texts), (diagnostic) => void found.push(diagnostic))
  return { index, found, codes: found.map(({ code, range }) => `${code} ${range?.start.line}:${range?.start.column}`) }
}

test('no index, an empty one and one without entries are no secrets', () => {
  for (const texts of [{}, { 'secrets/index.yaml': '' }, { 'secrets/index.yaml': '# none yet\n' }, { 'secrets/index.yaml': '{}\n' }] as readonly Readonly<Record<string, string>>[]) expect([read(texts).index.size, read(texts).found]).toEqual([0, []])
})

test('the version is that of the index, whose file has to be there', () => {
  const { index, found } = read(secretFiles({ 'db/root': ['4-aa', '3-bb'], top: '1-cc' }))
  expect(found).toEqual([])
  expect([...index].map(([path, { version, previous }]) => [path, version, previous])).toEqual([['db/root', '4-aa', '3-bb'], ['top', '1-cc', null]])
})

test('an interrupted rotation is still the version that the index says', () => {
  const texts = { ...secretFiles({ a: '3-bb' }), 'secrets/a.age': secretFileText('a', '4-cc'), 'secrets/a@3-bb.age': secretFileText('a', '3-bb') }
  expect(read(texts).found).toEqual([])
})

test.each([
  ['no file', { 'secrets/index.yaml': 'a: { version: 1-aa }\n' }, 'SECRET_MISSING 1:4', 'secrets/a.age is not there'],
  ['another version in the file', { ...secretFiles({ a: '2-bb' }), 'secrets/index.yaml': 'a: { version: 1-aa }\n' }, 'SECRET_MISSING 1:4', 'holds a 2-bb'],
  ['the file of another secret', { ...secretFiles({ a: '1-aa' }), 'secrets/a.age': secretFileText('b', '1-aa') }, 'SECRET_MISSING 1:4', 'holds b 1-aa'],
  ['a file that is none of ours', { ...secretFiles({ a: '1-aa' }), 'secrets/a.age': 'hunter2' }, 'SECRET_MISSING 1:4', 'was not written by `crowbar secret`'],
  ['no former file', { ...secretFiles({ a: '2-aa' }), 'secrets/index.yaml': 'a: { version: 2-aa, previous: 1-bb }\n' }, 'SECRET_MISSING 1:4', 'secrets/a@1-bb.age is not there'],
  ['no mapping', { 'secrets/index.yaml': '- a\n' }, 'SECRET_INVALID 1:1', 'is a mapping'],
  ['no version', { 'secrets/index.yaml': 'a: {}\n' }, 'SECRET_INVALID 1:4', 'has no version'],
  ['a version that is none', { 'secrets/index.yaml': 'a: { version: "a b" }\n' }, 'SECRET_INVALID 1:4', 'has no version'],
  ['a field that is none', { 'secrets/index.yaml': 'a: { version: 1-aa, value: hunter2 }\n' }, 'SECRET_INVALID 1:4', 'has no field value'],
  ['a path that leads out', { 'secrets/index.yaml': '../a: { version: 1-aa }\n' }, 'SECRET_INVALID 1:7', '"../a" is no path'],
  ['a version twice', { 'secrets/index.yaml': 'a: { version: 1-aa, previous: 1-aa }\n' }, 'SECRET_INVALID 1:4', 'one version twice'],
] as const)('%s is one mistake at its line', (_, texts, code, summary) => {
  const { codes, found } = read(texts)
  expect(codes).toEqual([code])
  expect(found[0]?.summary).toContain(summary)
  expect(found[0]?.summary).not.toContain('hunter2')
})
