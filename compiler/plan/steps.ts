import { byCodePoint, digest } from '../../schemas/canonical.ts'
import type { Step } from '../../schemas/plan.ts'
import type { Json } from '../../schemas/shape.ts'
import { stepDigest } from '../../schemas/step-digest.ts'
import type { BoundNode } from '../bind/bound-site.ts'
import type { NodeRole } from '../inject/injected-site.ts'
import { isImaged, packagesOf, packagesOfRole, rootfsOf } from '../order/artifacts.ts'
import type { OrderedSite, OrderedStep } from '../order/ordered-site.ts'
import { hasFlag } from '../resolve/resolved-site.ts'
import type { ResolvedRole } from '../resolve/resolved-site.ts'
import { installOf } from './install.ts'
import { seconds } from './seconds.ts'
import type { Values } from './values.ts'
import type { ArtifactSets } from './artifact-sets.ts'

export interface StepParts {
  readonly ordered: OrderedSite
  readonly artifacts: ArtifactSets
  readonly values: Values
}

/** What a step has beside what every step has. */
type Fields = Partial<Omit<Step, 'digest'>>

/** A step with everything that carrying it out takes. */
export function planStep(step: OrderedStep, parts: StepParts): Step {
  const { id, kind, node, deployment, role, needs, cohort } = step
  const planned: { -readonly [K in keyof Step]: Step[K] } = { ...BARE, id, kind, node, deployment, role, needs, cohort, runsOn: kind === 'role' || kind === 'install' ? 'node' : 'admin', ...fieldsOf(step, parts) }
  // A stage step is what it stages; for every other step the set is only where its packages come from.
  planned.digest = kind === 'stage' ? stepDigest(planned, planned.artifacts.map((name) => [name, parts.artifacts[name] as unknown as Json])) : stepDigest(planned)
  return planned
}

const NOTHING: readonly never[] = []

/** Fields in the order of their names, which steps keep: what is in order already is hashed quickest. */
const BARE: Step = {
  action: 'run', artifacts: NOTHING, attributes: null, barclamp: null, cohort: 0, content: null, deployment: null, destructive: false, digest: '',
  entries: {}, entry: null, id: '', jig: null, kind: 'role', needs: NOTHING, node: null, onChange: {}, once: null, packages: NOTHING,
  provides: {}, removal: null, retries: { backoff: 0, max: 0 }, role: null, runsOn: 'admin', timeout: 1800,
}

function fieldsOf(step: OrderedStep, parts: StepParts): Fields {
  const node = step.node === null ? undefined : parts.ordered.injected.allocated.bound.nodes.get(step.node)
  switch (step.kind) {
    case 'discover':
      return { attributes: parts.values.addDocument(discoverDocument(node)), timeout: 86_400 }
    case 'install':
      return installFields(node as BoundNode, parts)
    case 'stage':
      return stageFields(step.artifact, parts)
    case 'barrier':
      return { timeout: 86_400 }
    case 'role':
      return roleFields(step.nodeRole as NodeRole, parts)
  }
}

/** Its document is what is locked, so that an update shows package by package. */
function stageFields(artifact: string | null, { ordered, artifacts, values }: StepParts): Fields {
  if (artifact === null) return { timeout: 7200 }
  const locked = artifacts[artifact]?.locked === undefined ? undefined : ordered.injected.allocated.bound.resolved.artifacts.get(artifact)?.content
  const attributes = locked === undefined ? null : values.addDocument({ packages: locked.packages, releases: locked.releases, wanted: locked.wanted, ...(locked.builds === undefined ? {} : { builds: locked.builds }) })
  return { artifacts: [artifact], attributes, timeout: 7200 }
}

/** Names `protect` so that a change of it is a change of this step, and reaches the ledger although nothing else runs. */
function discoverDocument(node: BoundNode | undefined): { readonly [part: string]: Json } {
  const machine = { machine: node?.machine?.id ?? null, selector: node?.selector ?? '' }
  return node?.protect === true ? { machine, protect: true } : { machine }
}

function installFields(node: BoundNode, { ordered, values }: StepParts): Fields {
  const install = installOf(ordered.injected.allocated, node)
  const joined = node.os?.value.install === 'joined'
  return {
    attributes: install === null ? null : values.addDocument({ install: install.document as unknown as Json }),
    artifacts: node.os !== null && isImaged(node) ? [rootfsOf(node.os.value)] : NOTHING,
    once: install?.once ?? null,
    destructive: !joined,
    timeout: 3600,
  }
}

function roleFields(nodeRole: NodeRole, { values }: StepParts): Fields {
  const { role, node } = nodeRole
  const packages = packagesOfRole(role.role, node)
  return {
    ...declaredFields(role.role),
    attributes: nodeRole.parts === null ? null : values.addDocument(nodeRole.parts),
    artifacts: packages.length > 0 && node.os !== null ? [packagesOf(node.os.value)] : NOTHING,
    packages,
    once: hasFlag(role.role, 'destructive') || hasFlag(role.role, 'discovery') ? onceOf(nodeRole) : null,
  }
}

const declared = new WeakMap<ResolvedRole, Fields>()

/** What all steps of a role have, once for all of them. */
function declaredFields(role: ResolvedRole): Fields {
  let fields = declared.get(role)
  if (fields !== undefined) return fields
  const { declaration, barclamp } = role
  const destructive = hasFlag(role, 'destructive')
  const { remove } = declaration
  const entries = (['check', 'drain', 'preview', 'resume', 'upgrade'] as const).flatMap((action) => (declaration[action] === undefined ? [] : [[action, declaration[action]] as const]))
  const reported = Object.entries(declaration.provides ?? {}).filter(([, provide]) => provide.value === undefined)
  fields = {
    runsOn: hasFlag(role, 'discovery') ? 'discovery' : 'node',
    barclamp: barclamp.name,
    content: barclamp.content,
    jig: declaration.jig ?? 'noop',
    entry: declaration.run ?? null,
    provides: inOrder(reported.map(([name, provide]) => [name, { sensitive: provide.sensitive ?? false, type: provide.type }])),
    destructive,
    timeout: seconds(declaration.timeout ?? '30m'),
    retries: destructive || declaration.retries === undefined ? BARE.retries : { backoff: seconds(declaration.retries.backoff ?? '10s'), max: declaration.retries.max },
    onChange: inOrder(Object.entries(declaration.onChange ?? {})),
    removal: remove === undefined ? null : typeof remove === 'string' ? { deletesData: true, entry: remove } : { deletesData: remove.deletesData ?? true, entry: remove.run },
    entries: Object.fromEntries(entries),
  }
  declared.set(role, fields)
  return fields
}

function inOrder<T>(entries: readonly (readonly [string, T])[]): { readonly [name: string]: T } {
  return Object.fromEntries(entries.toSorted(([a], [b]) => byCodePoint(a, b)))
}

/**
 * A destructive role, and one that comes before the install, runs once an installation, and again when a value changes
 * for which it has to: paths are those of its own attributes, with or without the barclamp's name, and of `wants`.
 * `default: wipe` stands for all that no other path names. The node is told by its machine: under another name it is the
 * same one.
 */
function onceOf({ role, node, parts }: NodeRole): string | null {
  if (parts === null || node.machine === null) return null
  const { name } = role.role.barclamp
  const declared = Object.entries(role.role.declaration.onChange ?? {}).filter(([path]) => path !== 'default')
  const place = (path: string): readonly string[] => (path === 'wants' || path.startsWith('wants.') || path === name || path.startsWith(`${name}.`) ? path : `${name}.${path}`).split('.')
  const given = { [name]: parts[name] ?? null, wants: parts['wants'] ?? null }
  const wiping = declared.filter(([, consequence]) => consequence === 'wipe').map(([path]) => [path, at(given, place(path))] as const)
  const others = role.role.declaration.onChange?.['default'] === 'wipe' ? [['default', declared.reduce<Json>((left, [path]) => without(left, place(path)), given)] as const] : []
  return digest({ machine: node.machine.id, generation: node.generation, wiping: Object.fromEntries([...wiping, ...others]) })
}

function at(value: Json, path: readonly string[]): Json {
  let found: Json = value
  for (const key of path) found = (found as { readonly [key: string]: Json } | null)?.[key] ?? null
  return found
}

/** The same value, but for what is at a path. */
function without(value: Json, [key, ...rest]: readonly string[]): Json {
  if (key === undefined || value === null || typeof value !== 'object' || Array.isArray(value) || !Object.hasOwn(value, key)) return value
  const map = value as { readonly [key: string]: Json }
  const { [key]: inner = null, ...others } = map
  return rest.length === 0 ? others : { ...others, [key]: without(inner, rest) }
}
