import type { Range, Report } from '../../schemas/diagnostic.ts'
import type { Missing } from '../../schemas/plan.ts'
import { error, warning } from '../diagnostics/diagnostic.ts'
import { rangeOf } from '../parse/document.ts'
import { hasFlag } from '../resolve/resolved-site.ts'
import type { ResolvedRole, ResolvedSite } from '../resolve/resolved-site.ts'
import type { BoundMember, BoundNode, BoundRole } from './bound-site.ts'
import { findRole, isClusterWide } from './find-role.ts'
import { oncePerPlace } from './once-per-place.ts'

export interface CheckRoles {
  readonly resolved: ResolvedSite
  readonly nodes: ReadonlyMap<string, BoundNode>
  readonly roles: ReadonlyMap<string, BoundRole>
}

/** Checks counts, operating systems, conflicts and requirements of everything that is bound. */
export function checkRoles(bound: CheckRoles, sink: Report): readonly Missing[] {
  const report = oncePerPlace(sink)
  const missing: Missing[] = []
  const onNode = new Map<string, Map<string, BoundMember>>()
  for (const role of bound.roles.values()) {
    for (const member of role.members) {
      const there = onNode.get(member.node) ?? new Map<string, BoundMember>()
      there.set(role.role.name, member)
      onNode.set(member.node, there)
    }
  }
  const excluding = exclusions(bound)
  for (const role of bound.roles.values()) {
    missing.push(...checkCount(role, bound, report))
    const excluded = excluding.get(role.role.name) ?? []
    for (const member of role.members) {
      checkSystem(role, { member, node: bound.nodes.get(member.node) as BoundNode, report })
      if (excluded.length > 0) checkConflicts(excluded, { role, member, there: onNode.get(member.node) as Map<string, BoundMember>, report })
    }
    checkRequirements(role, bound, report)
  }
  return missing
}

function checkCount(role: BoundRole, { resolved }: CheckRoles, report: Report): readonly Missing[] {
  if (role.external !== null) return []
  const { source, value } = resolved.deployments.get(role.deployment)?.document ?? {}
  // One that came along by itself is asked for by what requires it.
  const named = source !== undefined && Object.hasOwn(value?.roles ?? {}, role.role.name)
  const at = named ? rangeOf(source, ['roles', role.role.name], 'key') : role.members[0]?.at
  if (role.members.length === 0 && role.binding.nodes === undefined && role.binding.where === undefined) return []
  const declared = role.role.declaration.count
  const min = minimumOf(role)
  const max = Math.min(role.binding.count?.max ?? Infinity, declared?.max ?? Infinity)
  const count = role.members.length
  const several = (n: number): string => (n === 1 ? '1 node' : `${n} nodes`)
  const fewer = role.binding.where === undefined ? `Bind it to ${max} at most, or raise \`count.max\`.` : `\`crowbar lock --rebind ${role.key}\` lets the last ones leave.`
  if (count > max) report(error('ROLE_COUNT', at, `${role.key} is bound to ${several(count)}, and may have ${max}.`, { fix: fewer }))
  if (declared?.odd === 'advise' && count % 2 === 0 && count > 0) report(warning('ROLE_COUNT', at, `${role.key} is bound to ${several(count)}: an even number survives the loss of no more members than one less would, and when it is cut in two halves neither goes on.`, { fix: 'Bind it to one more, or to one less.' }))
  const why = count < min ? `${role.key} is bound to ${several(count)}, and needs ${min}` : declared?.odd === true && count % 2 === 0 && count > 0 ? `${role.key} is bound to ${several(count)}, and needs an odd number` : undefined
  if (why === undefined) return []
  if (role.binding.where === undefined) {
    report(error('ROLE_COUNT', at, `${why}.`, { fix: count < min ? `Bind it to ${min - count} more.` : 'Bind it to one more, or to one less.' }))
    return []
  }
  report(warning('ROLE_COUNT', at, `${why}; nodes that match its \`where\` may still come.`))
  return [{ what: 'members', for: `role/${role.key}`, because: why }]
}

/** The fewest members with which a role may run. */
export function minimumOf(role: BoundRole): number {
  return Math.max(role.binding.count?.min ?? 0, role.role.declaration.count?.min ?? 0)
}

interface MemberCheck {
  readonly member: BoundMember
  readonly report: Report
}

function checkSystem(role: BoundRole, { member, node, report }: MemberCheck & { readonly node: BoundNode }): void {
  const allowed = role.role.declaration.os
  const os = node.os?.value
  if (allowed === undefined || os === undefined || allowed.includes(os.name) || allowed.includes(os.family)) return
  const { source } = role.role.barclamp.document
  report(error('ROLE_OS', member.at, `${role.role.name} does not run on ${os.name}, which ${node.name} has.`, { related: [{ message: `it runs on ${allowed.join(', ')}`, range: rangeOf(source, ['roles', role.role.name, 'os']) }], fix: `Bind it to nodes with ${allowed.join(' or ')}.` }))
}

/** A role that may not be on a node together with another, and where that is said. */
interface Exclusion {
  readonly name: string
  readonly message: string
  readonly range: Range
}

/**
 * Role → those that it excludes, each pair once, at the role that says it: `conflicts`, also by a name that the other acts
 * as; and of several that act as one, or of one and those that act as it, a node has one.
 */
function exclusions({ resolved, roles }: CheckRoles): ReadonlyMap<string, readonly Exclusion[]> {
  const bound = new Map([...roles.values()].map(({ role }) => [role.name, role]))
  const found = new Map<string, Map<string, Exclusion>>()
  const add = (role: ResolvedRole, other: ResolvedRole, field: readonly ['conflicts' | 'actsAs', number]): void => {
    if (role.name === other.name || !bound.has(other.name) || found.get(other.name)?.has(role.name) === true) return
    const own = found.get(role.name) ?? new Map<string, Exclusion>()
    found.set(role.name, own)
    const message = field[0] === 'conflicts' ? 'the conflict is declared here' : `both act as ${role.declaration.actsAs?.[field[1]]}`
    if (!own.has(other.name)) own.set(other.name, { name: other.name, message, range: rangeOf(role.barclamp.document.source, ['roles', role.name, ...field]) })
  }
  for (const field of ['conflicts', 'actsAs'] as const) {
    for (const role of bound.values()) {
      for (const [i, name] of (role.declaration[field] ?? []).entries()) {
        for (const other of resolved.answering.get(name) ?? []) add(role, other, [field, i])
      }
    }
  }
  return new Map([...found].map(([name, excluded]) => [name, [...excluded.values()]]))
}

interface ConflictCheck extends MemberCheck {
  readonly role: BoundRole
  readonly there: ReadonlyMap<string, BoundMember>
}

function checkConflicts(excluded: readonly Exclusion[], { role, member, there, report }: ConflictCheck): void {
  for (const { name, message, range } of excluded) {
    const other = there.get(name)
    if (other === undefined) continue
    report(error('ROLE_CONFLICT', member.at, `${role.role.name} and ${name} exclude each other, and ${member.node} has both.`, { related: [{ message: `${name} is bound here`, range: other.at }, { message, range }], fix: `Take one of them off ${member.node}.` }))
  }
}

function checkRequirements(role: BoundRole, bound: CheckRoles, report: Report): void {
  for (const [i, name] of (role.role.declaration.requires ?? []).entries()) {
    const answering = bound.resolved.answering.get(name) ?? []
    if (answering.length === 0 || answering.some((required) => hasFlag(required, 'library'))) continue
    const range = rangeOf(role.role.barclamp.document.source, ['roles', role.role.name, 'requires', i])
    const cluster = isClusterWide(bound.resolved, name)
    for (const member of role.members) {
      if (findRole(bound, { role: name, deployment: role.deployment, node: cluster ? null : member.node }).found.length > 0) continue
      const where = cluster ? `in ${role.deployment} or a deployment it comes after` : `on ${member.node}`
      const others = answering.map((each) => each.name).filter((each) => each !== name)
      const what = others.length === 0 ? name : bound.resolved.roles.has(name) ? `${name} (or ${others.join(' or ')})` : others.join(' or ')
      report(unmet({ range, at: member.at, summary: `${role.role.name} requires ${name} ${where}.`, name: what, role }))
      if (cluster) break
    }
  }
}

function unmet({ range, at, summary, name, role }: { range: Range; at: Range; summary: string; name: string; role: BoundRole }) {
  return error('REQUIREMENT_UNMET', at, summary, { related: [{ message: 'it is required here', range }], fix: `Bind ${name} in the deployment ${role.deployment}, or let that come \`after\` a deployment which does.` })
}
