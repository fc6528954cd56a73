import type { Diagnostic, Report } from '../../schemas/diagnostic.ts'
import type { Lock } from '../../schemas/lock.ts'
import type { ResolvedSite } from '../resolve/resolved-site.ts'
import type { BoundSite } from './bound-site.ts'
import { checkDiscovery } from './check-discovery.ts'
import { checkHardware } from './check-hardware.ts'
import { checkRoles } from './check-roles.ts'
import { checkRules } from './check-rules.ts'
import { checkSupported } from './check-supported.ts'
import { claimMachines } from './claims.ts'
import { checkLock } from './lock-conflicts.ts'
import { bindMachines } from './machines.ts'
import { movedLock } from './moved-lock.ts'
import { bindNodes } from './nodes.ts'
import { bindOperations } from './operations.ts'
import { NO_REBIND, withoutChoices, withoutLostDisks } from './rebind.ts'
import type { Rebind } from './rebind.ts'
import { bindRoles } from './roles.ts'
import { bindRollouts } from './rollouts.ts'

/**
 * Applies rules to machines, gives nodes their machines and roles their nodes. What the lock holds stays put, but for
 * what `rebind` names.
 */
export function bind(found: ResolvedSite, sink: Report, rebind: Rebind = NO_REBIND): BoundSite {
  const told: Diagnostic[] = []
  const bound = bindAll(found, (diagnostic) => void told.push(diagnostic), rebind)
  // Nothing matches a condition that is none: what follows from that is no second mistake.
  const broken = told.some(({ code }) => code === 'EXPRESSION_INVALID')
  for (const diagnostic of told) if (!broken || !FOLLOWS.has(diagnostic.code)) sink(diagnostic)
  return bound
}

const FOLLOWS: ReadonlySet<string> = new Set(['OS_UNDECIDED', 'BINDING_STALE', 'CLAIM_STALE', 'RULE_STALE', 'ROLE_COUNT', 'REQUIREMENT_UNMET', 'OPERATION_EMPTY', 'OPERATION_ROLE', 'ROLLOUT_GATE'])

function bindAll(found: ResolvedSite, report: Report, rebind: Rebind): BoundSite {
  const { lock: old } = found.site
  checkLock(old, report)
  const prepared = withLock(found, (lock) => withoutChoices(movedLock(lock, found.site.nodes, report), rebind))
  const machines = bindMachines(prepared, report)
  checkRules(prepared.site, machines, report)
  const { claims, missing } = claimMachines({ resolved: prepared, machines, rebind }, report)
  const resolved = withLock(prepared, (lock) => withoutLostDisks(lock, rebind, { claims, machines }))
  const { nodes, lock } = bindNodes(resolved, { machines, claims }, report)
  checkHardware(resolved.site, nodes, report)
  const { roles, owners, lock: bindings } = bindRoles({ resolved, nodes, rebind }, report)
  checkSupported(roles, nodes, report)
  checkDiscovery({ resolved, nodes, roles }, report)
  const operations = bindOperations({ resolved, nodes, roles }, report)
  const rollouts = bindRollouts({ resolved, nodes, roles, operations }, report)
  const incomplete = checkRoles({ resolved, nodes, roles }, report)
  return { resolved, machines, nodes, roles, owners, operations, rollouts, missing: [...missing, ...incomplete], lock: { claims: Object.fromEntries(claims), nodes: lock, bindings } }
}

function withLock(resolved: ResolvedSite, edit: (lock: Lock) => Lock): ResolvedSite {
  const { lock } = resolved.site
  return lock === null ? resolved : { ...resolved, site: { ...resolved.site, lock: { ...lock, value: edit(lock.value) } } }
}
