import type { Range } from '../../schemas/diagnostic.ts'
import type { DocumentOf } from '../../schemas/documents/kinds.ts'
import type { InventoryDocument } from '../../schemas/inventory.ts'
import type { Lock } from '../../schemas/lock.ts'
import { rangeOf } from '../parse/document.ts'
import type { Pointer, SourceDocument } from '../parse/document.ts'

/** A checked value and the document that says it. */
export interface Located<T> {
  readonly value: T
  readonly source: SourceDocument
}

/** What may be said of a node, whoever says it: the fields of `node` without `kind`. */
export type NodeFields = Omit<DocumentOf<'node'>, 'kind' | 'name'>

/** One voice about a node. `nodes` without a table: its fields; a row of a table: its cells; `node`: its fields. */
export interface NodeLayer {
  readonly layer: 'nodes' | 'node'
  readonly value: NodeFields
  /** Pointers into `value` are pointers into this document: provenance is `rangeOf(layer.source, pointer)`. */
  readonly source: SourceDocument
}

/** One node, with everything that is said of it. */
export interface SiteNode {
  readonly name: string
  /**
   * What all layers say together, except attributes, which `inject` merges. `labels`, `networks` and `bmc` are merged
   * key by key; of everything else, `machine` included, the highest layer's word counts.
   */
  readonly value: Omit<NodeFields, 'attributes'>
  /** Low to high: `nodes` document, row of its table, `node` document. At least one. */
  readonly layers: readonly NodeLayer[]
  /** The name where it was first given. */
  readonly at: Range
}

/** Every document of the site, checked one by one, not yet against each other. Maps are in code point order of name. */
export interface Site {
  readonly site: Located<DocumentOf<'site'>>
  /** By name; ranges and tables expanded. */
  readonly nodes: ReadonlyMap<string, SiteNode>
  readonly machines: readonly Located<DocumentOf<'machine'>>[]
  /** By machine id. */
  readonly inventory: ReadonlyMap<string, Located<InventoryDocument>>
  readonly networks: ReadonlyMap<string, Located<DocumentOf<'network'>>>
  readonly conduits: ReadonlyMap<string, Located<DocumentOf<'conduit'>>>
  readonly rules: ReadonlyMap<string, Located<DocumentOf<'rule'>>>
  readonly hardware: ReadonlyMap<string, Located<DocumentOf<'hardware'>>>
  readonly systems: ReadonlyMap<string, Located<DocumentOf<'os'>>>
  readonly sources: ReadonlyMap<string, Located<DocumentOf<'source'>>>
  readonly deployments: ReadonlyMap<string, Located<DocumentOf<'deployment'>>>
  readonly operations: ReadonlyMap<string, Located<DocumentOf<'operation'>>>
  readonly policies: ReadonlyMap<string, Located<DocumentOf<'policy'>>>
  /** For rehearsals; no plan depends on them. */
  readonly racks: ReadonlyMap<string, Located<DocumentOf<'rack'>>>
  /** By the node that each is about. */
  readonly agents: ReadonlyMap<string, Located<DocumentOf<'agent'>>>
  /** By path of the barclamp.yaml. Which of them count is decided by `site.barclamps`. */
  readonly barclamps: ReadonlyMap<string, Located<DocumentOf<'barclamp'>>>
  /** null: there is no lock yet. */
  readonly lock: Located<Lock> | null
}

/** The place of a node's field in the highest layer that says it; of the node's name when none does. */
export function rangeOfField(node: SiteNode, pointer: Pointer, what: 'key' | 'value' = 'value'): Range {
  const layer = layerOfField(node, pointer)
  return layer === undefined ? node.at : rangeOf(layer.source, pointer, what)
}

/** The highest layer that says a field. */
export function layerOfField(node: SiteNode, pointer: Pointer): NodeLayer | undefined {
  return node.layers.findLast((layer) => {
    let at: unknown = layer.value
    for (const key of pointer) {
      if (at === null || typeof at !== 'object' || !Object.hasOwn(at, key)) return false
      at = (at as Readonly<Record<string | number, unknown>>)[key]
    }
    return true
  })
}
