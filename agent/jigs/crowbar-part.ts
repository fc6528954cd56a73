import type { Json } from '../../schemas/shape.ts'

/** What jigs read of the `crowbar` part of a document. */
export interface CrowbarPart {
  readonly step: string
  /** Why it runs: run, remove, check, drain, resume, upgrade, preview. */
  readonly action: string
  readonly node: string
  readonly fqdn: string
  readonly deployment: string
  readonly role: string
  readonly tags: readonly string[]
}

/** The `crowbar` part of a document, with empty texts for what is not there. */
export function crowbarPart(document: { readonly [key: string]: Json }): CrowbarPart {
  const crowbar = mapOf(document['crowbar'])
  const [site, node, role] = [mapOf(crowbar['site']), mapOf(crowbar['node']), mapOf(crowbar['role'])]
  const name = textOf(node['name'])
  const domain = textOf(site['domain'])
  const tags = node['tags']
  return {
    step: textOf(crowbar['step']),
    action: textOf(crowbar['action']) === '' ? 'run' : textOf(crowbar['action']),
    node: name,
    fqdn: domain === '' ? name : `${name}.${domain}`,
    deployment: textOf(crowbar['deployment']),
    role: textOf(role['name']),
    tags: Array.isArray(tags) ? tags.filter((tag): tag is string => typeof tag === 'string') : [],
  }
}

function mapOf(value: Json | undefined): { readonly [key: string]: Json } {
  return value !== null && typeof value === 'object' && !Array.isArray(value) ? value as { readonly [key: string]: Json } : {}
}

function textOf(value: Json | undefined): string {
  return typeof value === 'string' ? value : ''
}
