import { digest } from '../../schemas/canonical.ts'
import type { Step } from '../../schemas/plan.ts'
import type { Json } from '../../schemas/shape.ts'
import type { BoundNode } from '../bind/bound-site.ts'
import type { NodeRole } from '../inject/injected-site.ts'
import { packagesOf, packagesOfRole, rootfsOf } from '../order/artifacts.ts'
import type { OrderedSite, OrderedStep } from '../order/ordered-site.ts'
import { hasFlag } from '../resolve/resolved-site.ts'
import { installOf } from './install.ts'
import { seconds } from './seconds.ts'
import type { Values } from './values.ts'
import type { ArtifactSets } from './artifact-sets.ts'

export interface StepParts {
  readonly ordered: OrderedSite
  readonly artifacts: ArtifactSets
  readonly values: Values
}

type Unsigned = Omit<Step, 'digest'>

/** A step with everything that carrying it out takes. */
export function planStep(step: OrderedStep, parts: StepParts): Step {
  const unsigned = unsignedStep(step, parts)
  const { kind, action, node, content, attributes, artifacts } = unsigned
  // A stage step is what it stages; for every other step the set is only where its packages come from.
  const covered: Json = kind === 'stage' ? artifacts.map((name) => [name, parts.artifacts[name] as unknown as Json]) : artifacts
  return { ...unsigned, digest: digest({ kind, action, node, content, attributes, artifacts: covered }) }
}

function unsignedStep(step: OrderedStep, parts: StepParts): Unsigned {
  const bare = bareStep(step)
  const node = step.node === null ? undefined : parts.ordered.injected.allocated.bound.nodes.get(step.node)
  switch (step.kind) {
    case 'discover':
      return { ...bare, attributes: parts.values.addDocument(discoverDocument(node)), timeout: 86_400 }
    case 'install':
      return installStep(bare, node as BoundNode, parts)
    case 'stage':
      return { ...bare, artifacts: step.artifact === null ? [] : [step.artifact], timeout: 7200 }
    case 'barrier':
      return { ...bare, timeout: 86_400 }
    case 'role':
      return roleStep(bare, step.nodeRole as NodeRole, parts)
  }
}

function bareStep({ id, kind, node, deployment, role, needs, cohort }: OrderedStep): Unsigned {
  return {
    id, kind, action: 'run', node, runsOn: kind === 'role' || kind === 'install' ? 'node' : 'admin', deployment, role,
    barclamp: null, content: null, jig: null, entry: null, attributes: null, artifacts: [], packages: [], provides: {}, needs,
    once: null, destructive: false, timeout: 1800, retries: { max: 0, backoff: 0 }, onChange: {}, removal: null, entries: {}, cohort,
  }
}

/** Names `protect` so that a change of it is a change of this step, and reaches the ledger although nothing else runs. */
function discoverDocument(node: BoundNode | undefined): { readonly [part: string]: Json } {
  const machine = { machine: node?.machine?.id ?? null, selector: node?.selector ?? '' }
  return node?.protect === true ? { machine, protect: true } : { machine }
}

function installStep(bare: Unsigned, node: BoundNode, { ordered, values }: StepParts): Unsigned {
  const install = installOf(ordered.injected.allocated, node)
  const joined = node.os?.value.install === 'joined'
  return {
    ...bare,
    attributes: install === null ? null : values.addDocument({ install: install.document as unknown as Json }),
    artifacts: joined || node.os === null ? [] : [rootfsOf(node.os.value)],
    once: install?.once ?? null,
    destructive: !joined,
    timeout: 3600,
  }
}

function roleStep(bare: Unsigned, nodeRole: NodeRole, { values }: StepParts): Unsigned {
  const { role, node } = nodeRole
  const { declaration, barclamp } = role.role
  const packages = packagesOfRole(role.role, node)
  const destructive = hasFlag(role.role, 'destructive')
  const { remove } = declaration
  const removal = remove === undefined ? null : typeof remove === 'string' ? { entry: remove, deletesData: true } : { entry: remove.run, deletesData: remove.deletesData ?? true }
  const entries = (['check', 'drain', 'resume', 'upgrade'] as const).flatMap((action) => (declaration[action] === undefined ? [] : [[action, declaration[action]] as const]))
  const reported = Object.entries(declaration.provides ?? {}).filter(([, provide]) => provide.value === undefined)
  return {
    ...bare,
    barclamp: barclamp.name,
    content: barclamp.content,
    jig: declaration.jig ?? 'noop',
    entry: declaration.run ?? null,
    attributes: nodeRole.parts === null ? null : values.addDocument(nodeRole.parts),
    artifacts: packages.length > 0 && node.os !== null ? [packagesOf(node.os.value)] : [],
    packages,
    provides: Object.fromEntries(reported.map(([name, provide]) => [name, { type: provide.type, sensitive: provide.sensitive ?? false }])),
    once: destructive ? onceOf(nodeRole) : null,
    destructive,
    timeout: seconds(declaration.timeout ?? '30m'),
    retries: destructive || declaration.retries === undefined ? { max: 0, backoff: 0 } : { max: declaration.retries.max, backoff: seconds(declaration.retries.backoff ?? '10s') },
    onChange: declaration.onChange ?? {},
    removal,
    entries: Object.fromEntries(entries),
  }
}

/** A destructive role runs once an installation, and again when an attribute changes for which it has to. */
function onceOf({ role, node, parts }: NodeRole): string | null {
  if (parts === null || node.machine === null) return null
  const attributes = parts[role.role.barclamp.name] ?? null
  const wiping = Object.entries(role.role.declaration.onChange ?? {}).filter(([path, consequence]) => path !== 'default' && consequence === 'wipe').map(([path]) => [path, at(attributes, path.split('.'))] as const)
  return digest({ node: node.name, machine: node.machine.id, generation: node.generation, wiping: Object.fromEntries(wiping) })
}

function at(value: Json, path: readonly string[]): Json {
  let found: Json = value
  for (const key of path) found = (found as { readonly [key: string]: Json } | null)?.[key] ?? null
  return found
}
