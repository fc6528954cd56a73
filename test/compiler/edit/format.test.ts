import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { formatYaml } from '../../../compiler/edit/format.ts'
import { chooseDocuments } from '../../../compiler/parse/choose.ts'
import { sourceText } from '../../../compiler/parse/document.ts'
import { parseYaml } from '../../../compiler/parse/yaml.ts'
import { readFolder } from '../../../compiler/tree/folder.ts'
import fc from '../../property.ts'

const format = (text: string): string => {
  const formatted = formatYaml('a.yaml', text)
  if ('problem' in formatted) throw new Error(formatted.problem)
  return formatted.text
}

describe('fmt', () => {
  test('keeps anchors, and the aliases that say them again', () => {
    expect(format('kind: deployment\nroles:\n  a: &all\n    nodes: [n1]\n  b: *all\nname: d\n')).toBe('kind: deployment\nname: d\nroles:\n  a: &all\n    nodes: [n1]\n  b: *all\n')
  })

  test('orders the fields that the formats list, at every depth, and takes comments along', () => {
    expect(format(`# about the file

os: debian-12   # which
# the name
name: db1
kind: node
machine: {serial: "4XK2"}
networks:
    storage: {range: host, address: 10.0.0.9}
    admin: {
       range: host, # here
       }
---
kind:   hardware
disks:
  z: { onInstall: wipe, choose: {count: 1, bus: nvme} }
  a: { onInstall: keep, choose: {} }
name: h
`)).toBe(`# about the file

kind: node
# the name
name: db1
machine: { serial: "4XK2" }
os: debian-12 # which
networks:
  storage: { address: 10.0.0.9, range: host }
  admin:
    range: host
    # here
---
kind: hardware
name: h
disks:
  z: { choose: { bus: nvme, count: 1 }, onInstall: wipe }
  a: { choose: {}, onInstall: keep }
`)
  })

  test('keeps blocks, quotes and the order of what an author names', () => {
    const text = `kind: deployment
name: d
roles:
  z: { nodes: [b, a] }
  a:
    where: 'x'
    attributes: { z: 1, a: "2" }

# why
attributes:
  b:
    motd: |
      two
        lines
    empty:
`
    expect(format(text)).toBe(text)
  })

  test('writes a document of one line beside its mark, and long text folded', () => {
    expect(format(`kind: os\nname: a\n---\n{name: b,   kind: os}\n---\nkind: barclamp\nname: c\ndescription: "${'words that go on and on '.repeat(4)}\n  and on to here"\n`)).toBe(`kind: os
name: a
--- { kind: os, name: b }
---
kind: barclamp
name: c
description: >-
  words that go on and on words that go on and on words that go on and on words that go on and on
  and on to here
`)
  })

  test.each<[string, string, string]>([
    ['broken YAML', 'kind: node\n  name: x\n', 'line 2'],
    ['a key twice', 'kind: node\nname: a\nname: b\n', 'line 3'],
    ['an alias that would come before its anchor', 'os: &x debian-12\nkind: node\nname: *x\n', 'the anchor must be set before the alias'],
  ])('leaves alone: %s', (_, text, problem) => {
    expect(formatYaml('a.yaml', text)).toEqual({ problem: expect.stringMatching(new RegExp(problem, 'i')) as string })
  })

  test('reads CR LF and a byte order mark, and writes neither', () => {
    expect(format('\uFEFFname: x\r\nkind: os # c\r\n')).toBe('kind: os # c\nname: x\n')
  })

  test('keeps every example and builtin barclamp as it means, comments included, and is done after one time', () => {
    for (const folder of ['site-examples', 'barclamps']) {
      const root = fileURLToPath(new URL(`../../../${folder}`, import.meta.url))
      for (const path of chooseDocuments(readFolder(root, () => {})).documents.filter((each) => each.endsWith('.yaml'))) {
        const text = readFileSync(join(root, path), 'utf8')
        const formatted = formatYaml(path, text)
        expect([path, 'problem' in formatted ? formatted.problem : undefined]).toEqual([path, undefined])
        if ('text' in formatted) expect(format(formatted.text)).toBe(formatted.text)
      }
    }
  })

  const scalar = fc.constantFrom('a', '"b c"', "'d # e'", '12', '1.50', 'true', 'null', '~', '0x1f', '"${node.name}"', 'x: y'.replace(': ', '-'), '|\n$      lit\n$        more', '>\n$      fold\n$      ed', '[a,  b]', '{x: 1,y: [2, 3]}', '"long\n$      text"', '')
  const field = fc.tuple(fc.constantFrom('name', 'os', 'tags', 'labels', 'machine', 'attributes', 'zz', 'networks'), scalar, fc.constantFrom('', ' # beside'), fc.constantFrom('', '# above\n', '\n', '\n# apart\n\n'))
  const document = fc.uniqueArray(field, { selector: ([key]) => key, maxLength: 8 }).map((fields) => {
    const lines = fields.map(([key, value, beside, above]) => `${above}${key}: ${value.replaceAll('$      ', '  ')}${value.includes('\n') ? '' : beside}\n`)
    return [...lines.slice(0, 2), 'kind: node\n', ...lines.slice(2)].join('')
  })

  test('whatever is written: the same meaning, the same comments, and nothing more to do', () => {
    let done = 0
    fc.assert(fc.property(fc.array(document, { minLength: 1, maxLength: 3 }), (documents) => {
      const text = documents.join('---\n')
      const formatted = formatYaml('a.yaml', text)
      if ('problem' in formatted) return
      done++
      const values = (each: string) => parseYaml(sourceText('a.yaml', each), () => {})?.map(({ value }) => value)
      expect(values(formatted.text)).toEqual(values(text))
      expect(format(formatted.text)).toBe(formatted.text)
      const comments = (each: string) => (each.match(/# (?:above|beside|apart)/g) ?? []).toSorted()
      expect(comments(formatted.text)).toEqual(comments(text))
    }), { numRuns: 300 })
    expect(done).toBeGreaterThan(200)
  })
})
