import { posix } from 'node:path'
import { byCodePoint } from '../../schemas/canonical.ts'
import type { Range, Report } from '../../schemas/diagnostic.ts'
import type { DocumentOf } from '../../schemas/documents/kinds.ts'
import { NAME } from '../../schemas/documents/words.ts'
import { isTemplate } from '../../schemas/expression.ts'
import { error } from '../diagnostics/diagnostic.ts'
import { rangeOf } from '../parse/document.ts'
import { readText } from '../parse/parse.ts'
import type { Tree } from '../tree/tree.ts'
import { suggest } from '../../schemas/cel/suggest.ts'
import { leadsOut } from './leads-out.ts'
import { expandRange } from './expand-names.ts'
import type { Located, NodeFields, NodeLayer, SiteNode } from './site.ts'
import { readTable } from './table.ts'
import type { TableRow } from './table.ts'

/** Nodes that a site may have. */
const MAX_NODES = 100_000

interface Building {
  /** The `nodes` document's layer and, above it, the row's. */
  readonly below: readonly NodeLayer[]
  readonly at: Range
}

/** Expands `nodes` documents and their tables, and lays `node` documents over them. By name, in code point order. */
export function collectNodes(
  many: readonly Located<DocumentOf<'nodes'>>[],
  single: readonly Located<DocumentOf<'node'>>[],
  { tree, report }: { readonly tree: Tree; readonly report: Report },
): ReadonlyMap<string, SiteNode> {
  const found = new Map<string, Building>()
  for (const document of many) {
    for (const [name, building] of expand(document, tree, report)) {
      const earlier = found.get(name)
      if (earlier === undefined) found.set(name, building)
      else report(twice(name, building.at, earlier.at))
      if (found.size > MAX_NODES) {
        report(error('NAME_RANGE', building.at, `The site has more than ${MAX_NODES} nodes.`))
        return new Map()
      }
    }
  }
  const nodes = new Map<string, SiteNode>([...found].map(([name, { below, at }]) => [name, nodeOf(name, below, at)]))
  const seen = new Map<string, Range>()
  for (const document of single) {
    const { name } = document.value
    const at = rangeOf(document.source, ['name'])
    const earlier = seen.get(name)
    if (earlier !== undefined) {
      report(twice(name, at, earlier))
      continue
    }
    seen.set(name, at)
    const below = found.get(name)
    const layer = layerOf('node', document)
    checkLabels(layer, report)
    nodes.set(name, nodeOf(name, [...(below?.below ?? []), layer], below?.at ?? at))
  }
  return new Map([...nodes].toSorted(([a], [b]) => byCodePoint(a, b)))
}

function expand(document: Located<DocumentOf<'nodes'>>, tree: Tree, report: Report): ReadonlyMap<string, Building> {
  const { name: range, table } = document.value
  const nodes = new Map<string, Building>()
  const layer = layerOf('nodes', document)
  checkLabels(layer, report)
  if (range === undefined && table === undefined) {
    report(error('FIELD_MISSING', rangeOf(document.source, ['kind']), 'A document of kind nodes needs a `name` with a range, or a `table`.', { fix: 'Add `name: web-[01-12]`, or use kind node for a single one.' }))
  }
  if (range !== undefined) {
    const at = rangeOf(document.source, ['name'])
    const expanded = expandRange(range)
    const wrong = 'problem' in expanded ? expanded.problem : expanded.names.filter((name) => !new RegExp(NAME).test(name)).map((name) => `${name} is no name of a node`)[0]
    if (wrong !== undefined) report(error('NAME_RANGE', at, `The range ${range} cannot be written out: ${wrong}.`, { fix: 'Write it like web-[01-12].' }))
    else if ('names' in expanded) for (const name of expanded.names) nodes.set(name, { below: [layer], at })
  }
  if (table === undefined) return nodes
  const seen = new Map<string, Range>()
  for (const row of rowsOf(document, table, { tree, report })) {
    const at = rangeOf(row.document, ['name'])
    const earlier = seen.get(row.name)
    if (earlier !== undefined) report(twice(row.name, at, earlier))
    else if (range !== undefined && !nodes.has(row.name)) {
      const related = [{ message: 'the range', range: rangeOf(document.source, ['name']) }]
      report(error('REFERENCE_UNKNOWN', at, `${row.name} is none of ${range}.`, { related, fix: 'Widen the range, or leave `name` out so that the table names the nodes.' }))
    } else {
      const above = rowLayer(row)
      checkLabels(above, report)
      nodes.set(row.name, { below: [layer, above], at: range === undefined ? at : rangeOf(document.source, ['name']) })
    }
    seen.set(row.name, at)
  }
  return nodes
}

function rowsOf(document: Located<DocumentOf<'nodes'>>, table: string, { tree, report }: { readonly tree: Tree; readonly report: Report }): readonly TableRow[] {
  const at = rangeOf(document.source, ['table'])
  const path = posix.normalize(posix.join(posix.dirname(document.source.path), table))
  if (leadsOut(posix.join(posix.dirname(document.source.path), table)) || table.startsWith('/')) {
    report(error('PATH_OUTSIDE', at, `The table ${table} lies outside of the repository.`, { fix: 'Copy it into the repository.' }))
    return []
  }
  if (!tree.files.has(path)) {
    const guess = suggest(path, [...tree.files.keys()].filter((other) => other.endsWith('.csv')))
    report(error('TABLE_MISSING', at, `There is no file ${path}.`, { fix: guess === undefined ? 'Name it relative to the folder of this document.' : `Did you mean ${guess}?` }))
    return []
  }
  const source = readText(tree, path, report)
  return source === undefined ? [] : readTable(source, report)
}

/** Labels are plain text; only a rule has a machine to read them from. */
function checkLabels({ value, source }: NodeLayer, report: Report): void {
  for (const [name, text] of Object.entries(value.labels ?? {})) {
    if (!isTemplate(text)) continue
    report(error('VALUE_INVALID', rangeOf(source, ['labels', name]), `The label ${name} of a node is plain text, and \`\${}\` in it would stay as it is.`, { fix: 'Write its value, or set the label in a rule, where `${machine…}` counts.' }))
  }
}

function layerOf(layer: NodeLayer['layer'], { value, source }: Located<DocumentOf<'node'>> | Located<DocumentOf<'nodes'>>): NodeLayer {
  const { kind: _kind, name: _name, table: _table, ...fields } = { table: undefined, ...value }
  return { layer, value: normal(fields), source }
}

function rowLayer({ document }: TableRow): NodeLayer {
  const { name: _name, ...fields } = document.value as NodeFields & { readonly name: string }
  return { layer: 'nodes', value: normal(fields), source: document }
}

/** MACs are written in lower case from here on. */
function normal(fields: NodeFields): NodeFields {
  const mac = fields.machine?.mac
  return mac === undefined ? fields : { ...fields, machine: { ...fields.machine, mac: mac.toLowerCase() } }
}

function nodeOf(name: string, layers: readonly NodeLayer[], at: Range): SiteNode {
  const [first, ...above] = layers as [NodeLayer, ...NodeLayer[]]
  return { name, value: withoutAttributes(above.reduce((below, { value }) => refine(below, value), first.value)), layers, at }
}

function withoutAttributes({ attributes: _attributes, ...fields }: NodeFields): Omit<NodeFields, 'attributes'> {
  return fields
}

/** Lays one layer over another: `labels`, `networks` and `bmc` key by key, everything else replaces. */
function refine(below: NodeFields, above: NodeFields): NodeFields {
  const merged: Record<string, unknown> = { ...below, ...above }
  for (const field of ['labels', 'networks', 'bmc'] as const) {
    if (below[field] !== undefined && above[field] !== undefined) merged[field] = merge(below[field], above[field])
  }
  return merged as NodeFields
}

function merge(below: unknown, above: unknown): unknown {
  if (!isMapping(below) || !isMapping(above)) return above
  const merged: Record<string, unknown> = { ...below }
  for (const [key, value] of Object.entries(above)) merged[key] = Object.hasOwn(below, key) ? merge(below[key], value) : value
  return merged
}

function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return value !== null && typeof value === 'object' && !Array.isArray(value)
}

function twice(name: string, at: Range, first: Range): ReturnType<typeof error> {
  return error('DUPLICATE_DOCUMENT', at, `There are two nodes named ${name}.`, { related: [{ message: 'first defined here', range: first }], fix: 'Rename one of them, or make it one document.' })
}
