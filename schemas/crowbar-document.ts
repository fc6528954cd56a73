import type { Ledger } from './ledger.ts'
import type { Plan, PlanRole, Step } from './plan.ts'
import type { Json } from './shape.ts'

/**
 * The `crowbar` part of a step's document: who and where the step is. Made at dispatch, from the plan and the ledger;
 * in no digest.
 *
 * The founder is the plan's. Once the role has been bootstrapped and that member is gone, its place passes to the member
 * with the lowest index, and `bootstrapped` is true: a replaced founder never starts a second cluster.
 */
export function crowbarDocument(step: Step, { plan, ledger }: { readonly plan: Plan; readonly ledger: Ledger }): { readonly [key: string]: Json } {
  const node = step.node === null ? undefined : plan.nodes[step.node]
  const id = `${step.deployment}/${step.role}`
  // A removal may be of a role that is bound nowhere any more: it still has its name.
  const role = step.role === null ? undefined : plan.roles[id] ?? NOWHERE
  return {
    site: { name: plan.site.name, domain: plan.site.domain },
    deployment: step.deployment,
    node: node === undefined ? null : { name: step.node, addresses: node.addresses, tags: node.tags, labels: node.labels, os: node.os },
    step: step.id,
    action: step.action,
    role: role === undefined ? null : roleDocument(step, role, { plan, bootstrapped: ledger.roles?.[id]?.bootstrapped === true }),
  }
}

const NOWHERE: Pick<PlanRole, 'members' | 'founder'> = { members: [], founder: null }

function roleDocument(step: Step, role: Pick<PlanRole, 'members' | 'founder'>, { plan, bootstrapped }: { readonly plan: Plan; readonly bootstrapped: boolean }): Json {
  const own = role.members.find((member) => member.node === step.node)
  const founder = role.members.some((member) => member.node === role.founder) ? role.founder : null
  const successor = bootstrapped || role.founder === null ? (role.members[0]?.node ?? null) : role.founder
  return {
    name: step.role,
    index: own?.index ?? null,
    founder: founder ?? successor,
    bootstrapped,
    members: role.members.map(({ node, index }) => ({ node, index, addresses: plan.nodes[node]?.addresses ?? {} })),
  }
}
