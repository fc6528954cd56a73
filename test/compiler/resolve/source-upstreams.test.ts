import { expect, test } from 'vitest'
import { compileTexts } from '../compiling.ts'

const diagnosed = (source: string): string[] => compileTexts({ 'sources.yaml': `kind: source\nname: one\n${source}` }).diagnostics.map(({ code, range, summary }) => `${code} ${String(range?.start.line)} ${summary}`)

test('an upstream is one that its type can have', () => {
  expect(diagnosed('type: npm\nupstream: https://npm.example.com/\n')).toEqual([])
  expect(diagnosed('type: apt\nupstream: system\nsuites: [bookworm]\n')).toEqual([])
  expect(diagnosed('type: git\nupstream: [ssh://git.example.com/a.git, "git://git.example.com/a.git"]\n')).toEqual([])
  expect(diagnosed('type: pypi\nupstream: system\n')).toEqual(['VALUE_INVALID 4 `system` is what apt of the admin node is configured to use, and one is of type pypi.'])
  expect(diagnosed('type: file\nupstream:\n  - https://example.com/f\n  - ssh://example.com/f\n')).toEqual(['VALUE_INVALID 6 one is of type file, and nothing but git is had by ssh.'])
})
