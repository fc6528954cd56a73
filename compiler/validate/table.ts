import type { Report } from '../../schemas/diagnostic.ts'
import { nodesShape } from '../../schemas/documents/node.ts'
import { NAME } from '../../schemas/documents/words.ts'
import type { Json, JsonSchema } from '../../schemas/shape.ts'
import { error } from '../diagnostics/diagnostic.ts'
import { parseCsv } from '../parse/csv.ts'
import type { Cell } from '../parse/csv.ts'
import { rangeBetween } from '../parse/document.ts'
import type { SourceDocument, SourceText } from '../parse/document.ts'
import { resolvePlain } from '../parse/scalar.ts'
import { checkValue } from './check-value.ts'
import { suggest } from '../../schemas/cel/suggest.ts'
import { describeSchema } from './words.ts'

const { kind: _kind, table: _table, ...FIELDS } = nodesShape.json['properties'] as Readonly<Record<string, JsonSchema>>
const ROW: JsonSchema = { ...nodesShape.json, properties: { ...FIELDS, name: { type: 'string', pattern: NAME } }, required: ['name'] }

interface Column {
  readonly path: readonly string[]
  readonly schema: JsonSchema
  readonly header: Cell
}

/** One row of a table: the node that it is about, and what it says of it as a document of its own. */
export interface TableRow {
  readonly name: string
  /** `value` holds `name` beside the fields. */
  readonly document: SourceDocument
}

/**
 * Reads a table of nodes. Headers are field paths; empty cells say nothing; lists are split at `;`; what no schema types
 * (attributes) is read as a plain YAML scalar. Errors point into the table.
 */
export function readTable(source: SourceText, report: Report): readonly TableRow[] {
  const cells = parseCsv(source, report)
  if (cells === undefined) return []
  const [headers, ...rows] = cells
  if (headers === undefined) {
    report(error('CSV_SYNTAX', rangeBetween(source, 0, 0), 'The table is empty.', { fix: 'Begin it with a line of headers such as name,machine.serial,labels.rack.' }))
    return []
  }
  const columns = headers.map((header, index) => columnOf(header, headers.slice(0, index), { source, report }))
  if (!columns.some((column) => column?.path.join('.') === 'name')) {
    const header = headers[0] as Cell
    report(error('FIELD_MISSING', rangeBetween(source, header.start, header.end), 'The table has no column `name`, so nothing says which nodes its rows are about.'))
    return []
  }
  return rows.flatMap((row, index) => rowOf(row, columns, { source, index, report }) ?? [])
}

function columnOf(header: Cell, before: readonly Cell[], { source, report }: { readonly source: SourceText; readonly report: Report }): Column | undefined {
  const range = rangeBetween(source, header.start, header.end)
  const text = header.text.trim()
  const twin = before.find((other) => other.text.trim() === text)
  if (twin !== undefined) {
    const related = [{ message: 'first given here', range: rangeBetween(source, twin.start, twin.end) }]
    report(error('DUPLICATE_KEY', range, `The column \`${text}\` is given twice.`, { related, fix: 'Keep one of them.' }))
    return undefined
  }
  const found = schemaAt(ROW, text.split('.'))
  if ('schema' in found && isCell(found.schema)) return { path: found.path, schema: found.schema, header }
  if ('schema' in found) {
    report(error('FIELD_UNKNOWN', range, `A cell cannot hold \`${text}\`, which is ${describeSchema(found.schema)}.`, { fix: 'Name a field inside it.' }))
    return undefined
  }
  const guess = suggest(found.unknown, found.known)
  const fix = guess === undefined ? `Known here: ${found.known.join(', ')}.` : `Did you mean \`${guess}\`?`
  report(error('FIELD_UNKNOWN', range, `A node has no field \`${text}\`.`, { fix }))
  return undefined
}

function schemaAt(
  schema: JsonSchema,
  names: readonly string[],
): { readonly schema: JsonSchema; readonly path: readonly string[] } | { readonly unknown: string; readonly known: readonly string[] } {
  let at = schema
  const path: string[] = []
  for (const [index, name] of names.entries()) {
    const properties = at['properties'] as Readonly<Record<string, JsonSchema>> | undefined
    const others = at['additionalProperties'] as JsonSchema | false | undefined
    if (properties !== undefined && Object.hasOwn(properties, name)) at = properties[name] as JsonSchema
    else if (others === false || name === '' || at['type'] !== 'object') return { unknown: name, known: Object.keys(properties ?? {}) }
    else if (others?.['type'] === 'string') return { schema: others, path: [...path, names.slice(index).join('.')] }
    else at = others ?? (index === names.length - 1 ? {} : { type: 'object' })
    path.push(name)
  }
  return { schema: at, path }
}

function isCell(schema: JsonSchema): boolean {
  const alternatives = schema['anyOf'] as readonly JsonSchema[] | undefined
  if (alternatives !== undefined) return alternatives.some(isCell)
  return schema['type'] !== 'object'
}

type Building = { [key: string]: Json | Building }

function rowOf(
  row: readonly Cell[],
  columns: readonly (Column | undefined)[],
  { source, index, report }: { readonly source: SourceText; readonly index: number; readonly report: Report },
): TableRow | undefined {
  const first = row[0] as Cell
  const last = row.at(-1) as Cell
  if (row.length > columns.length) {
    const extra = row[columns.length] as Cell
    report(error('CSV_SYNTAX', rangeBetween(source, extra.start, last.end), `This row has ${row.length} cells, the headers name ${columns.length}.`, { fix: 'Quote a cell that holds a comma.' }))
    return undefined
  }
  const value: Building = {}
  const cells: { readonly column: Column; readonly cell: Cell }[] = []
  for (const [at, cell] of row.entries()) {
    const column = columns[at]
    if (column === undefined || cell.text.trim() === '') continue
    put(value, column.path, cellValue(column.schema, cell.text))
    cells.push({ column, cell })
  }
  const document: SourceDocument = { path: source.path, index, value: value as Json, source, positions: positionsOf(cells, first.start, last.end) }
  const complaints = checkValue(ROW, document.value, 'a node')
  for (const { code, pointer, summary, fix } of complaints) {
    const culprit = cells.find(({ column }) => column.path.every((name, at) => pointer[at] === name || at >= pointer.length))?.cell ?? first
    const at = pointer.length === 0 ? first : culprit
    report(error(code, rangeBetween(source, at.start, Math.max(at.end, at.start + 1)), summary, { fix }))
  }
  return complaints.length > 0 ? undefined : { name: value['name'] as string, document }
}

function put(into: Building, path: readonly string[], value: Json): void {
  let at = into
  for (const name of path.slice(0, -1)) {
    if (!Object.hasOwn(at, name)) Object.defineProperty(at, name, { value: {}, enumerable: true, writable: true, configurable: true })
    at = at[name] as Building
  }
  Object.defineProperty(at, path.at(-1) as string, { value, enumerable: true, writable: true, configurable: true })
}

function cellValue(schema: JsonSchema, raw: string): Json {
  const text = raw.trim()
  const type = schema['type'] ?? ((schema['anyOf'] ?? []) as readonly JsonSchema[]).find((alternative) => alternative['type'] === 'string')?.['type']
  if (type === 'array') return text.split(';').map((item) => item.trim()).filter((item) => item !== '')
  if (type === 'boolean' && /^(?:true|false)$/.test(text)) return text === 'true'
  if (type === 'integer' && /^-?[0-9]{1,15}$/.test(text)) return Number(text)
  if (type !== undefined || schema['enum'] !== undefined || schema['const'] !== undefined) return text
  const resolved = resolvePlain(text)
  return 'value' in resolved ? resolved.value : text
}

/** The places of a row: a value is its cell, its key the header of the column. */
function positionsOf(cells: readonly { readonly column: Column; readonly cell: Cell }[], start: number, end: number): SourceDocument['positions'] {
  const positions = { start: [start], end: [end], key: [null] as (string | null)[], keyStart: [-1], keyEnd: [-1], next: [1] }
  const walk = (entries: typeof cells, depth: number, parent: number): void => {
    for (const [name, inside] of Map.groupBy(entries, ({ column }) => column.path[depth] as string)) {
      const [{ column, cell }] = inside as [(typeof cells)[number]]
      const entry = positions.start.push(cell.start) - 1
      positions.end.push((inside.at(-1) as (typeof cells)[number]).cell.end)
      positions.key.push(name)
      positions.keyStart.push(column.header.start)
      positions.keyEnd.push(column.header.end)
      positions.next.push(entry + 1)
      if (column.path.length > depth + 1) walk(inside, depth + 1, entry)
      positions.next[entry] = positions.start.length
    }
    positions.next[parent] = positions.start.length
  }
  walk(cells, 0, 0)
  return positions
}
