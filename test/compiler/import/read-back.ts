import { expect } from 'vitest'
import { importFiles } from '../../../compiler/import/import.ts'
import type { Imported } from '../../../compiler/import/import.ts'
import { pointerText } from '../../../compiler/import/fields.ts'
import { sourceText } from '../../../compiler/parse/document.ts'
import { parseYaml } from '../../../compiler/parse/yaml.ts'
import type { Json } from '../../../schemas/shape.ts'

export type Values = Readonly<Record<string, Json>>

/** Imports texts by their path; a failure is a bug of the test. */
export function imported(format: string, texts: Readonly<Record<string, string | Uint8Array>>, network?: string): Imported {
  const files = Object.entries(texts).map(([path, text]) => ({ path, bytes: typeof text === 'string' ? new TextEncoder().encode(text) : text }))
  const result = importFiles(format, files, { network })
  if (result === undefined) throw new TypeError(`no format ${format}`)
  return result
}

export function textsOf({ files }: Imported): Readonly<Record<string, string>> {
  return Object.fromEntries(files.map(({ path, text }) => [path, text]))
}

export function documentsOf(result: Imported): readonly Values[] {
  return result.files.filter(({ path }) => path.endsWith('.yaml')).flatMap(({ path, text }) => (parseYaml(sourceText(path, text), (found) => expect(found).toBeUndefined()) ?? []).map(({ value }) => value as Values))
}

/** What an imported site says of each node, by the name that the other tool has for it. */
export interface NodeSaid {
  readonly groups: readonly string[]
  readonly values: Values
  readonly fields: Values
}

/** Reads the documents again, without the compiler: layers of a node in their order, from deployment to node. */
export function nodesOf(result: Imported, barclamp: string): Readonly<Record<string, NodeSaid>> {
  const documents = documentsOf(result)
  const of = (document: Values | undefined): Values => ((document?.['attributes'] as Values | undefined)?.[barclamp] ?? {}) as Values
  const common = of(documents.find(({ kind }) => kind === 'deployment'))
  const nodes = new Map<string, { groups: readonly string[]; values: Values; fields: Values }>()
  for (const document of documents.filter(({ kind }) => kind === 'nodes')) {
    const [header = [], ...rows] = (textsOf(result)[document['table'] as string] ?? '').trimEnd().split('\n').map(cells)
    for (const row of rows) {
      const fields = Object.fromEntries(header.map((column, i) => [column, row[i] ?? '']))
      nodes.set(fields['name'] ?? '', { groups: (document['tags'] ?? []) as string[], values: { ...common, ...of(document) }, fields })
    }
  }
  for (const document of documents.filter(({ kind }) => kind === 'node')) {
    const name = document['name'] as string
    const before = nodes.get(name) ?? { groups: (document['tags'] ?? []) as string[], values: common, fields: flat(document) }
    nodes.set(name, { ...before, values: { ...before.values, ...of(document) } })
  }
  return Object.fromEntries([...nodes].map(([name, said]) => [(said.fields['labels.imported-name'] ?? '') as string || name, { ...said, values: unescaped(said.values) as Values }]))
}

function cells(line: string): readonly string[] {
  return [...line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)].map(([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain ?? '')
}

function flat(document: Values): Values {
  return Object.fromEntries(['machine', 'labels'].flatMap((key) => Object.entries(document[key] ?? {}).map(([name, value]) => [`${key}.${name}`, value as Json]))
    .concat(Object.entries(document['networks'] ?? {}).map(([name, value]) => [`networks.${name}.address`, (value as Values)['address'] as Json])))
}

function unescaped(value: Json): Json {
  if (typeof value === 'string') return value.replaceAll('$${', () => '${')
  if (value === null || typeof value !== 'object') return value
  if (Array.isArray(value)) return (value as readonly Json[]).map(unescaped)
  return Object.fromEntries(Object.entries(value).map(([key, child]) => [key, unescaped(child)]))
}

/** `PATH#POINTER` of every scalar (or empty list or map) of a value. */
export function leavesOf(path: string, value: Json, pointer: readonly (string | number)[] = []): readonly string[] {
  if (value === null || typeof value !== 'object' || Object.keys(value).length === 0) return [`${path}#${pointerText(pointer)}`]
  return Object.entries(value).flatMap(([key, child]) => leavesOf(path, child as Json, [...pointer, key]))
}

/** Every leaf of the input has one line in the report, and no line is about anything else. */
export function expectWhole(result: Imported, leaves: readonly string[]): void {
  expect(result.report.map(({ file, pointer }) => `${file}#${pointerText(pointer)}`).toSorted()).toEqual(leaves.toSorted())
}

export function refusals({ report }: Imported): readonly string[] {
  return report.filter(({ fate }) => fate === 'refused').map(({ file, range, note }) => `${file}:${range.start.line}:${range.start.column} ${note}`)
}
