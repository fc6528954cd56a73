import type { Range, Report } from '../../schemas/diagnostic.ts'
import { suggest } from '../../schemas/cel/suggest.ts'
import type { BarclampDocument, RoleDeclaration } from '../../schemas/documents/barclamp.ts'
import { sourcesOfOs } from '../../schemas/documents/rule.ts'
import { error, warning } from '../diagnostics/diagnostic.ts'
import { knownNames } from '../diagnostics/known-names.ts'
import { rangeOf } from '../parse/document.ts'
import { rangeOfField } from '../validate/site.ts'
import type { Located, Site } from '../validate/site.ts'
import { ADDRESS_FORM, parseAddress } from './address.ts'
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
  const checkAny = referenceCheck(report, site.site.value.barclamps?.includes('builtin') ?? true)
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
    for (const [i, name] of sourcesOfOs(value).entries()) check('source', name, resolved.sources, rangeOf(at, typeof value.source === 'string' ? ['source'] : ['source', i]))
  }
  for (const { value, source: at } of site.networks.values()) {
    if (value.conduit !== undefined) check('conduit', value.conduit, site.conduits, rangeOf(at, ['conduit']))
  }
  for (const { value, source: at } of site.agents.values()) {
    check('node', value.node, site.nodes, rangeOf(at, ['node']))
    const node = site.nodes.get(value.node)
    if (node !== undefined && node.value.admin !== true) {
      const admins = [...site.nodes.values()].filter((each) => each.value.admin === true).map(({ name }) => name)
      report(error('VALUE_INVALID', rangeOf(at, ['node']), `${value.node} is no admin node, so it runs none of these services.`, { related: [{ message: 'the node', range: node.at }], fix: `Name an admin node${admins.length === 0 ? '' : ` (${admins.join(', ')})`}, or say \`admin: true\` in the node.` }))
    }
    for (const [name, { network }] of Object.entries(value.interfaces)) check('network', network, resolved.networks, rangeOf(at, ['interfaces', name, 'network']))
  }
  for (const { value, source: at } of site.hardware.values()) {
    const entries = new Map(Object.entries(value.disks ?? {}))
    for (const [i, { on }] of (value.layout ?? []).entries()) check('disk entry', on, entries, rangeOf(at, ['layout', i, 'on']))
  }
  checkDeployments(resolved, check, report)
  checkExternal(site, report)
  checkBarclamps(resolved, check, { barclampsMissed, report })
  checkAttributeKeys(resolved, check, report)
}

type Check = (what: string, name: string, names: Names, range: Range) => void

/** What builtin barclamps carry. */
const CARRIED: ReadonlySet<string> = new Set(['operating system', 'source'])

function referenceCheck(report: Report, builtin: boolean): Check {
  return (what, name, names, range) => {
    if (names.has(name)) return
    report(error('REFERENCE_UNKNOWN', range, `There is no ${what} ${name}.`, { fix: !builtin && CARRIED.has(what) ? 'Add `builtin` to `barclamps` in the site document, or a document of that name.' : knownNames(name, names.keys()) }))
  }
}

function checkCount(count: { readonly min?: number; readonly max?: number } | undefined, range: Range, report: Report): void {
  if (count?.min !== undefined && count.max !== undefined && count.min > count.max) report(error('VALUE_INVALID', range, `At least ${count.min} and at most ${count.max} is never met.`, { fix: 'Let `min` be `max` at most.' }))
}

function checkDeployments({ site, roles, networks }: ResolvedSite, check: Check, report: Report): void {
  for (const { value, source } of site.deployments.values()) {
    for (const [i, name] of (value.after ?? []).entries()) check('deployment', name, site.deployments, rangeOf(source, ['after', i]))
    for (const [name, binding] of Object.entries(value.roles)) {
      check('role', name, roles, rangeOf(source, ['roles', name], 'key'))
      checkCount(binding.count, rangeOf(source, ['roles', name, 'count']), report)
      const logical = new Map(Object.entries(roles.get(name)?.declaration.networks ?? {}))
      for (const [from, network] of Object.entries(binding.networks ?? {})) {
        if (roles.has(name)) check(`logical network of ${name} called`, from, logical, rangeOf(source, ['roles', name, 'networks', from], 'key'))
        check('network', network, networks, rangeOf(source, ['roles', name, 'networks', from]))
      }
    }
    for (const [name, { network }] of Object.entries(value.addresses ?? {})) check('network', network, networks, rangeOf(source, ['addresses', name, 'network']))
  }
}

function checkExternal({ deployments }: Site, report: Report): void {
  for (const { value, source } of deployments.values()) {
    for (const [role, { external }] of Object.entries(value.roles)) {
      for (const [i, text] of (external?.addresses ?? []).entries()) {
        const range = rangeOf(source, ['roles', role, 'external', 'addresses', i])
        if (parseAddress(text) === undefined) report(error('ADDRESS_INVALID', range, `${text} is not an IP address.`, { fix: ADDRESS_FORM }))
        else if (external?.addresses.indexOf(text) !== i) report(error('VALUE_INVALID', range, `${text} is named twice.`, { fix: 'Name each address once.' }))
      }
    }
  }
}

function checkBarclamps(resolved: ResolvedSite, check: Check, { barclampsMissed, report }: CheckReferences): void {
  const { barclamps, answering, networks, site } = resolved
  for (const { document: { value, source } } of barclamps.values()) {
    checkRequired(resolved, { value, source }, { barclampsMissed, report })
    for (const [role, declaration] of Object.entries(value.roles ?? {})) {
      const at = (...pointer: (string | number)[]): Range => rangeOf(source, ['roles', role, ...pointer])
      checkCount(declaration.count, at('count'), report)
      for (const path of Object.keys(declaration.onChange ?? {})) checkChangePath(path, { barclamp: value, role: declaration, check, range: rangeOf(source, ['roles', role, 'onChange', path], 'key') })
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

interface ChangePath {
  readonly barclamp: BarclampDocument
  readonly role: RoleDeclaration
  readonly check: Check
  readonly range: Range
}

/** A path of `onChange` that leads nowhere is a consequence that never comes. Only what a schema lists can be missed. */
function checkChangePath(path: string, { barclamp, role, check, range }: ChangePath): void {
  const own = path.startsWith(`${barclamp.name}.`) ? path.slice(barclamp.name.length + 1) : path
  const [first = ''] = own.split('.')
  const schema = barclamp.attributes ?? { additionalProperties: false }
  if (path === 'default' || first === 'wants' || own === barclamp.name || schema['additionalProperties'] !== false || schema['patternProperties'] !== undefined || schema['allOf'] !== undefined) return
  const names = new Map([...Object.entries((schema['properties'] ?? {}) as object), ...Object.keys(role.wants ?? {}).map((want) => [`wants.${want}`, null] as const)])
  check(`attribute of ${barclamp.name} called`, first, names, range)
}

/** A barclamp's default network matters only where the role is bound. */
function isUsed(site: Site, role: string): boolean {
  return [...site.deployments.values()].some(({ value }) => Object.hasOwn(value.roles, role))
}

function checkAttributeKeys({ site, barclamps }: ResolvedSite, check: Check, report: Report): void {
  const keys = (attributes: object | undefined, range: (key: string) => Range): void => {
    for (const [key, value] of Object.entries(attributes ?? {})) {
      if (!barclamps.has(key)) {
        const owner = [...barclamps.values()].find(({ document }) => Object.hasOwn((document.value.attributes?.['properties'] ?? {}) as object, key))?.name
        if (owner === undefined) check('barclamp', key, barclamps, range(key))
        else report(error('REFERENCE_UNKNOWN', range(key), `There is no barclamp ${key}: attributes stand below the name of their barclamp.`, { fix: `Write \`${owner}: { ${key}: … }\`.` }))
      } else if (value === null || typeof value !== 'object' || Array.isArray(value)) report(error('ATTRIBUTE_INVALID', range(key), `The attributes of the barclamp ${key} have to be a mapping.`, { fix: `Write \`${key}: { name: value }\`.` }))
    }
  }
  keys(site.site.value.attributes, (key) => rangeOf(site.site.source, ['attributes', key], 'key'))
  for (const { value, source } of site.rules.values()) keys(value.set.attributes, (key) => rangeOf(source, ['set', 'attributes', key], 'key'))
  for (const { value, source } of site.deployments.values()) {
    keys(value.attributes, (key) => rangeOf(source, ['attributes', key], 'key'))
    for (const [role, binding] of Object.entries(value.roles)) keys(binding.attributes, (key) => rangeOf(source, ['roles', role, 'attributes', key], 'key'))
    for (const key of Object.keys(value.attributes ?? {})) {
      const own = barclamps.get(key)?.document.value.roles
      if (own !== undefined && !Object.keys(value.roles).some((role) => Object.hasOwn(own, role))) report(warning('ATTRIBUTE_UNUSED', rangeOf(source, ['attributes', key], 'key'), `The deployment ${value.name} has attributes of ${key} and none of its roles, so nothing reads them.`, { fix: `Bind a role of ${key}, or set them in the deployment that does, or in the site document.` }))
    }
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
