import { canonical } from '../../schemas/canonical.ts'
import type { Report } from '../../schemas/diagnostic.ts'
import type { Missing, Need } from '../../schemas/plan.ts'
import type { Json } from '../../schemas/shape.ts'
import { own } from '../../schemas/own.ts'
import type { AllocatedSite } from '../allocate/allocated-site.ts'
import type { BoundMember, BoundNode, BoundRole } from '../bind/bound-site.ts'
import { error } from '../diagnostics/diagnostic.ts'
import { placeOf, rangeOf } from '../parse/document.ts'
import { hasFlag } from '../resolve/resolved-site.ts'
import type { ResolvedDeployment } from '../resolve/resolved-site.ts'
import { checkOpen } from './check-open.ts'
import { checkAttributes } from './check-attributes.ts'
import { checkJigValues } from './check-jig-values.ts'
import { hasDeferred, inputsOf, isPending, pendingOn } from './deferred-value.ts'
import { Evaluator } from './evaluator.ts'
import type { InjectedSite, NodeRole } from './injected-site.ts'
import { withNameServers } from './name-servers.ts'
import { generatedSecrets } from './secret.ts'
import { LayerStack } from './stack.ts'
import { providersOf } from './wants.ts'

/** Gives every role on every node the attributes and the wants that it asked for, and nothing else. */
export function inject(allocated: AllocatedSite, report: Report): InjectedSite {
  const { bound } = allocated
  const evaluator = new Evaluator(allocated, new LayerStack(bound, report), report)
  generatedSecrets(bound, report)
  const nodeRoles = new Map<string, NodeRole>()
  const missing = new Map<string, Missing>()
  for (const role of bound.roles.values()) {
    let wants: { readonly [name: string]: Json } = {}
    for (const member of role.members) {
      const found = injectRole(evaluator, { role, member, wants })
      wants = found.wants
      const owner = bound.owners.get(`${role.role.name}@${member.node}`)
      if (owner === role.deployment) nodeRoles.set(found.id, found)
      else checkShared(nodeRoles.get(`${owner}/${role.role.name}@${member.node}`), found, report)
      if (found.pending !== undefined) missing.set(found.id, { what: 'attributes', for: `step/${found.id}`, because: `they hang on ${found.pending}` })
    }
  }
  const nameServers = evaluator.nameServers()
  return { allocated: withNameServers(allocated, nameServers), nameServers, nodeRoles, missing: [...missing.values()], evaluator }
}

/** Most roles wait for nobody's report, and there are very many of them. */
const NO_NEEDS: NodeRole['data'] = []
const NO_ROLES: NodeRole['dataOfAll'] = []

interface Membership {
  readonly role: BoundRole
  readonly member: BoundMember
  /** Of the member before: used again when they are the same, so that they are hashed once. */
  readonly wants: { readonly [name: string]: Json }
}

function injectRole(evaluator: Evaluator, { role, member, wants: before }: Membership): NodeRole {
  const { bound } = evaluator.allocated
  const { barclamp } = role.role
  const node = bound.nodes.get(member.node) as BoundNode
  const deployment = bound.resolved.deployments.get(role.deployment) as ResolvedDeployment
  const subject = evaluator.subject({ barclamp, node, deployment, role })
  const attributes = evaluator.value(subject, subject.merged)
  const wants: Record<string, Json> = {}
  const data = new Map<string, Need>()
  const dataOfAll: { role: string; at: string }[] = []
  let pending = pendingOn(attributes)
  for (const [name, want] of Object.entries(role.role.declaration.wants ?? {})) {
    const value = evaluator.want(subject, name) ?? null
    wants[name] = value
    if (!hasDeferred(value)) continue
    const at = placeOf(rangeOf(barclamp.document.source, ['roles', role.role.name, 'wants', name]))
    const provider = want.many === true ? providersOf(evaluator, role, want)[0] : undefined
    if (provider !== undefined && own(provider.role.declaration.provides, want.provide ?? '')?.value === undefined) {
      dataOfAll.push({ role: provider.key, at })
      continue
    }
    pending ??= pendingOn(value)
    for (const input of inputsOf(value)) if ('step' in input && !isPending(input)) data.set(input.step, { at, kind: 'data', step: input.step })
  }
  if (!evaluator.isFailed(subject)) checkAttributes(evaluator, subject, attributes)
  if (hasFlag(role.role, 'discovery')) checkOpen(evaluator, { subject, attributes, wants })
  checkJigValues(evaluator, { subject, attributes, wants })
  const names = Object.keys(wants)
  const same = names.length === Object.keys(before).length && names.every((name) => wants[name] === before[name])
  return {
    id: `${role.key}@${member.node}`,
    role,
    member,
    node,
    subject,
    wants: same ? before : wants,
    pending,
    parts: pending !== undefined ? null : { [barclamp.name]: attributes, wants: same ? before : wants },
    data: data.size === 0 ? NO_NEEDS : [...data.values()],
    dataOfAll: dataOfAll.length === 0 ? NO_ROLES : dataOfAll,
  }
}

/** A role is bound once per node: a second deployment shares it, and has to want the same of it. */
function checkShared(first: NodeRole | undefined, second: NodeRole, report: Report): void {
  if (first === undefined || first.parts === null || second.parts === null) return
  const name = second.role.role.barclamp.name
  if (canonical(first.parts[name] as Json) === canonical(second.parts[name] as Json)) return
  report(error('ATTRIBUTE_DIFFERS', second.member.at, `${second.role.role.name} is on ${second.node.name} for ${first.role.deployment} already, with other attributes than ${second.role.deployment} gives it.`, { related: [{ message: 'it is bound here first', range: first.member.at }], fix: 'Give both deployments the same attributes, or set them in the site document.' }))
}
