import { foldNames } from '../print/fold-names.ts'
import type { Pointer, SourceDocument } from '../parse/document.ts'
import { expandNames } from '../validate/expand-names.ts'
import type { Site, SiteNode } from '../validate/site.ts'
import { removeDocument } from './remove-document.ts'
import type { Splice } from './splice.ts'
import { scalarText, spanOf } from './yaml-text.ts'

/**
 * Takes a node out of a site: its document, its place in a range or its row of a table, and its name wherever a
 * deployment or an operation lists it.
 *
 * @returns what is in the way, as a sentence.
 */
export function releaseNode(node: SiteNode, site: Site): readonly Splice[] | string {
  const splices: Splice[] = []
  for (const { source, layer } of node.layers) {
    if (layer === 'node') splices.push(removeDocument(source))
    else if (source.path.endsWith('.csv')) splices.push(removeRow(source))
    else {
      const range = (source.value as { readonly name?: string }).name
      if (range === undefined) continue
      const edited = withoutName(range, node.name)
      if (edited === undefined) return `the range ${range} cannot be written without ${node.name}`
      splices.push(edited === null ? removeDocument(source) : replace(source, ['name'], edited))
    }
  }
  for (const [kind, documents] of [['deployment', site.deployments], ['operation', site.operations]] as const) {
    for (const { value, source } of documents.values()) {
      const lists: (readonly [Pointer, readonly string[]])[] = 'roles' in value ? Object.entries(value.roles).map(([role, { nodes }]) => [['roles', role, 'nodes'], nodes ?? []] as const) : [[['nodes'], value.nodes ?? []]]
      for (const [pointer, names] of lists) {
        const edited = removeFromList(source, pointer, { names, node: node.name })
        if (typeof edited === 'string') return `the ${kind} ${value.name} lists ${edited}, which cannot be written without ${node.name}`
        splices.push(...edited)
      }
    }
  }
  return splices
}

/** A range without one of its names; null: nothing is left; undefined: no range says it. */
function withoutName(range: string, name: string): string | null | undefined {
  const left = (expandNames(range) ?? [range]).filter((each) => each !== name)
  if (left.length === 0) return null
  const folded = foldNames(left)
  const again = expandNames(folded)
  // What is folded has another order than what a person wrote, where brackets are several.
  return again !== undefined && again.length === left.length && left.every((each, i) => again[i] === each) ? folded : undefined
}

function replace(source: SourceDocument, pointer: Pointer, text: string): Splice {
  const { start, end } = spanOf(source, pointer) as NonNullable<ReturnType<typeof spanOf>>
  return { path: source.path, start, end, text: scalarText(text) }
}

function removeRow({ path, source, positions }: SourceDocument): Splice {
  const { text } = source
  const start = text.lastIndexOf('\n', (positions.start[0] ?? 0) - 1) + 1
  const end = text.indexOf('\n', positions.end[0] ?? 0)
  return { path, start, end: end < 0 ? text.length : end + 1, text: '' }
}

function removeFromList(source: SourceDocument, pointer: Pointer, { names, node }: { readonly names: readonly string[]; readonly node: string }): readonly Splice[] | string {
  const { text } = source.source
  const kept: string[] = []
  const splices: Splice[] = []
  let changed = false
  for (const [i, name] of names.entries()) {
    const span = spanOf(source, [...pointer, i]) as NonNullable<ReturnType<typeof spanOf>>
    if (!(expandNames(name) ?? [name]).includes(node)) {
      kept.push(text.slice(span.start, span.end))
      continue
    }
    changed = true
    const edited = withoutName(name, node)
    if (edited === undefined) return name
    if (edited !== null) {
      kept.push(scalarText(edited))
      splices.push(replace(source, [...pointer, i], edited))
    } else {
      const start = text.lastIndexOf('\n', span.start - 1) + 1
      const end = text.indexOf('\n', span.end)
      splices.push({ path: source.path, start, end: end < 0 ? text.length : end + 1, text: '' })
    }
  }
  if (!changed) return []
  const list = spanOf(source, pointer) as NonNullable<ReturnType<typeof spanOf>>
  return text[list.start] === '[' ? [{ path: source.path, start: list.start, end: list.end, text: `[${kept.join(', ')}]` }] : splices
}
