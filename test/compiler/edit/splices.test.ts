import { describe, expect, test } from 'vitest'
import { pinNode } from '../../../compiler/edit/pin-node.ts'
import { removeDocument } from '../../../compiler/edit/remove-document.ts'
import { applySplices } from '../../../compiler/edit/splice.ts'
import { scalarText } from '../../../compiler/edit/yaml-text.ts'
import { sourceText } from '../../../compiler/parse/document.ts'
import type { SourceDocument } from '../../../compiler/parse/document.ts'
import { parseYaml } from '../../../compiler/parse/yaml.ts'
import type { NodeFields, SiteNode } from '../../../compiler/validate/site.ts'
import fc from '../../property.ts'

const documents = (text: string, path = 'a.yaml'): readonly SourceDocument[] => parseYaml(sourceText(path, text), (found) => expect(found).toBeUndefined()) ?? []
const values = (text: string) => documents(text).map(({ value }) => value)

describe('taking a document out of a file', () => {
  const style = fc.constantFrom<(i: number) => string>(
    (i) => `kind: node\nname: n${i}\n`,
    (i) => `# above\nkind: node # beside\nname: n${i}\n# below\n`,
    (i) => `{ kind: node, name: n${i} }\n`,
    (i) => `kind: node\nname: n${i}\nattributes:\n  text: |\n    --- no mark\n    ...\n`,
    (i) => `kind: node\nname: n${i}\nlabels: { a: "---" }\n\n`,
  )
  const mark = fc.constantFrom('---\n', '--- \n', '--- # mark\n', '---\r\n')

  test('leaves every other document as it was, whatever they look like', () => {
    fc.assert(fc.property(fc.array(fc.tuple(style, mark), { minLength: 1, maxLength: 4 }), fc.boolean(), fc.uniqueArray(fc.nat(3), { minLength: 1, maxLength: 2 }), (parts, marked, which) => {
      const text = parts.map(([write, begin], i) => (i > 0 || marked ? begin : '# about the file\n\n') + write(i)).join('')
      const all = documents(text)
      expect(all).toHaveLength(parts.length)
      const gone = new Set(which.map((i) => all[i % parts.length] as SourceDocument))
      const after = applySplices([...gone].map(removeDocument), () => text).get('a.yaml')
      if (parts.length === 1) expect(after).toBeNull()
      else expect(values(after as string)).toEqual(all.filter((each) => !gone.has(each)).map(({ value }) => value))
      if (!marked && parts.length > 1) expect(after).toContain('# about the file')
    }), { numRuns: 300 })
  })

  test('also where a document stands on the line of its mark', () => {
    const text = '--- { kind: a }\n--- { kind: b }\n--- { kind: c }\n'
    for (const [i, left] of ['--- { kind: b }\n--- { kind: c }\n', '--- { kind: a }\n--- { kind: c }\n', '--- { kind: a }\n--- { kind: b }\n'].entries()) {
      expect(applySplices([removeDocument(documents(text)[i] as SourceDocument)], () => text).get('a.yaml')).toBe(left)
    }
    const first = '{ kind: a }\n--- { kind: b }\n'
    expect(values(applySplices([removeDocument(documents(first)[0] as SourceDocument)], () => first).get('a.yaml') as string)).toEqual([{ kind: 'b' }])
  })
})

describe('pinning a node', () => {
  const node = (text: string, path: string): SiteNode => {
    const [source] = documents(text, path) as [SourceDocument]
    const { machine } = source.value as NodeFields
    return { name: 'a', value: machine === undefined ? {} : { machine }, layers: [{ layer: 'node', value: machine === undefined ? {} : { machine }, source }], at: { path, start: { line: 1, column: 1 }, end: { line: 1, column: 1 } } }
  }

  test.each<[string, string, string?]>([
    ['in brackets', 'kind: node\nname: a\nmachine: { mac: "52:54:00:00:00:01" } # rack\nos: x\n'],
    ['as a block', 'kind: node\nname: a\nmachine:\n  serial: old # rack\nos: x\n'],
    ['as a block of several fields', 'kind: node\nname: a\nmachine:\n  tags: [x]\n  where: "true"\nos: x\n'],
    ['with quoted keys', 'kind: node\nname: a\n"machine": { "serial": "old" }\nos: x\n'],
    ['over lines', 'kind: node\nname: a\nmachine: {\n  serial: old\n  }\nos: x\n'],
    ['nowhere yet', 'kind: node\nname: a # who\nos: x\n'],
    ['nowhere yet, at the end', 'kind: node\nos: x\nname: a'],
    ['nowhere yet, in one line', '{ kind: node, name: a, os: x }\n'],
    ['in JSON', '{\n  "kind": "node",\n  "name": "a",\n  "machine": { "serial": "old" },\n  "os": "x"\n}\n', 'a.json'],
    ['nowhere yet, in JSON', '{"kind": "node", "name": "a", "os": "x"}', 'a.json'],
  ])('that is pinned %s changes its machine and nothing else', (_, text, path = 'a.yaml') => {
    for (const [field, value] of [['serial', '4XK2'], ['serial', '007'], ['serial', 'true'], ['serial', 'a "b" #c: d'], ['mac', '52:54:00:00:00:02']] as const) {
      const after = applySplices([pinNode(node(text, path), { field, value })], () => text).get(path) as string
      expect(values(after)).toEqual([{ kind: 'node', name: 'a', os: 'x', machine: { [field]: value } }])
      for (const comment of ['# who', '# rack']) expect(after.includes(comment)).toBe(text.includes(comment))
      if (path.endsWith('.json')) expect(JSON.parse(after)).toMatchObject({ machine: { [field]: value } })
    }
  })

  test('text is written such that it reads as text', () => {
    fc.assert(fc.property(fc.oneof(fc.string({ unit: 'grapheme-ascii' }), fc.constantFrom('1', '0x1', 'null', '~', 'yes', '-', '1.5', '.inf', '2026-01-01', '*a', '&a', '!a', 'a: b', 'a #b', '')), (text) => {
      expect(values(`v: ${scalarText(text)}\n`)).toEqual([{ v: text }])
    }))
  })
})
