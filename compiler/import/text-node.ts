import type { Json } from '../../schemas/shape.ts'
import type { Positions, SourceDocument, SourceText } from '../parse/document.ts'

/** A value and where it stands, as readers of formats other than YAML build it. Offsets are UTF-16 units. */
export interface TextNode {
  readonly start: number
  end: number
  /** Of its key; -1 where it has none. */
  readonly keyStart: number
  readonly keyEnd: number
  readonly content: { readonly kind: 'map'; readonly entries: Map<string, TextNode> } | { readonly kind: 'list'; readonly items: TextNode[] } | { readonly kind: 'value'; readonly value: Json }
}

export type Span = Pick<TextNode, 'start' | 'end' | 'keyStart' | 'keyEnd'>

export function mapNode(span: Span): TextNode & { readonly content: { readonly kind: 'map'; readonly entries: Map<string, TextNode> } } {
  return { ...span, content: { kind: 'map', entries: new Map() } }
}

/** A value whose parts all stand where it stands. */
export function valueNode(value: Json, span: Span): TextNode {
  if (value === null || typeof value !== 'object') return { ...span, content: { kind: 'value', value } }
  if (Array.isArray(value)) return { ...span, content: { kind: 'list', items: (value as readonly Json[]).map((item) => valueNode(item, { ...span, keyStart: -1, keyEnd: -1 })) } }
  return { ...span, content: { kind: 'map', entries: new Map(Object.entries(value).map(([key, child]) => [key, valueNode(child, span)])) } }
}

/** The document that a tree of nodes is, with the places of all of it. */
export function documentOf(root: TextNode, source: SourceText): SourceDocument {
  const positions: { -readonly [K in keyof Positions]: Positions[K][number][] } = { start: [], end: [], key: [], keyStart: [], keyEnd: [], next: [] }
  const write = (node: TextNode, key: string | number | null): Json => {
    const entry = positions.next.push(0) - 1
    positions.start.push(node.start)
    positions.end.push(node.end)
    positions.key.push(key)
    positions.keyStart.push(node.keyStart)
    positions.keyEnd.push(node.keyEnd)
    const { content } = node
    const value: Json = content.kind === 'value' ? content.value
      : content.kind === 'list' ? content.items.map((item, i) => write(item, i))
        : Object.fromEntries([...content.entries].map(([name, child]) => [name, write(child, name)]))
    positions.next[entry] = positions.next.length
    return value
  }
  return { path: source.path, index: 0, value: write(root, null), source, positions }
}
