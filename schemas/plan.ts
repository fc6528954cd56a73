import { VALUE_TYPES } from './documents/barclamp.ts'
import { agentShape } from './documents/deployment.ts'
import { buildShape } from './documents/rule.ts'
import { CONSEQUENCES } from './documents/words.ts'
import { anything, boolean, integer, list, literal, map, nullable, object, oneOf, optional, string } from './shape.ts'
import type { TypeOf } from './shape.ts'

/** The plan's major version. A consumer refuses a newer one. */
export const PLAN_VERSION = 1

export const STEP_KINDS = ['discover', 'power', 'hardware', 'install', 'network', 'packages', 'stage', 'role', 'barrier', 'gate', 'release', 'operation'] as const
export type StepKind = (typeof STEP_KINDS)[number]

export const NEED_KINDS = ['lifecycle', 'requires', 'data', 'cluster', 'founder', 'deployment', 'fence'] as const
export type NeedKind = (typeof NEED_KINDS)[number]

const provideType = object({ type: oneOf(VALUE_TYPES), sensitive: boolean() })

/** Why one step comes after another, and the file:line:column that asked for it. */
const need = object({ at: string(), kind: oneOf(NEED_KINDS), step: string() })
export type Need = TypeOf<typeof need>

/** The smallest unit of work. `id` is a stable address; see the id grammar in docs/architecture.md. */
export const stepShape = object({
  id: string(),
  kind: oneOf(STEP_KINDS),
  action: oneOf(['run', 'remove', 'check', 'drain', 'resume', 'upgrade']),
  node: nullable(string()),
  runsOn: oneOf(['node', 'admin', 'discovery'], '`discovery`: on the node’s machine while that runs the discovery image, before its install.'),
  deployment: nullable(string()),
  role: nullable(string()),
  barclamp: nullable(string()),
  content: nullable(string({}, "Digest of the barclamp's files: a key of `contents`.")),
  jig: nullable(string()),
  entry: nullable(string()),
  attributes: nullable(string({}, 'Digest: a key of `values`. null: not known before a machine is claimed.')),
  artifacts: list(string({}, 'Names of artifact sets: keys of `artifacts`.')),
  packages: list(string({}, 'Distribution packages that the node needs for this step.')),
  provides: map(provideType, undefined, 'Values that the step reports when it ran.'),
  needs: list(need),
  once: nullable(string({}, 'Digest: the key of a destructive step.')),
  destructive: boolean(),
  timeout: integer({ min: 1 }, 'Seconds.'),
  retries: object({ max: integer({ min: 0 }), backoff: integer({ min: 0 }, 'Seconds.') }),
  onChange: map(oneOf(CONSEQUENCES)),
  removal: nullable(object({ entry: string(), deletesData: boolean() })),
  entries: map(string(), undefined, 'Other actions of the role: check, drain, resume, upgrade, preview → file.'),
  cohort: integer({ min: 0 }, '1 + the highest cohort of what it needs; 0 when it needs nothing.'),
  digest: string({}, 'Covers kind, action, node, content, attributes and wants, artifacts; nothing else.'),
})
export type Step = TypeOf<typeof stepShape>

/** One attachment of a node to a network, resolved onto its machine's ports. */
const attachment = object({
  network: string(),
  addresses: list(object({ address: string(), prefix: integer({ min: 0, max: 128 }), gateway: nullable(string()), dns: list(string()) })),
  ports: list(string({}, 'MACs; more than one only with a bond. Empty: no machine yet, or the port it booted from.')),
  bond: nullable(anything()),
  vlan: integer({ min: 0 }),
  mtu: integer({ min: 0 }),
  bridge: nullable(string()),
})
export type Attachment = TypeOf<typeof attachment>

const node = object({
  machine: nullable(string()),
  admin: boolean(),
  os: nullable(string()),
  hardware: nullable(string()),
  tags: list(string()),
  labels: map(string()),
  addresses: map(string(), undefined, 'Network → first address.'),
  attachments: list(attachment),
  index: integer({ min: 0 }),
  generation: integer({ min: 0 }),
  protect: boolean(),
  was: optional(string({}, 'The name that it had, as `moved` says.')),
  /** How the node finds its machine, for people and for `why-not`: "mac 52:54:…", "first free machine where …". */
  selector: string(),
  /** The pin of its `machine`: serial, mac, uuid, asset; empty when it claims by tags or `where`. */
  pin: map(string()),
  at: string({}, 'file:line:column of its document.'),
})
export type PlanNode = TypeOf<typeof node>

/** What the DHCP server and the installers need of a network. */
const network = object({
  vlan: integer({ min: 0 }),
  mtu: integer({ min: 0 }),
  subnets: list(
    object({ cidr: string(), gateway: nullable(string()), dns: list(string()), ranges: map(object({ first: string(), last: string() })) }),
  ),
})
export type PlanNetwork = TypeOf<typeof network>

const os = object({
  family: string(),
  version: string(),
  architecture: string(),
  install: string(),
  source: nullable(string({}, 'The distribution’s own.')),
  moreSources: optional(list(string(), {}, 'Others that packages are taken from. Absent: none.')),
  packages: list(string()),
})
export type PlanOs = TypeOf<typeof os>

const source = object({
  type: string(),
  upstream: anything(),
  suites: list(string()),
  components: list(string()),
  architectures: optional(list(string())),
  keyring: optional(string({}, 'A file of the site.')),
  keys: optional(string({}, 'What that file holds, base64.')),
  at: optional(string({}, 'path:line:column of what says whose signature counts, or what is built. Absent: the machine’s own apt says it.')),
  ref: optional(string()),
  sha256: optional(string()),
  patches: optional(list(object({ path: string(), text: string({}, 'Base64.') }))),
  submodules: optional(map(string(), undefined, 'Path → source.')),
  build: optional(buildShape),
})
export type PlanSource = TypeOf<typeof source>

/** Members of a role in a deployment; what `crowbar.role` is made of at dispatch. */
const boundRole = object({
  barclamp: string(),
  members: list(object({ node: string(), index: integer({ min: 0 }) }), {}, 'By index.'),
  founder: nullable(string()),
  cluster: boolean(),
  min: integer({ min: 0 }),
  lists: optional(list(object({ want: string(), role: string({}, 'deployment/role') }), {}, 'Wants that list all members of a role.')),
})
export type PlanRole = TypeOf<typeof boundRole>

/** What an agent has to have in its store before some step runs. */
const artifactSet = object({
  kind: oneOf(['rootfs', 'packages', 'content']),
  os: nullable(string()),
  packages: list(string()),
  builds: optional(list(string(), {}, 'Git sources that some of the packages are built from, by name. Absent: none.')),
  locked: optional(string({}, 'Digest of its file below artifacts/. Without it, its packages are those that the mirror has when they are staged.')),
})
export type ArtifactSet = TypeOf<typeof artifactSet>

const file = object({ sha256: string(), bytes: integer({ min: 0 }), mode: oneOf(['0644', '0755']) })

/** A subtree-shared attribute document: each part is the digest of a value in `values`. */
const sharedDocument = object({ parts: map(string()) })

/** What the plan cannot say yet, for whom, and why. */
const missing = object({ what: string(), for: string(), because: string(), disk: optional(string({}, 'Id of a disk that an installation of the node writes, and that is not in its machine any more.')) })
export type Missing = TypeOf<typeof missing>

/** A rollout as it is declared. What it governs and how large its batches come out is known when there are changes. */
const declaredRollout = object({
  id: string({}, '`rollout/<deployment>/<role>`, `rollout/<install|network|packages|reboot>` or `operation/<name>`.'),
  batches: list(string({}, 'Nodes, or a share of those with work: `3`, `10%`.'), { min: 1 }, 'The last repeats.'),
  maxFailures: string({}, 'Nodes, or a share of those with work.'),
  spreadBy: nullable(string({}, 'A label of nodes.')),
  gate: nullable(object({ role: string({}, 'deployment/role'), timeout: integer({ min: 1 }, 'Seconds.') })),
  pause: oneOf(['never', 'after-first', 'after-each']),
  at: string({}, 'file:line:column.'),
})
export type PlanRollout = TypeOf<typeof declaredRollout>

/** Work to do once. Its steps are steps as all others, and no part of the desired state: schemas/operation.ts. */
const operation = object({
  name: string(),
  at: string({}, 'file:line:column.'),
  do: list(string(), { min: 1 }, 'Actions in their order on each node.'),
  steps: list(stepShape, {}, 'Of every node that has a machine, by index: `operation/<name>/<action>@<node>`.'),
})
export type PlanOperation = TypeOf<typeof operation>

/** The whole desired state, as if from bare metal. Steps are in plan order. */
export const planShape = object({
  version: literal(PLAN_VERSION),
  id: string(),
  crowbar: string(),
  source: object({ commit: nullable(string()), tree: string(), lock: nullable(string({}, 'Digest of the lock it was allocated under.')) }),
  site: object({ name: string(), domain: string(), admin: object({ network: string(), address: string() }), automation: object({ discovery: string(), apply: string() }) }),
  complete: boolean(),
  missing: list(missing),
  nodes: map(node),
  networks: map(network),
  systems: map(os, undefined, 'Operating systems in use, by name.'),
  sources: map(source),
  agents: map(agentShape),
  roles: map(boundRole, undefined, 'By deployment/role.'),
  artifacts: map(artifactSet, undefined, 'By name, e.g. rootfs-debian-12.'),
  contents: map(map(file), undefined, 'Digest of a barclamp’s files → path → file.'),
  values: map(anything(), undefined, 'By digest: values, and documents { parts } that share them.'),
  steps: list(stepShape),
  operations: list(operation, {}, 'By name.'),
  rollouts: list(declaredRollout, {}, 'By id.'),
  warnings: list(string()),
})
export type Plan = TypeOf<typeof planShape>
export type SharedDocument = TypeOf<typeof sharedDocument>
export type ContentFile = TypeOf<typeof file>
export { sharedDocument as sharedDocumentShape }
