import type { Range, Report } from '../../schemas/diagnostic.ts'
import type { BarclampDocument } from '../../schemas/documents/barclamp.ts'
import { suggest } from '../../schemas/cel/suggest.ts'
import { error } from '../diagnostics/diagnostic.ts'
import { rangeOf } from '../parse/document.ts'
import { rangeOfField } from '../validate/site.ts'
import type { Located, Site } from '../validate/site.ts'
import type { ResolvedSite } from './resolved-site.ts'
import { unknownSecret } from './secrets.ts'
import { parseRequirement, satisfies } from './version.ts'

type Names = { readonly has: (name: string) => boolean; readonly keys: () => Iterable<string> }

export interface CheckReferences {
  /** That barclamps were not found was reported: what they would have offered is not missed once more. */
  readonly barclampsMissed: boolean
  readonly report: Report
}

const OFFERED: ReadonlySet<string> = new Set(['role', 'barclamp', 'operating system', 'source'])

/** Checks that every name which a document uses is the name of something. */
export function checkReferences(resolved: ResolvedSite, { barclampsMissed, report }: CheckReferences): void {
  const { site } = resolved
  const checkAny = referenceCheck(report)
  const check: Check = barclampsMissed ? (what, name, names, range) => { if (!OFFERED.has(what)) checkAny(what, name, names, range) } : checkAny
  const { value: root, source } = site.site
  check('network', root.admin.network, resolved.networks, rangeOf(source, ['admin', 'network']))
  for (const node of site.nodes.values()) {
    const at = (...pointer: string[]): Range => rangeOfField(node, pointer)
    if (node.value.os !== undefined) check('operating system', node.value.os, resolved.systems, at('os'))
    if (node.value.hardware !== undefined) check('hardware document', node.value.hardware, site.hardware, at('hardware'))
    const password = node.value.bmc?.password
    if (typeof password === 'object' && !resolved.secrets.has(password.secret)) report(unknownSecret(password.secret, resolved.secrets, at('bmc', 'password')))
    for (const network of Object.keys(node.value.networks ?? {})) check('network', network, resolved.networks, rangeOfField(node, ['networks', network], 'key'))
  }
  for (const { value, source: at } of site.rules.values()) {
    if (value.set.os !== undefined) check('operating system', value.set.os, resolved.systems, rangeOf(at, ['set', 'os']))
    if (value.set.hardware !== undefined) check('hardware document', value.set.hardware, site.hardware, rangeOf(at, ['set', 'hardware']))
  }
  for (const { value, source: at } of resolved.systems.values()) {
    if (value.source !== undefined) check('source', value.source, resolved.sources, rangeOf(at, ['source']))
  }
  for (const { value, source: at } of site.networks.values()) {
    if (value.conduit !== undefined) check('conduit', value.conduit, site.conduits, rangeOf(at, ['conduit']))
  }
  for (const { value, source: at } of site.agents.values()) {
    check('node', value.node, site.nodes, rangeOf(at, ['node']))
    for (const [name, { network }] of Object.entries(value.interfaces)) check('network', network, resolved.networks, rangeOf(at, ['interfaces', name, 'network']))
  }
  for (const { value, source: at } of site.hardware.values()) {
    const entries = new Map(Object.entries(value.disks ?? {}))
    for (const [i, { on }] of (value.layout ?? []).entries()) check('disk entry', on, entries, rangeOf(at, ['layout', i, 'on']))
  }
  checkDeployments(resolved, check)
  checkBarclamps(resolved, check, { barclampsMissed, report })
  checkAttributeKeys(resolved, check, report)
}

type Check = (what: string, name: string, names: Names, range: Range) => void

function referenceCheck(report: Report): Check {
  return (what, name, names, range) => {
    if (names.has(name)) return
    const near = suggest(name, names.keys())
    report(error('REFERENCE_UNKNOWN', range, `There is no ${what} ${name}.`, { fix: near === undefined ? undefined : `Did you mean ${near}?` }))
  }
}

function checkDeployments({ site, roles, networks }: ResolvedSite, check: Check): void {
  for (const { value, source } of site.deployments.values()) {
    for (const [i, name] of (value.after ?? []).entries()) check('deployment', name, site.deployments, rangeOf(source, ['after', i]))
    for (const [name, binding] of Object.entries(value.roles)) {
      check('role', name, roles, rangeOf(source, ['roles', name], 'key'))
      const logical = new Map(Object.entries(roles.get(name)?.declaration.networks ?? {}))
      for (const [from, network] of Object.entries(binding.networks ?? {})) {
        if (roles.has(name)) check(`logical network of ${name} called`, from, logical, rangeOf(source, ['roles', name, 'networks', from], 'key'))
        check('network', network, networks, rangeOf(source, ['roles', name, 'networks', from]))
      }
    }
    for (const [name, { network }] of Object.entries(value.addresses ?? {})) check('network', network, networks, rangeOf(source, ['addresses', name, 'network']))
  }
}

function checkBarclamps(resolved: ResolvedSite, check: Check, { barclampsMissed, report }: CheckReferences): void {
  const { barclamps, answering, networks, site } = resolved
  for (const { document: { value, source } } of barclamps.values()) {
    checkRequired(resolved, { value, source }, { barclampsMissed, report })
    for (const [role, declaration] of Object.entries(value.roles ?? {})) {
      const at = (...pointer: (string | number)[]): Range => rangeOf(source, ['roles', role, ...pointer])
      for (const [i, name] of (declaration.requires ?? []).entries()) check('role', name, answering, at('requires', i))
      for (const [i, name] of (declaration.conflicts ?? []).entries()) check('role', name, answering, at('conflicts', i))
      for (const [want, { from, provide, deployment, attribute }] of Object.entries(declaration.wants ?? {})) {
        if (from !== undefined) {
          check('role', from, answering, at('wants', want, 'from'))
          const provides = new Map((answering.get(from) ?? []).flatMap((each) => Object.entries(each.declaration.provides ?? {})))
          if (provide !== undefined && answering.has(from)) check(`value provided by ${from} called`, provide, provides, at('wants', want, 'provide'))
        }
        if (deployment !== undefined) check('deployment', deployment, site.deployments, at('wants', want, 'deployment'))
        if (attribute !== undefined) check('barclamp', attribute.split('.')[0] as string, barclamps, at('wants', want, 'attribute'))
      }
      if (isUsed(site, role)) {
        for (const [logical, network] of Object.entries(declaration.networks ?? {})) {
          const mappedEverywhere = [...site.deployments.values()].every(({ value: deployment }) => !Object.hasOwn(deployment.roles, role) || deployment.roles[role]?.networks?.[logical] !== undefined)
          if (!mappedEverywhere) check('network', network, networks, at('networks', logical))
        }
      }
    }
  }
}

/** Barclamps that one requires are there, in a version that will do. That two require each other does no harm. */
function checkRequired({ barclamps, site }: ResolvedSite, { value, source }: Located<BarclampDocument>, { barclampsMissed, report }: CheckReferences): void {
  for (const [i, text] of (value.requires ?? []).entries()) {
    const range = rangeOf(source, ['requires', i])
    const requirement = parseRequirement(text)
    if (requirement === undefined) {
      report(error('VALUE_INVALID', range, `${JSON.stringify(text)} does not say which barclamp is required.`, { fix: 'Write its name, and versions after it if they matter: "ntp", "ntp >=1.2 <2", "ntp ^1.2".' }))
      continue
    }
    const found = barclamps.get(requirement.name)
    if (found === undefined) {
      if (barclampsMissed) continue
      const near = suggest(requirement.name, barclamps.keys())
      const sources = rangeOf(site.site.source, site.site.value.barclamps === undefined ? ['kind'] : ['barclamps'], 'key')
      report(error('REFERENCE_UNKNOWN', range, `There is no barclamp ${requirement.name}, which ${value.name} requires.`, { related: [{ message: 'none of these sources has it', range: sources }], fix: near === undefined ? 'Add a source that has it to `barclamps` in the site document.' : `Did you mean ${near}?` }))
    } else if (!satisfies(found.document.value.version, requirement)) {
      const other = found.document
      report(error('BARCLAMP_VERSION', range, `${value.name} requires ${text}, and the site has ${requirement.name} ${other.value.version}.`, { related: [{ message: 'its version', range: rangeOf(other.source, ['version']) }], fix: `Take a ${requirement.name} that fits, or a ${value.name} that is content with this one.` }))
    }
  }
}

/** A barclamp's default network matters only where the role is bound. */
function isUsed(site: Site, role: string): boolean {
  return [...site.deployments.values()].some(({ value }) => Object.hasOwn(value.roles, role))
}

function checkAttributeKeys({ site, barclamps }: ResolvedSite, check: Check, report: Report): void {
  const keys = (attributes: object | undefined, range: (key: string) => Range): void => {
    for (const [key, value] of Object.entries(attributes ?? {})) {
      check('barclamp', key, barclamps, range(key))
      if (value === null || typeof value !== 'object' || Array.isArray(value)) report(error('ATTRIBUTE_INVALID', range(key), `The attributes of the barclamp ${key} have to be a mapping.`))
    }
  }
  keys(site.site.value.attributes, (key) => rangeOf(site.site.source, ['attributes', key], 'key'))
  for (const { value, source } of site.rules.values()) keys(value.set.attributes, (key) => rangeOf(source, ['set', 'attributes', key], 'key'))
  for (const { value, source } of site.deployments.values()) {
    keys(value.attributes, (key) => rangeOf(source, ['attributes', key], 'key'))
    for (const [role, binding] of Object.entries(value.roles)) keys(binding.attributes, (key) => rangeOf(source, ['roles', role, 'attributes', key], 'key'))
  }
  const seen = new Set<object>()
  for (const node of site.nodes.values()) {
    for (const layer of node.layers) {
      if (layer.value.attributes === undefined || seen.has(layer.value.attributes)) continue
      seen.add(layer.value.attributes)
      keys(layer.value.attributes, (key) => rangeOf(layer.source, ['attributes', key], 'key'))
    }
  }
}
