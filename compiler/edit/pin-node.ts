import { PIN_FIELDS } from '../bind/selector.ts'
import { layerOfField } from '../validate/site.ts'
import type { NodeLayer, SiteNode } from '../validate/site.ts'
import type { Splice } from './splice.ts'
import { mapText, scalarText, spanOf } from './yaml-text.ts'

export interface NewPin {
  readonly field: (typeof PIN_FIELDS)[number]
  readonly value: string
}

/**
 * Pins a node to a machine, where its machine is said now: in its document, in its cell of a table, or, when it shares
 * what is said with other nodes, in a document of its own that refines them.
 */
export function pinNode(node: SiteNode, pin: NewPin): Splice {
  const layer = layerOfField(node, ['machine'])
  const own = node.layers.findLast((each) => each.layer === 'node')
  if (layer !== undefined && layer === own) return inDocument(layer, pin)
  if (layer !== undefined && layer.source.path.endsWith('.csv')) {
    const cell = inTable(layer, pin)
    if (cell !== undefined) return cell
  }
  if (own !== undefined) return besideName(own, pin)
  const first = node.layers[0] as NodeLayer
  return ownDocument(first, node.name, pin)
}

function inDocument({ source, value }: NodeLayer, { field, value: text }: NewPin): Splice {
  const { path } = source
  const span = spanOf(source, ['machine']) as NonNullable<ReturnType<typeof spanOf>>
  const keys = Object.keys(value.machine ?? {})
  const [key] = keys
  const inner = key === undefined ? undefined : spanOf(source, ['machine', key])
  if (keys.length === 1 && inner !== undefined && inner.keyStart >= 0 && PIN_FIELDS.some((each) => each === key)) {
    const name = path.endsWith('.json') ? JSON.stringify(field) : field
    const quoted = source.source.text[inner.keyStart] === '"' || source.source.text[inner.keyStart] === "'" ? JSON.stringify(field) : name
    return { path, start: inner.keyStart, end: inner.end, text: `${quoted}: ${path.endsWith('.json') ? JSON.stringify(text) : scalarText(text)}` }
  }
  const flow = source.source.text[span.start] === '{'
  return { path, start: span.start, end: span.end, text: flow ? mapText({ [field]: text }, path) : `${field}: ${scalarText(text)}` }
}

/** Only where the row has this pin and no other word about its machine; a second pin would have to be right too. */
function inTable({ source, value }: NodeLayer, { field, value: text }: NewPin): Splice | undefined {
  const span = spanOf(source, ['machine', field])
  if (span === undefined || Object.keys(value.machine ?? {}).length !== 1) return undefined
  return { path: source.path, start: span.start, end: span.end, text: /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text }
}

function besideName({ source }: NodeLayer, { field, value }: NewPin): Splice {
  const { path } = source
  const name = spanOf(source, ['name']) as NonNullable<ReturnType<typeof spanOf>>
  const { text } = source.source
  const inFlow = text[source.positions.start[0] ?? 0] === '{'
  const key = path.endsWith('.json') ? '"machine"' : 'machine'
  const said = `${key}: ${mapText({ [field]: value }, path)}`
  if (inFlow) return { path, start: name.end, end: name.end, text: `, ${said}` }
  const indent = text.slice(text.lastIndexOf('\n', name.keyStart - 1) + 1, name.keyStart)
  const found = text.indexOf('\n', name.end)
  const at = found < 0 ? text.length : found
  return { path, start: at, end: at, text: `\n${/^\s*$/.test(indent) ? indent : ''}${said}` }
}

function ownDocument({ source }: NodeLayer, name: string, { field, value }: NewPin): Splice {
  // A table's row has no place for it; documents of its own stand beside the table.
  const path = /\.ya?ml$/.test(source.path) ? source.path : `${source.path.replace(/\.[^./]*$/, '')}-${name}.yaml`
  const text = path === source.path ? source.source.text : ''
  const head = text === '' ? '' : `${text.endsWith('\n') ? '' : '\n'}---\n`
  return { path, start: text.length, end: text.length, text: `${head}kind: node\nname: ${scalarText(name)}\nmachine: ${mapText({ [field]: value }, path)}\n` }
}
