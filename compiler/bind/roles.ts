import { byCodePoint } from '../../schemas/canonical.ts'
import type { Range, Report } from '../../schemas/diagnostic.ts'
import { NODE_ENVIRONMENT } from '../../schemas/expression.ts'
import type { Lock } from '../../schemas/lock.ts'
import { own } from '../../schemas/own.ts'
import { error, warning } from '../diagnostics/diagnostic.ts'
import { knownNames } from '../diagnostics/known-names.ts'
import { rangeOf } from '../parse/document.ts'
import { foldNames } from '../print/fold-names.ts'
import { hasFlag } from '../resolve/resolved-site.ts'
import type { ResolvedDeployment, ResolvedRole, ResolvedSite, RoleBinding } from '../resolve/resolved-site.ts'
import { expandNames } from '../validate/expand-names.ts'
import type { BoundMember, BoundNode, BoundRole } from './bound-site.ts'
import { hasDiscovery } from './check-discovery.ts'
import { compileCondition } from './condition.ts'
import type { Verdict } from './condition.ts'
import { isClusterWide, memberOf } from './find-role.ts'
import { conditionBindings } from './nodes.ts'
import type { Rebind } from './rebind.ts'

type LockBinding = Lock['bindings'][string]

export interface BoundRoles {
  readonly roles: ReadonlyMap<string, BoundRole>
  readonly owners: ReadonlyMap<string, string>
  readonly lock: Lock['bindings']
}

interface Context {
  readonly resolved: ResolvedSite
  readonly nodes: ReadonlyMap<string, BoundNode>
  readonly rebind: Rebind
  readonly report: Report
}

/** Node → what asked for it, in the order in which new members get their indexes. */
type Asked = Map<string, Range>

/** Binds the roles of every deployment to nodes. Indexes and founders are kept by the lock. */
export function bindRoles({ resolved, nodes, rebind }: Omit<Context, 'report'>, report: Report): BoundRoles {
  const context = { resolved, nodes, rebind, report }
  const roles = new Map<string, BoundRole>()
  const owners = new Map<string, string>()
  const lock: Record<string, LockBinding> = {}
  for (const [key, { next }] of Object.entries(resolved.site.lock?.value.bindings ?? {})) lock[key] = { members: {}, next }
  for (const deployment of resolved.deployments.values()) {
    const asked = new Map<string, Asked>()
    for (const [name, binding] of Object.entries(deployment.document.value.roles)) {
      const role = resolved.roles.get(name)
      if (role !== undefined) asked.set(name, askedMembers({ deployment, role, binding }, context))
    }
    addImplicit({ deployment, asked, roles }, context)
    for (const name of [...asked.keys()].toSorted(byCodePoint)) {
      const key = `${deployment.name}/${name}`
      const old = own(resolved.site.lock?.value.bindings, key)
      const numbered = number(asked.get(name) as Asked, old)
      const binding = own(deployment.document.value.roles, name) ?? {}
      const role = resolved.roles.get(name) as ResolvedRole
      roles.set(key, { key, deployment: deployment.name, role, binding, members: numbered.members, founder: numbered.lock.founder ?? null, external: binding.external?.addresses ?? null })
      lock[key] = numbered.lock
      for (const { node } of numbered.members) if (!owners.has(`${name}@${node}`)) owners.set(`${name}@${node}`, deployment.name)
    }
  }
  return { roles, owners, lock }
}

interface Question {
  readonly deployment: ResolvedDeployment
  readonly role: ResolvedRole
  readonly binding: RoleBinding
}

function askedMembers({ deployment, role, binding }: Question, context: Context): Asked {
  const { nodes, report } = context
  const { source } = deployment.document
  const at = ['roles', role.name] as const
  const asked: Asked = new Map()
  if (hasFlag(role, 'library')) {
    report(error('ROLE_LIBRARY', rangeOf(source, at, 'key'), `${role.name} is a library: other roles require it for its files, and it is bound to no node.`, { related: [{ message: 'its flags', range: rangeOf(role.barclamp.document.source, ['roles', role.name, 'flags']) }], fix: 'Take it out of the deployment; roles that require it have its files.' }))
    return asked
  }
  if (binding.external !== undefined) {
    if (binding.nodes !== undefined || binding.where !== undefined) report(error('VALUE_INVALID', rangeOf(source, [...at, 'external'], 'key'), `${role.name} is external and bound to nodes at the same time.`, { fix: 'Keep `external`, or `nodes` and `where`.' }))
    return asked
  }
  for (const [i, text] of (binding.nodes ?? []).entries()) {
    const range = rangeOf(source, [...at, 'nodes', i])
    const strangers: string[] = []
    for (const name of expandNames(text) ?? [text]) {
      const before = asked.get(name)
      if (!nodes.has(name)) strangers.push(name)
      else if (before === undefined) asked.set(name, range)
      else report(error('VALUE_INVALID', range, `${role.name} is bound to ${name} twice.`, { related: before === range ? [] : [{ message: 'the first time', range: before }], fix: `Name ${name} once, or the node that was meant.` }))
    }
    const [first] = strangers
    if (first === undefined) continue
    report(error('REFERENCE_UNKNOWN', range, strangers.length === 1 ? `There is no node ${first}.` : `There are no nodes ${foldNames(strangers)}.`, { fix: strangers.length === 1 ? knownNames(first, nodes.keys()) : 'Name nodes that are there, or add these.' }))
  }
  if (binding.where !== undefined) askWhere({ deployment, role, binding }, asked, context)
  if (binding.nodes === undefined && binding.where === undefined) {
    if (hasFlag(role, 'bootstrap')) for (const node of nodes.values()) if (node.admin) asked.set(node.name, rangeOf(source, at, 'key'))
    const beforeInstall = hasFlag(role, 'discovery')
    if (beforeInstall) for (const node of nodes.values()) if (hasDiscovery(node)) asked.set(node.name, rangeOf(source, at, 'key'))
    if (asked.size === 0 && !beforeInstall && !hasFlag(role, 'implicit')) report(error('ROLE_COUNT', rangeOf(source, at, 'key'), `${role.name} is bound to no node.`, { fix: 'Add `nodes` or `where`.' }))
  }
  return asked
}

/** Nodes join when they match, and leave only when they are gone or by hand. Admin nodes are bound by name only. */
function askWhere({ deployment, role, binding }: Question, asked: Asked, { resolved, nodes, rebind, report }: Context): void {
  const { source } = deployment.document
  const pointer = ['roles', role.name, 'where'] as const
  const where = compileCondition({ text: binding.where as string, document: source, pointer, environment: NODE_ENVIRONMENT }, report)
  const key = `${deployment.name}/${role.name}`
  const kept = own(resolved.site.lock?.value.bindings, key)?.members ?? {}
  const max = Math.min(binding.count?.max ?? Infinity, role.declaration.count?.max ?? Infinity)
  const range = rangeOf(source, pointer)
  const may = (node: BoundNode): boolean => (hasFlag(role, 'discovery') ? hasDiscovery(node) : !node.admin)
  const verdict = (node: BoundNode): Verdict => where(conditionBindings(node), `node ${node.name}`)
  for (const name of Object.keys(kept).toSorted((a, b) => (kept[a] as number) - (kept[b] as number))) {
    const node = nodes.get(name)
    if (node === undefined || asked.has(name) || !may(node)) continue
    // Where its facts are not known nobody knows that it does not match.
    const stale = verdict(node) === false
    if ((stale && (rebind.roles.has(key) || rebind.nodes.has(name))) || (asked.size >= max && rebind.roles.has(key))) continue
    asked.set(name, range)
    if (stale) report(warning('BINDING_STALE', range, `${name} stays bound to ${key}, although it no longer matches.`, { fix: `\`crowbar lock --rebind ${key}\` lets it leave, if that is meant.` }))
  }
  for (const node of nodes.values()) {
    if (asked.size >= max) break
    if (may(node) && !asked.has(node.name) && verdict(node) === true) asked.set(node.name, range)
  }
}

interface Implicit {
  readonly deployment: ResolvedDeployment
  readonly asked: Map<string, Asked>
  readonly roles: ReadonlyMap<string, BoundRole>
}

/** A required role that is implicit comes along to the same node, unless it or one that acts as it is there already. */
function addImplicit({ deployment, asked, roles }: Implicit, { resolved, nodes }: Context): void {
  const came = new Map<string, Map<string, Range>>()
  const isThere = ({ name }: ResolvedRole, node: string): boolean => asked.get(name)?.has(node) === true || came.get(name)?.has(node) === true || deployment.reach.some((level) => level.some((other) => {
    const there = roles.get(`${other}/${name}`)
    return there !== undefined && memberOf(there, node) !== undefined
  }))
  const known = new Map<string, string | undefined>()
  const comesAlong = (required: string): string | undefined => {
    if (!known.has(required)) known.set(required, isClusterWide(resolved, required) ? undefined : implicitAmong(resolved.answering.get(required) ?? [], required))
    return known.get(required)
  }
  // By name and in the order of asking, so that neither the order of a document nor that of this search tells who comes first.
  const work = [...asked.keys()].toSorted(byCodePoint).flatMap((role) => [...(asked.get(role) as Asked).keys()].map((node) => ({ role, node })))
  for (const { role, node } of work) {
    const resolvedRole = resolved.roles.get(role) as ResolvedRole
    for (const [i, required] of (resolvedRole.declaration.requires ?? []).entries()) {
      const name = comesAlong(required)
      if (name === undefined || (resolved.answering.get(required) ?? []).some((each) => isThere(each, node))) continue
      const members = came.get(name) ?? new Map<string, Range>()
      members.set(node, rangeOf(resolvedRole.barclamp.document.source, ['roles', role, 'requires', i]))
      came.set(name, members)
      work.push({ role: name, node })
    }
  }
  for (const [name, members] of came) {
    const all = asked.get(name) ?? new Map<string, Range>()
    for (const node of nodes.keys()) if (members.has(node)) all.set(node, members.get(node) as Range)
    asked.set(name, all)
  }
}

/** The one that comes along by itself: of the name, else the only one that acts as it. Between several, people choose. */
function implicitAmong(answering: readonly ResolvedRole[], required: string): string | undefined {
  const implicit = answering.filter((role) => hasFlag(role, 'implicit') && !hasFlag(role, 'library'))
  return (implicit.find(({ name }) => name === required) ?? (implicit.length === 1 ? implicit[0] : undefined))?.name
}

/** Keeps the indexes of who was there; newcomers get the next ones. */
function number(asked: Asked, old: LockBinding | undefined): { readonly members: readonly BoundMember[]; readonly lock: LockBinding } {
  let next = old?.next ?? 0
  const indexes: Record<string, number> = {}
  for (const node of asked.keys()) {
    const kept = own(old?.members, node)
    if (kept !== undefined) indexes[node] = kept
  }
  for (const node of asked.keys()) if (!Object.hasOwn(indexes, node)) indexes[node] = next++
  const members = [...asked].map(([node, at]) => ({ node, index: indexes[node] as number, at })).toSorted((a, b) => a.index - b.index || byCodePoint(a.node, b.node))
  const founder = old?.founder !== undefined && asked.has(old.founder) ? old.founder : members[0]?.node
  return { members, lock: { members: indexes, next, ...(founder === undefined ? {} : { founder }) } }
}
