import { byCodePoint } from '../../schemas/canonical.ts'
import type { Need } from '../../schemas/plan.ts'
import type { BoundRole, BoundSite } from '../bind/bound-site.ts'
import { findRole, isClusterWide, memberOf } from '../bind/find-role.ts'
import type { InjectedSite, NodeRole } from '../inject/injected-site.ts'
import { isClaimed } from '../inject/scope.ts'
import { placeOf, rangeOf } from '../parse/document.ts'
import { hasFlag } from '../resolve/resolved-site.ts'
import { isImaged, packagesOf, packagesOfRole, rootfsOf } from './artifacts.ts'
import type { OrderedStep } from './ordered-site.ts'

/** A step before its place in the order is known. */
export type Draft = Omit<OrderedStep, 'cohort'>

/** Every step of a site with what it needs. As many needs as documents ask for: waiting for many goes through a barrier. */
export function draftSteps(injected: InjectedSite): ReadonlyMap<string, Draft> {
  const drafts = new Map<string, Draft>()
  const add = (draft: Draft): void => {
    const needs = once(draft.needs)
    drafts.set(draft.id, needs === draft.needs ? draft : { ...draft, needs })
  }
  const { bound } = injected.allocated
  for (const step of lifecycleSteps(injected)) add(step)
  const barriers = new Set<string>()
  for (const nodeRole of injected.nodeRoles.values()) add(roleStep(injected, nodeRole, barriers))
  for (const role of bound.roles.values()) {
    if (role.members.length > 0 && (barriers.has(role.key) || hasFlag(role.role, 'cluster'))) add(roleBarrier(injected, role))
  }
  const awaited = new Set([...bound.resolved.deployments.values()].flatMap((deployment) => deployment.after))
  for (const name of awaited) add(deploymentBarrier(injected, name))
  return drafts
}

const NOTHING = { node: null, deployment: null, role: null, nodeRole: null, artifact: null, needs: [] } as const

function* lifecycleSteps({ allocated, nodeRoles }: InjectedSite): Generator<Draft> {
  const staged = new Set<string>()
  const before = discoveryRoles(nodeRoles)
  for (const node of allocated.bound.nodes.values()) {
    if (node.admin) continue
    const at = placeOf(node.site.at)
    const needs: Need[] = [{ at, kind: 'lifecycle', step: `discover@${node.name}` }]
    yield { ...NOTHING, id: `discover@${node.name}`, kind: 'discover', node: node.name }
    if (node.os !== null && isImaged(node)) {
      const artifact = rootfsOf(node.os.value)
      staged.add(artifact)
      needs.push({ at: placeOf(rangeOf(node.os.source, ['install'])), kind: 'lifecycle', step: `stage/${artifact}` })
    }
    needs.push(...(before.get(node.name) ?? []))
    yield { ...NOTHING, id: `install@${node.name}`, kind: 'install', node: node.name, needs }
  }
  for (const { node, role } of nodeRoles.values()) {
    if (node.os !== null && packagesOfRole(role.role, node).length > 0) staged.add(packagesOf(node.os.value))
  }
  for (const artifact of staged) yield { ...NOTHING, id: `stage/${artifact}`, kind: 'stage', artifact }
}

/** Node → the roles that run in the discovery image, before it is installed. */
function discoveryRoles(nodeRoles: InjectedSite['nodeRoles']): ReadonlyMap<string, readonly Need[]> {
  const found = new Map<string, Need[]>()
  for (const { id, node, role, member } of nodeRoles.values()) {
    if (!hasFlag(role.role, 'discovery')) continue
    const need: Need = { at: placeOf(member.at), kind: 'lifecycle', step: id }
    const there = found.get(node.name)
    if (there === undefined) found.set(node.name, [need])
    else there.push(need)
  }
  return found
}

function roleStep(injected: InjectedSite, nodeRole: NodeRole, barriers: Set<string>): Draft {
  const { bound } = injected.allocated
  const { role, node, id } = nodeRole
  const needs: Need[] = [...nodeRole.data]
  const barrier = (key: string): string => {
    barriers.add(key)
    return `barrier/${key}`
  }
  if (!node.admin) needs.push({ at: placeOf(nodeRole.member.at), kind: 'lifecycle', step: `${hasFlag(role.role, 'discovery') ? 'discover' : 'install'}@${node.name}` })
  const { source } = role.role.barclamp.document
  if (node.os !== null && packagesOfRole(role.role, node).length > 0) {
    needs.push({ at: placeOf(rangeOf(source, ['roles', role.role.name, 'packages'])), kind: 'lifecycle', step: `stage/${packagesOf(node.os.value)}` })
  }
  for (const [i, name] of (role.role.declaration.requires ?? []).entries()) {
    const cluster = isClusterWide(bound.resolved, name)
    const [found] = findRole(bound, { role: name, deployment: role.deployment, node: cluster ? null : node.name }).found
    if (found === undefined || found.members.length === 0) continue
    const at = placeOf(rangeOf(source, ['roles', role.role.name, 'requires', i]))
    const { role: required } = found
    if (cluster || hasFlag(required, 'cluster')) needs.push({ at, kind: 'cluster', step: barrier(found.key) })
    else needs.push({ at, kind: 'requires', step: `${bound.owners.get(`${required.name}@${node.name}`)}/${required.name}@${node.name}` })
  }
  const founder = hasFlag(role.role, 'founder-first') && role.founder !== null && role.founder !== node.name ? memberOf(role, role.founder) : undefined
  if (founder !== undefined) needs.push({ at: placeOf(rangeOf(source, ['roles', role.role.name, 'flags'])), kind: 'founder', step: `${bound.owners.get(`${role.role.name}@${founder.node}`)}/${role.role.name}@${founder.node}` })
  for (const { role: key, at } of nodeRole.dataOfAll) needs.push({ at, kind: 'data', step: barrier(key) })
  needs.push(...deploymentsBefore(bound, role.deployment))
  return { ...NOTHING, id, kind: 'role', node: node.name, deployment: role.deployment, role: role.role.name, nodeRole, needs }
}

/** All members of a role: of a cluster every one, else those that have a machine. */
function roleBarrier({ allocated: { bound } }: InjectedSite, role: BoundRole): Draft {
  const all = hasFlag(role.role, 'cluster')
  const members = role.members.filter((member) => all || isClaimed(bound.nodes.get(member.node)))
  const needs = members.map(({ node, at }): Need => ({ at: placeOf(at), kind: 'cluster', step: `${bound.owners.get(`${role.role.name}@${node}`)}/${role.role.name}@${node}` }))
  return { ...NOTHING, id: `barrier/${role.key}`, kind: 'barrier', deployment: role.deployment, role: role.role.name, needs }
}

/** The barriers of the deployments that one comes `after`. */
function deploymentsBefore({ resolved }: BoundSite, name: string): readonly Need[] {
  const deployment = resolved.deployments.get(name)
  if (deployment === undefined) return []
  const { source, value } = deployment.document
  return deployment.after.map((before) => ({ at: placeOf(rangeOf(source, ['after', value.after?.indexOf(before) ?? 0])), kind: 'deployment', step: `barrier/${before}` }))
}

/** A whole deployment, as far as its nodes have machines, and all that comes before it: it may have no machine at all. */
function deploymentBarrier({ allocated: { bound } }: InjectedSite, deployment: string): Draft {
  const needs: Need[] = [...deploymentsBefore(bound, deployment)]
  for (const role of bound.roles.values()) {
    if (role.deployment !== deployment) continue
    for (const { node, at } of role.members) {
      if (isClaimed(bound.nodes.get(node))) needs.push({ at: placeOf(at), kind: 'deployment', step: `${bound.owners.get(`${role.role.name}@${node}`)}/${role.role.name}@${node}` })
    }
  }
  return { ...NOTHING, id: `barrier/${deployment}`, kind: 'barrier', deployment, needs }
}

/** One need a step: the first reason that was found. */
function once(needs: readonly Need[]): readonly Need[] {
  if (needs.length < 2) return needs
  const found = new Map<string, Need>()
  for (const need of needs) if (!found.has(need.step)) found.set(need.step, need)
  return [...found.values()].toSorted((a, b) => byCodePoint(a.step, b.step))
}
