import type { Range, Report } from '../../schemas/diagnostic.ts'
import type { Missing } from '../../schemas/plan.ts'
import { error, warning } from '../diagnostics/diagnostic.ts'
import { rangeOf } from '../parse/document.ts'
import type { ResolvedRole, ResolvedSite } from '../resolve/resolved-site.ts'
import type { BoundMember, BoundNode, BoundRole } from './bound-site.ts'
import { findRole } from './find-role.ts'
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
  for (const role of bound.roles.values()) {
    missing.push(...checkCount(role, bound, report))
    for (const member of role.members) {
      checkSystem(role, { member, node: bound.nodes.get(member.node) as BoundNode, report })
      checkConflicts(role, { member, there: onNode.get(member.node) as Map<string, BoundMember>, report })
    }
    checkRequirements(role, bound, report)
  }
  return missing
}

function checkCount(role: BoundRole, { resolved }: CheckRoles, report: Report): readonly Missing[] {
  if (role.external !== null || (role.binding.nodes === undefined && role.binding.where === undefined)) return []
  const { source } = resolved.deployments.get(role.deployment)?.document ?? {}
  const at = source === undefined ? undefined : rangeOf(source, ['roles', role.role.name], 'key')
  const declared = role.role.declaration.count
  const min = minimumOf(role)
  const max = Math.min(role.binding.count?.max ?? Infinity, declared?.max ?? Infinity)
  const count = role.members.length
  const several = (n: number): string => (n === 1 ? '1 node' : `${n} nodes`)
  if (count > max) report(error('ROLE_COUNT', at, `${role.key} is bound to ${several(count)}, and may have ${max}.`))
  const why = count < min ? `${role.key} is bound to ${several(count)}, and needs ${min}` : declared?.odd === true && count % 2 === 0 && count > 0 ? `${role.key} is bound to ${several(count)}, and needs an odd number` : undefined
  if (why === undefined) return []
  if (role.binding.where === undefined) {
    report(error('ROLE_COUNT', at, `${why}.`))
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
  report(error('ROLE_OS', member.at, `${role.role.name} does not run on ${os.name}, which ${node.name} has.`, { related: [{ message: `it runs on ${allowed.join(', ')}`, range: rangeOf(source, ['roles', role.role.name, 'os']) }] }))
}

function checkConflicts(role: BoundRole, { member, there, report }: MemberCheck & { readonly there: ReadonlyMap<string, BoundMember> }): void {
  for (const [i, name] of (role.role.declaration.conflicts ?? []).entries()) {
    const other = there.get(name)
    if (other === undefined || name === role.role.name) continue
    const declared = rangeOf(role.role.barclamp.document.source, ['roles', role.role.name, 'conflicts', i])
    report(error('ROLE_CONFLICT', member.at, `${role.role.name} and ${name} exclude each other, and ${member.node} has both.`, { related: [{ message: `${name} is bound here`, range: other.at }, { message: 'the conflict is declared here', range: declared }] }))
  }
}

function checkRequirements(role: BoundRole, bound: CheckRoles, report: Report): void {
  for (const [i, name] of (role.role.declaration.requires ?? []).entries()) {
    const required = bound.resolved.roles.get(name) as ResolvedRole | undefined
    if (required === undefined) continue
    const range = rangeOf(role.role.barclamp.document.source, ['roles', role.role.name, 'requires', i])
    const cluster = required.declaration.scope === 'cluster'
    for (const member of role.members) {
      if (findRole(bound, { role: name, deployment: role.deployment, node: cluster ? null : member.node }).found.length > 0) continue
      const where = cluster ? `in ${role.deployment} or a deployment it comes after` : `on ${member.node}`
      report(unmet({ range, at: member.at, summary: `${role.role.name} requires ${name} ${where}.`, name, role }))
      if (cluster) break
    }
  }
}

function unmet({ range, at, summary, name, role }: { range: Range; at: Range; summary: string; name: string; role: BoundRole }) {
  return error('REQUIREMENT_UNMET', at, summary, { related: [{ message: 'it is required here', range }], fix: `Bind ${name} in the deployment ${role.deployment}, or let that come \`after\` a deployment which does.` })
}
