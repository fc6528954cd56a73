import type { Json } from '../../schemas/shape.ts'
import type { Pointer, SourceDocument } from '../parse/document.ts'

/** Where an attribute can be set, from the weakest to the strongest. */
export const LAYERS = ['default', 'os', 'site', 'rule', 'deployment', 'role', 'nodes', 'node'] as const
export type LayerName = (typeof LAYERS)[number]

/** What one document says of one barclamp's attributes. */
export interface Layer {
  readonly name: LayerName
  /** The attributes, a map. */
  readonly value: Json
  readonly document: SourceDocument
  /** From a place in `value` to the place in the document. */
  readonly at: (pointer: Pointer) => Pointer
}

/** Where a value was set: `pointer` is into the layer's value. */
export interface Origin {
  readonly layer: Layer
  readonly pointer: Pointer
}

/** The place in its document at which an origin is. */
export function placeOfOrigin({ layer, pointer }: Origin): { readonly document: SourceDocument; readonly pointer: Pointer } {
  return { document: layer.document, pointer: layer.at(pointer) }
}

/** A layer whose value stands in its document just as it is. */
export function layerAt(name: LayerName, value: Json, { document, prefix }: { readonly document: SourceDocument; readonly prefix: Pointer }): Layer {
  return { name, value, document, at: (pointer) => [...prefix, ...pointer] }
}
