import type { Json } from '../../../schemas/shape.ts'
import type { BoundSite } from '../../bind/bound-site.ts'
import type { Generate } from '../../inject/secret.ts'
import { placeOf, rangeOf } from '../../parse/document.ts'
import type { Pointer, SourceDocument } from '../../parse/document.ts'

/** A place of the site that uses a secret. */
export interface SecretUser {
  /** A role in use, as `deployment/role`; null: attributes, what a role provides, a BMC. */
  readonly role: string | null
  /** file:line:column */
  readonly at: string
  readonly previous: boolean
  /** Set where a want says how to make it. */
  readonly generate: Generate | null
}

/** Who uses which secret, by path, as it is written: whether an attribute counts for some node is not asked. */
export function secretUses({ resolved, roles }: BoundSite): ReadonlyMap<string, readonly SecretUser[]> {
  const uses = new Map<string, SecretUser[]>()
  const add = (path: string, user: SecretUser): void => void uses.set(path, [...(uses.get(path) ?? []), user])
  for (const { key, role, external } of roles.values()) {
    if (external !== null) continue
    for (const [name, { secret, previous = false, generate = null }] of Object.entries(role.declaration.wants ?? {})) {
      if (secret !== undefined) add(secret, { role: key, at: placeOf(rangeOf(role.barclamp.document.source, ['roles', role.name, 'wants', name])), previous, generate })
    }
  }
  const walk = (value: Json | undefined, source: SourceDocument, pointer: Pointer): void => {
    if (value === undefined || value === null || typeof value !== 'object') return
    const { secret, ...rest } = value as { readonly [key: string]: Json }
    if (typeof secret === 'string' && Object.keys(rest).length === 0) add(secret, { role: null, at: placeOf(rangeOf(source, pointer)), previous: false, generate: null })
    else if (Array.isArray(value)) for (const [i, item] of value.entries()) walk(item as Json, source, [...pointer, i])
    else for (const [key, item] of Object.entries(value)) walk(item, source, [...pointer, key])
  }
  const { site } = resolved
  walk(site.site.value.attributes, site.site.source, ['attributes'])
  for (const { value, source } of site.rules.values()) walk(value.set.attributes, source, ['set', 'attributes'])
  for (const { value, source } of site.deployments.values()) {
    walk(value.attributes, source, ['attributes'])
    for (const [name, binding] of Object.entries(value.roles)) walk(binding.attributes, source, ['roles', name, 'attributes'])
  }
  const said = new Set<object>()
  for (const node of site.nodes.values()) {
    for (const { value, source } of node.layers) {
      const voice = value.attributes ?? value.bmc
      if (voice === undefined || said.has(voice)) continue
      said.add(voice)
      walk(value.attributes, source, ['attributes'])
      walk(value.bmc, source, ['bmc'])
    }
  }
  const barclamps = new Set([...roles.values()].map(({ role }) => role.barclamp))
  for (const { document: { value, source } } of barclamps) {
    walk(value.osAttributes, source, ['osAttributes'])
    walk(value.attributes, source, ['attributes'])
  }
  for (const { role } of roles.values()) {
    for (const [name, { value }] of Object.entries(role.declaration.provides ?? {})) walk(value, role.barclamp.document.source, ['roles', role.name, 'provides', name, 'value'])
  }
  return uses
}
