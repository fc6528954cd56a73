import type { Report } from '../../schemas/diagnostic.ts'
import type { Json } from '../../schemas/shape.ts'
import type { BoundNode, BoundRole, BoundSite } from '../bind/bound-site.ts'
import type { SourceDocument } from '../parse/document.ts'
import type { ResolvedBarclamp, ResolvedDeployment } from '../resolve/resolved-site.ts'
import { layerAt } from './layer.ts'
import type { Layer, LayerName } from './layer.ts'
import { mergeLayer } from './merge.ts'
import type { Merged } from './merge.ts'
import { compileSchema } from './schema.ts'
import type { AttributeSchema } from './schema.ts'

export interface StackQuestion {
  readonly barclamp: ResolvedBarclamp
  readonly node: BoundNode | null
  readonly deployment: ResolvedDeployment | null
  readonly role: BoundRole | null
}

interface Branch {
  readonly merged: Merged | undefined
  readonly next: Map<Layer, Branch>
}

/**
 * Finds the layers of attributes and merges them. The same layers are merged once, however many nodes have them.
 * Owned by one run of inject.
 */
export class LayerStack {
  readonly #bound: BoundSite
  readonly #report: Report
  readonly #schemas = new Map<string, AttributeSchema>()
  readonly #layers = new Map<object, Layer>()
  readonly #root: Branch = { merged: undefined, next: new Map() }
  readonly #empty = new Map<string, Merged>()

  constructor(bound: BoundSite, report: Report) {
    this.#bound = bound
    this.#report = report
  }

  schema(barclamp: ResolvedBarclamp): AttributeSchema {
    let schema = this.#schemas.get(barclamp.name)
    if (schema === undefined) {
      schema = compileSchema(barclamp, this.#report)
      this.#schemas.set(barclamp.name, schema)
    }
    return schema
  }

  /** The layers that say anything, from the weakest to the strongest. */
  layers({ barclamp, node, deployment, role }: StackQuestion): readonly Layer[] {
    const { site } = this.#bound.resolved
    const found: Layer[] = []
    const { defaults } = this.schema(barclamp)
    if (defaults !== null) found.push(defaults)
    const add = (name: LayerName, attributes: { readonly [key: string]: Json } | undefined, place: { readonly document: SourceDocument; readonly prefix: readonly string[] }, key = barclamp.name): void => {
      const value = attributes !== undefined && Object.hasOwn(attributes, key) ? attributes[key] : undefined
      if (value !== undefined && value !== null && typeof value === 'object') found.push(this.#layer(name, value, { ...place, prefix: [...place.prefix, key] }))
    }
    const os = node?.os?.value
    const { osAttributes } = barclamp.document.value
    if (os !== undefined) {
      add('os', osAttributes, { document: barclamp.document.source, prefix: ['osAttributes'] }, os.family)
      if (os.name !== os.family) add('os', osAttributes, { document: barclamp.document.source, prefix: ['osAttributes'] }, os.name)
    }
    add('site', site.site.value.attributes, { document: site.site.source, prefix: ['attributes'] })
    for (const rule of node?.rules.toReversed() ?? []) add('rule', rule.value.set.attributes, { document: rule.source, prefix: ['set', 'attributes'] })
    if (deployment !== null) {
      const { value, source } = deployment.document
      add('deployment', value.attributes, { document: source, prefix: ['attributes'] })
      if (role !== null) add('role', role.binding.attributes, { document: source, prefix: ['roles', role.role.name, 'attributes'] })
    }
    for (const layer of node?.site.layers ?? []) add(layer.layer, layer.value.attributes, { document: layer.source, prefix: ['attributes'] })
    return found
  }

  merged(question: StackQuestion): Merged {
    let branch = this.#root
    for (const layer of this.layers(question)) {
      let next = branch.next.get(layer)
      if (next === undefined) {
        next = { merged: mergeLayer(branch.merged, layer, this.#report), next: new Map() }
        branch.next.set(layer, next)
      }
      branch = next
    }
    return branch.merged ?? this.#emptyOf(question.barclamp)
  }

  #layer(name: LayerName, value: object, place: { readonly document: SourceDocument; readonly prefix: readonly string[] }): Layer {
    let layer = this.#layers.get(value)
    if (layer === undefined) {
      layer = layerAt(name, value as Json, place)
      this.#layers.set(value, layer)
    }
    return layer
  }

  #emptyOf(barclamp: ResolvedBarclamp): Merged {
    let empty = this.#empty.get(barclamp.name)
    if (empty === undefined) {
      const layer: Layer = { name: 'default', value: {}, document: barclamp.document.source, at: () => ['attributes'] }
      empty = { kind: 'map', entries: new Map(), origin: { layer, pointer: [] }, plain: {} }
      this.#empty.set(barclamp.name, empty)
    }
    return empty
  }
}
