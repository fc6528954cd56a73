import { digest } from '../../../schemas/canonical.ts'
import type { Change, Changes, Rollout } from '../../../schemas/changes.ts'
import type { OperationPart } from '../../../schemas/operation.ts'
import type { Plan, Step } from '../../../schemas/plan.ts'
import type { Json } from '../../../schemas/shape.ts'

export type StepInput = Omit<Partial<Step>, 'needs'> & { readonly id: string; readonly needs?: readonly (string | Step['needs'][number])[]; readonly document?: Readonly<Record<string, Json>> }

const values: Record<string, Json> = {}

function keep(value: Json): string {
  const key = digest(value)
  values[key] = value
  return key
}

/** A step as the compiler would write it; what a test does not say follows from the id: kind, node, role. */
export function step(input: StepInput): Step {
  const { id, document, needs = [], ...rest } = input
  const [, deployment = null, role = null] = /^([^/@]+)\/([^/@#]+)@/.exec(id) ?? []
  const kind = rest.kind ?? (id.startsWith('discover@') ? 'discover' : id.startsWith('install@') ? 'install' : id.startsWith('stage/') ? 'stage' : id.startsWith('barrier/') ? 'barrier' : 'role')
  const node = rest.node !== undefined ? rest.node : (/@([^#]+)/.exec(id)?.[1] ?? null)
  const attributes = document === undefined ? (rest.attributes ?? null) : keep({ parts: Object.fromEntries(Object.entries(document).map(([name, value]) => [name, keep(value)])) })
  const made: Omit<Step, 'digest'> = {
    id,
    kind,
    action: id.endsWith('#remove') ? 'remove' : 'run',
    node,
    runsOn: node === null ? 'admin' : 'node',
    deployment: kind === 'role' ? deployment : null,
    role: kind === 'role' ? role : null,
    barclamp: kind === 'role' ? 'test' : null,
    content: null,
    jig: kind === 'role' ? 'script' : null,
    entry: kind === 'role' ? 'run.sh' : null,
    artifacts: [],
    packages: [],
    provides: {},
    once: null,
    destructive: false,
    timeout: 60,
    retries: { max: 0, backoff: 0 },
    onChange: {},
    removal: null,
    entries: {},
    cohort: 0,
    ...rest,
    attributes,
    needs: needs.map((need) => (typeof need === 'string' ? { step: need, kind: 'requires', at: 'site.yaml:1:1' } : need)),
  }
  return { ...made, digest: rest.digest ?? digest({ id, attributes, document: document ?? null }) }
}

/** A plan of these steps. Every node that a step names is there, with a machine `m-<node>` unless `nodes` says otherwise. */
export function planOf(steps: readonly Step[], more: Omit<Partial<Plan>, 'nodes'> & { readonly nodes?: Readonly<Record<string, Partial<Plan['nodes'][string]>>> } = {}): Plan {
  const names = new Set([...steps.flatMap((one) => (one.node === null ? [] : [one.node])), ...Object.keys(more.nodes ?? {})])
  const nodes = Object.fromEntries(
    [...names].map((name, index) => [
      name,
      {
        machine: `m-${name}`,
        admin: false,
        os: 'debian-12',
        hardware: null,
        tags: [],
        labels: {},
        addresses: { admin: `192.0.2.${index + 10}` },
        attachments: [],
        index,
        generation: 0,
        protect: false,
        selector: `mac of ${name}`,
        at: 'site.yaml:1:1',
        ...more.nodes?.[name],
      },
    ]),
  )
  const used = Object.fromEntries(Object.entries(values))
  return {
    version: 1,
    crowbar: '0.1.0',
    source: { commit: null, tree: '', lock: null },
    site: { name: 'test', domain: 'test.example.com', admin: { network: 'admin', address: '192.0.2.1' }, automation: { discovery: 'commit', apply: 'manual' } },
    complete: true,
    missing: [],
    networks: {},
    systems: {},
    sources: {},
    agents: {},
    roles: {},
    artifacts: {},
    contents: {},
    operations: [],
    rollouts: [],
    warnings: [],
    ...more,
    id: more.id ?? digest(steps.map((one) => one.digest)),
    nodes: nodes as Plan['nodes'],
    values: used,
    steps,
  }
}

/** Changes that ask for these steps of a plan (all of them when not said), and for removals that it does not have. */
export function changesOf(plan: Plan, input: { readonly ids?: readonly string[]; readonly removals?: readonly Step[]; readonly approve?: readonly string[]; readonly rollouts?: Changes['rollouts'] } = {}): Changes {
  const steps = [...(input.removals ?? []), ...[...plan.steps, ...plan.operations.flatMap((one) => one.steps)].filter((one) => input.ids === undefined || input.ids.includes(one.id))]
  const change = (one: Step): Change => ({
    step: one,
    consequence: one.kind === 'install' ? 'reinstall' : 'run',
    certain: true,
    causes: [{ kind: 'new', path: null, before: null, after: null, at: null }],
    disks: [],
    needsApproval: input.approve?.includes(one.id) ?? false,
    protectedBy: null,
  })
  return {
    version: 1,
    id: digest({ plan: plan.id, steps: steps.map((one) => one.id) }),
    base: { kind: 'ledger', commit: null, run: null, state: null },
    plan: plan.id,
    commit: null,
    changes: steps.map(change),
    unchanged: plan.steps.length - steps.length,
    values: {},
    renamed: [],
    rollouts: input.rollouts ?? [],
    overrides: [],
    moved: { claims: 0, addresses: 0 },
    violations: [],
    missing: [],
  }
}

/** A rollout of these steps over these batches. */
export function rolloutOf(steps: readonly Step[], batches: readonly (readonly string[])[], more: Partial<Rollout> = {}): Rollout {
  return { id: 'rollout/d/r', steps: steps.map((one) => one.id), batches, maxFailures: 0, gate: null, pause: 'never', at: 'site.yaml:1:1', ...more }
}

/** An operation that does these things on these nodes, in this order on each; the roles are steps of the plan. */
export function operationOf(name: string, nodes: readonly string[], actions: readonly { readonly do: OperationPart['do']; readonly roles?: readonly string[]; readonly targets?: OperationPart['targets']; readonly holds?: number }[], more: Partial<Step> = {}): Plan['operations'][number] {
  const steps = nodes.flatMap((node) => actions.map((action, index) => {
    const id = (at: number): string => `operation/${name}/${actions[at]?.do}@${node}`
    const roles = (action.roles ?? []).map((role) => ({ step: `${role}@${node}`, barclamp: 'test', content: 'none', jig: 'script', entry: `${action.do}.sh`, attributes: null, timeout: 60 }))
    const part: OperationPart = { name, do: action.do, place: index + 1, of: actions.length, roles, targets: action.targets ?? [], ...(action.holds === undefined ? {} : { holds: action.holds }) }
    const erases = action.do === 'erase' ? { runsOn: 'discovery' as const, destructive: true, once: digest({ erase: name, targets: part.targets as unknown as Json }) } : {}
    const needs = index === 0 ? [] : [{ step: id(index - 1), kind: 'fence' as const, at: 'op.yaml:1:1' }]
    return step({ id: id(index), kind: 'operation', node, runsOn: 'node', document: { operation: part as unknown as Json, members: nodes as unknown as Json }, needs, ...erases, ...more })
  }))
  return { name, at: 'op.yaml:1:1', do: actions.map((action) => action.do), steps }
}
