import { own } from '../../schemas/own.ts'
import type { Json } from '../../schemas/shape.ts'
import type { AllocatedSite } from '../allocate/allocated-site.ts'
import type { BoundNode, BoundRole } from '../bind/bound-site.ts'
import { findRole, memberOf } from '../bind/find-role.ts'
import { formatAddress } from '../resolve/address.ts'
import type { ResolvedNetwork } from '../resolve/resolved-site.ts'
import { deferredInput, FACTS_PROVIDE } from './deferred-value.ts'
import type { Evaluation } from './evaluation.ts'
import type { Subject } from './subject.ts'

type Scope = { readonly [variable: string]: Json }

/** What the expressions of a subject may see, as far as these paths read it. What is deferred stands in it as such. */
export function scopeOf(evaluation: Evaluation, subject: Subject, reads: readonly (readonly string[])[]): Scope {
  const scope: Record<string, Json> = {}
  for (const [variable, ...path] of reads) {
    switch (variable) {
      case 'site':
        scope['site'] ??= siteValue(evaluation.allocated)
        break
      case 'deployment':
        if (subject.deployment !== null) scope['deployment'] ??= { name: subject.deployment.name, addresses: evaluation.allocated.virtual.get(subject.deployment.name) ?? {} }
        break
      case 'node':
        if (subject.node !== null || subject.external !== null) scope['node'] ??= nodeValueOf(evaluation.allocated, subject)
        break
      case 'attributes': {
        const value = evaluation.attribute(subject, path)
        if (value !== undefined) scope['attributes'] = insert(scope['attributes'] ?? {}, path, value)
        else scope['attributes'] ??= {}
        break
      }
      case 'wants': {
        const names = path[0] === undefined ? Object.keys(subject.role?.role.declaration.wants ?? {}) : [path[0]]
        scope['wants'] ??= {}
        for (const name of names) {
          const value = evaluation.want(subject, name)
          if (value !== undefined) scope['wants'] = { ...(scope['wants'] as Scope), [name]: value }
        }
        break
      }
      case 'roles':
        scope['roles'] = { ...(scope['roles'] as Scope | undefined), ...rolesNamed(evaluation.allocated, subject, path[0]) }
        break
      case 'networks':
        scope['networks'] = { ...(scope['networks'] as Scope | undefined), ...networksNamed(evaluation, subject, path[0]) }
        break
      case undefined:
      default:
    }
  }
  return scope
}

const sites = new WeakMap<AllocatedSite, Json>()

function siteValue(allocated: AllocatedSite): Json {
  let value = sites.get(allocated)
  if (value === undefined) {
    const { name, domain, admin } = allocated.bound.resolved.site.site.value
    value = { name, domain, admin: { network: admin.network, address: admin.address } }
    sites.set(allocated, value)
  }
  return value
}

/** The logical networks of a subject's role, and the networks of the site that they are. */
export function logicalNetworks({ role }: Subject): { readonly [logical: string]: string } {
  return role === null ? {} : { ...role.role.declaration.networks, ...role.binding.networks }
}

const nodes = new WeakMap<BoundNode, Json>()

/** One value for all roles of a node that know its networks by the site's names. */
function nodeValueOf(allocated: AllocatedSite, subject: Subject): Json {
  const { node } = subject
  if (node === null || Object.keys(logicalNetworks(subject)).length > 0) return nodeValue(allocated, subject)
  let value = nodes.get(node)
  if (value === undefined) nodes.set(node, (value = nodeValue(allocated, subject)))
  return value
}

function nodeValue(allocated: AllocatedSite, subject: Subject): Json {
  const { node, external } = subject
  if (node === null) {
    const names = [...allocated.bound.resolved.networks.keys(), ...Object.keys(logicalNetworks(subject))]
    return { name: external, tags: [], labels: {}, os: '', addresses: Object.fromEntries(names.map((name) => [name, external])), facts: {} }
  }
  const facts = node.machine === null ? deferredInput('node.facts', { step: `discover@${node.name}`, provide: FACTS_PROVIDE }, { type: 'map', sensitive: false }) : (node.machine.facts as unknown as Json)
  const addresses: Record<string, string> = { ...addressesOf(allocated, node.name) }
  const real = { ...addresses }
  for (const [logical, network] of Object.entries(logicalNetworks(subject))) {
    const address = own(real, network)
    if (address !== undefined) addresses[logical] = address
    else delete addresses[logical]
  }
  return { name: node.name, tags: node.tags, labels: node.labels, os: node.os?.value.name ?? '', addresses, facts }
}

/** Network → first address of a node. */
export function addressesOf(allocated: AllocatedSite, node: string): { readonly [network: string]: string } {
  const found: Record<string, string> = {}
  for (const { network, addresses } of allocated.attachments.get(node) ?? []) {
    const [first] = addresses
    if (first !== undefined) found[network] = first.address
  }
  return found
}

function rolesNamed(allocated: AllocatedSite, subject: Subject, name: string | undefined): Scope {
  if (subject.deployment === null) return {}
  const names = name === undefined ? [...allocated.bound.resolved.answering.keys()] : [name]
  const entries: [string, Json][] = []
  for (const role of names) {
    const [bound] = findRole(allocated.bound, { role, deployment: subject.deployment.name, node: null }).found
    if (bound !== undefined) entries.push([role, roleValue(allocated, bound, subject.node)])
  }
  return Object.fromEntries(entries)
}

/** Members that have a machine, or need none: those that a wish for all of them means. */
export function claimedMembers(allocated: AllocatedSite, role: BoundRole): BoundRole['members'] {
  return role.members.filter((member) => isClaimed(allocated.bound.nodes.get(member.node)))
}

export function isClaimed(node: BoundNode | undefined): boolean {
  return node !== undefined && (node.admin || node.machine !== null)
}

const memberLists = new WeakMap<BoundRole, { readonly members: Json; readonly addresses: Json }>()

function roleValue(allocated: AllocatedSite, role: BoundRole, node: BoundNode | null): Json {
  let lists = memberLists.get(role)
  if (lists === undefined) {
    const { admin } = allocated.bound.resolved.site.site.value
    const members = claimedMembers(allocated, role).map((member) => ({ node: member.node, index: member.index, addresses: addressesOf(allocated, member.node) }))
    lists = { members, addresses: role.external ?? members.flatMap((member) => member.addresses[admin.network] ?? []) }
    memberLists.set(role, lists)
  }
  const member = node === null ? undefined : memberOf(role, node.name)
  return { name: role.role.name, ...lists, ...(member === undefined ? {} : { index: member.index }) }
}

function networksNamed(evaluation: Evaluation, subject: Subject, name: string | undefined): Scope {
  const { networks } = evaluation.allocated.bound.resolved
  const logical = logicalNetworks(subject)
  const names = name === undefined ? [...networks.keys(), ...Object.keys(logical)] : [name]
  const entries: [string, Json][] = []
  for (const asked of names) {
    const network = networks.get(own(logical, asked) ?? asked)
    if (network !== undefined) entries.push([asked, networkValue(network, evaluation)])
  }
  return Object.fromEntries(entries)
}

function networkValue({ name, vlan, mtu, subnets }: ResolvedNetwork, evaluation: Evaluation): Json {
  return {
    name,
    vlan,
    mtu,
    subnets: subnets.map((subnet) => ({ cidr: subnet.cidr, prefix: subnet.interval.prefix, gateway: subnet.gateway === null ? null : formatAddress(subnet.gateway), dns: subnet.dns ?? evaluation.nameServers() })),
  }
}

/** A copy of a value with another one put at a path; what is on the way is made. */
export function insert(into: Json, path: readonly string[], value: Json): Json {
  const [key, ...rest] = path
  if (key === undefined) return value
  const object = into !== null && typeof into === 'object' && !Array.isArray(into) ? (into as Scope) : {}
  return { ...object, [key]: insert(own(object, key) ?? {}, rest, value) }
}
