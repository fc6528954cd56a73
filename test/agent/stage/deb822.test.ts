import { expect, test } from 'vitest'
import { parseStanzas } from '../../../agent/stage/deb822.ts'

test('stanzas are separated by blank lines and comments are skipped', () => {
  const stanzas = parseStanzas('# a comment\nPackage: a\nVersion: 1:2.0-1\n\n \nPackage: b\n# inside\nStatus: install ok installed\n')
  expect(stanzas.map(stanza => Object.fromEntries(stanza))).toEqual([
    { Package: 'a', Version: '1:2.0-1' }, { Package: 'b', Status: 'install ok installed' },
  ])
})

test('continuation lines are joined, and a lone dot is an empty line', () => {
  const [stanza] = parseStanzas('Description: short\n first\n .\n  indented\nSize: 4')
  expect(stanza?.get('Description')).toBe('short\nfirst\n\n indented')
  expect(stanza?.get('Size')).toBe('4')
})

test('lines that are no fields are skipped', () => {
  expect(parseStanzas('nonsense\n: no name\n orphan\n')).toEqual([])
})
