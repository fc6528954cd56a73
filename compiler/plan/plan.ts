import { digest, digestLarge } from '../../schemas/canonical.ts'
import { PLAN_VERSION } from '../../schemas/plan.ts'
import type { Plan, PlanNode, PlanNetwork, PlanRole } from '../../schemas/plan.ts'
import { sourcesOfOs } from '../../schemas/documents/rule.ts'
import type { OsDocument, SourceDocument as SourceSpec } from '../../schemas/documents/rule.ts'
import type { Json } from '../../schemas/shape.ts'
import type { BoundNode, BoundRole, BoundSite } from '../bind/bound-site.ts'
import { minimumOf } from '../bind/check-roles.ts'
import { findRole } from '../bind/find-role.ts'
import { pinOf } from '../bind/selector.ts'
import { addressesOf } from '../inject/scope.ts'
import type { OrderedSite } from '../order/ordered-site.ts'
import { placeOf, rangeOf } from '../parse/document.ts'
import type { Located } from '../validate/site.ts'
import { formatAddress } from '../resolve/address.ts'
import { hasFlag } from '../resolve/resolved-site.ts'
import type { ResolvedNetwork, ResolvedSite } from '../resolve/resolved-site.ts'
import { artifactSets } from './artifact-sets.ts'
import { planOperations, planRollouts } from './operations.ts'
import { planStep } from './steps.ts'
import { Values } from './values.ts'

export interface PlanSourceIds {
  readonly crowbar: string
  readonly commit: string | null
  /** Digest over the files that the site is made of. */
  readonly tree: string
  readonly warnings: readonly string[]
}

/** Writes the plan down: the whole desired state, every value by its digest. */
export function plan(ordered: OrderedSite, { crowbar, commit, tree, warnings }: PlanSourceIds): Plan {
  const { injected } = ordered
  const { allocated } = injected
  const { bound } = allocated
  const { resolved } = bound
  const { value: site } = resolved.site.site
  const values = new Values()
  const { artifacts, unlocked } = artifactSets(injected)
  const steps = ordered.steps.map((step) => planStep(step, { ordered, artifacts, values }))
  const missing = [...bound.missing, ...allocated.missing, ...injected.missing, ...unlocked]
  const systems = [...new Map([...bound.nodes.values()].flatMap(({ os }) => (os === null ? [] : [[os.value.name, os.value] as const]))).values()]
  const operations = planOperations(bound.operations, { steps, artifacts, values, targets: allocated.targets })
  const contents = new Map(steps.flatMap((step) => (step.content === null || step.barclamp === null ? [] : [[step.content, resolved.barclamps.get(step.barclamp)?.files] as const])))
  const unsigned: Omit<Plan, 'id'> = {
    version: PLAN_VERSION,
    crowbar,
    source: { commit, tree, lock: digest(allocated.lock as unknown as Json) },
    site: { name: site.name, domain: site.domain, admin: site.admin, automation: { discovery: site.automation?.discovery ?? 'commit', apply: site.automation?.apply ?? 'manual' } },
    complete: missing.length === 0,
    missing,
    nodes: Object.fromEntries([...bound.nodes].map(([name, node]) => [name, planNode(ordered, node)])),
    networks: Object.fromEntries([...resolved.networks].map(([name, network]) => [name, planNetwork(network, injected.nameServers)])),
    systems: Object.fromEntries(systems.map((os) => [os.name, { family: os.family, version: os.version, architecture: os.architecture, install: os.install, ...systemSources(os), packages: os.packages ?? [] }])),
    sources: planSources(resolved, systems, artifacts),
    agents: Object.fromEntries([...resolved.site.agents].map(([name, { value }]) => [name, value])),
    roles: Object.fromEntries(
      [...bound.roles.values()].map((role) => [
        role.key,
        { barclamp: role.role.barclamp.name, members: role.members.map(({ node, index }) => ({ node, index })), founder: role.founder, cluster: hasFlag(role.role, 'cluster'), min: minimumOf(role), ...listsOf(role, bound) },
      ]),
    ),
    artifacts,
    contents: Object.fromEntries([...contents].map(([key, files]) => [key, Object.fromEntries([...(files ?? [])].map(([path, { sha256, bytes, mode }]) => [path, { sha256, bytes, mode }]))])),
    values: values.all(),
    steps,
    operations,
    rollouts: planRollouts(bound.rollouts),
    warnings,
  }
  return { ...unsigned, id: planId(unsigned) }
}

/** The wants of a role that list all members of one. */
function listsOf(role: BoundRole, bound: BoundSite): Pick<PlanRole, 'lists'> {
  const lists = Object.entries(role.role.declaration.wants ?? {}).flatMap(([want, { from, many, deployment }]) => {
    if (from === undefined || many !== true) return []
    const [found] = findRole(bound, { role: from, deployment: deployment ?? role.deployment, node: null }).found
    return found === undefined ? [] : [{ want, role: found.key }]
  })
  return lists.length === 0 ? {} : { lists }
}

/** Digest over the plan without its id; of the values, which are under their digests already, over those alone. */
export function planId(plan: Omit<Plan, 'id'>): string {
  const { values, ...rest } = plan
  return digestLarge({ ...rest, values: Object.keys(values).toSorted() } as unknown as { readonly [key: string]: Json })
}

function planNode({ injected: { allocated } }: OrderedSite, node: BoundNode): PlanNode {
  return {
    machine: node.machine?.id ?? null,
    admin: node.admin,
    os: node.os?.value.name ?? null,
    hardware: node.hardware?.value.name ?? null,
    tags: node.tags,
    labels: node.labels,
    addresses: addressesOf(allocated, node.name),
    attachments: allocated.attachments.get(node.name) ?? [],
    index: node.index,
    generation: node.generation,
    protect: node.protect,
    ...(node.site.value.moved === undefined ? {} : { was: node.site.value.moved.from }),
    selector: node.selector,
    pin: pinOf(node.site.value.machine),
    at: placeOf(node.site.at),
  }
}

function planNetwork({ vlan, mtu, subnets }: ResolvedNetwork, nameServers: readonly string[]): PlanNetwork {
  return {
    vlan,
    mtu,
    subnets: subnets.map(({ cidr, gateway, dns, ranges }) => ({
      cidr,
      gateway: gateway === null ? null : formatAddress(gateway),
      dns: dns ?? nameServers,
      ranges: Object.fromEntries([...ranges].map(([name, { first, last }]) => [name, { first: formatAddress(first), last: formatAddress(last) }])),
    })),
  }
}

/** Where systems of the plan come from, and what else the site says of upstreams: the admin node serves them all. */
function planSources(resolved: ResolvedSite, systems: readonly OsDocument[], artifacts: Plan['artifacts']): Plan['sources'] {
  const built = Object.values(artifacts).flatMap(({ builds = [] }) => builds).flatMap((name) => [name, ...Object.values(resolved.sources.get(name)?.value.submodules ?? {})])
  const used = [...systems.flatMap(sourcesOfOs), ...built].map((name) => resolved.sources.get(name))
  return Object.fromEntries([...used, ...resolved.site.sources.values()].flatMap((one) => (one === undefined ? [] : [[one.value.name, planSource(one, resolved)]])))
}

function planSource({ value, source }: Located<SourceSpec>, { keyrings, patches }: ResolvedSite): Plan['sources'][string] {
  const { name, type, upstream, suites = [], components = [], architectures, keyring, ref, sha256, submodules, build } = value
  const patched = patches.get(name)
  const keys = keyrings.get(name)
  const signed = type === 'apt' && (keyring !== undefined || upstream !== 'system')
  return {
    type, upstream, suites, components, ...(architectures === undefined ? {} : { architectures }), ...(keyring === undefined ? {} : { keyring }), ...(keys === undefined ? {} : { keys }),
    ...(signed ? { at: placeOf(rangeOf(source, [keyring === undefined ? 'upstream' : 'keyring'])) } : build === undefined ? {} : { at: placeOf(rangeOf(source, ['build'], 'key')) }), ...(ref === undefined ? {} : { ref }), ...(sha256 === undefined ? {} : { sha256 }),
    ...(patched === undefined ? {} : { patches: patched }), ...(submodules === undefined ? {} : { submodules }), ...(build === undefined ? {} : { build }),
  }
}

function systemSources(os: OsDocument): Pick<Plan['systems'][string], 'source' | 'moreSources'> {
  const [source = null, ...more] = sourcesOfOs(os)
  return { source, ...(more.length === 0 ? {} : { moreSources: more }) }
}
