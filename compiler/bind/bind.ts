import type { Diagnostic, Report } from '../../schemas/diagnostic.ts'
import type { ResolvedSite } from '../resolve/resolved-site.ts'
import type { BoundSite } from './bound-site.ts'
import { checkHardware } from './check-hardware.ts'
import { checkRoles } from './check-roles.ts'
import { checkSupported } from './check-supported.ts'
import { claimMachines } from './claims.ts'
import { checkLock } from './lock-conflicts.ts'
import { bindMachines } from './machines.ts'
import { movedLock } from './moved-lock.ts'
import { bindNodes } from './nodes.ts'
import { bindRoles } from './roles.ts'

/** Applies rules to machines, gives nodes their machines and roles their nodes. What the lock holds stays put. */
export function bind(found: ResolvedSite, sink: Report): BoundSite {
  const told: Diagnostic[] = []
  const bound = bindAll(found, (diagnostic) => void told.push(diagnostic))
  // Nothing matches a condition that is none: what follows from that is no second mistake.
  const broken = told.some(({ code }) => code === 'EXPRESSION_INVALID')
  for (const diagnostic of told) if (!broken || !FOLLOWS.has(diagnostic.code)) sink(diagnostic)
  return bound
}

const FOLLOWS: ReadonlySet<string> = new Set(['OS_UNDECIDED', 'BINDING_STALE', 'CLAIM_STALE', 'RULE_STALE', 'ROLE_COUNT', 'REQUIREMENT_UNMET'])

function bindAll(found: ResolvedSite, report: Report): BoundSite {
  const { lock: old } = found.site
  checkLock(old, report)
  const resolved = old === null ? found : { ...found, site: { ...found.site, lock: { ...old, value: movedLock(old.value, found.site.nodes) } } }
  const machines = bindMachines(resolved, report)
  const { claims, missing } = claimMachines(resolved, machines, report)
  const { nodes, lock } = bindNodes(resolved, { machines, claims }, report)
  checkHardware(resolved.site, nodes, report)
  const { roles, owners, lock: bindings } = bindRoles(resolved, nodes, report)
  checkSupported(roles, nodes, report)
  const incomplete = checkRoles({ resolved, nodes, roles }, report)
  return { resolved, machines, nodes, roles, owners, missing: [...missing, ...incomplete], lock: { claims: Object.fromEntries(claims), nodes: lock, bindings } }
}
