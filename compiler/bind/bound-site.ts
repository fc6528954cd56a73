import type { MachineDocument } from '../../schemas/documents/node.ts'
import type { OperationDocument } from '../../schemas/documents/deployment.ts'
import type { RolloutDocument } from '../../schemas/documents/words.ts'
import type { OsDocument, HardwareDocument, RuleDocument } from '../../schemas/documents/rule.ts'
import type { Facts } from '../../schemas/inventory.ts'
import type { Range } from '../../schemas/diagnostic.ts'
import type { Lock } from '../../schemas/lock.ts'
import type { Missing } from '../../schemas/plan.ts'
import type { ResolvedRole, ResolvedSite, RoleBinding } from '../resolve/resolved-site.ts'
import type { Located, SiteNode } from '../validate/site.ts'

/** What the rules say of one machine. The first that sets a field wins; tags add up. */
export interface RuleOutcome {
  readonly os: { readonly value: string; readonly rule: Located<RuleDocument> } | null
  readonly hardware: { readonly value: string; readonly rule: Located<RuleDocument> } | null
  readonly tags: readonly string[]
  readonly labels: Readonly<Record<string, string>>
  /** Those that match, the strongest first. */
  readonly rules: readonly Located<RuleDocument>[]
}

/** A machine that discovery has seen. */
export interface BoundMachine {
  readonly id: string
  readonly facts: Facts
  readonly state: 'available' | 'quarantined' | 'retired'
  /** The document that says so; null: none does. */
  readonly stateBy: Located<MachineDocument> | null
  /** Those of `machine` documents, without those of rules. */
  readonly declaredTags: readonly string[]
  /** The node whose pin names it, which rules see as `node`. */
  readonly pinnedBy: SiteNode | null
  readonly outcome: RuleOutcome
}

/** A node with the machine that it claims and with what rules add. */
export interface BoundNode {
  readonly name: string
  readonly index: number
  readonly site: SiteNode
  readonly admin: boolean
  readonly machine: BoundMachine | null
  /** For people: "mac 52:54:00:12:4d:01", "first free machine where …". */
  readonly selector: string
  readonly os: Located<OsDocument> | null
  readonly hardware: Located<HardwareDocument> | null
  /** Declared ones, then those of rules; sorted, once each. */
  readonly tags: readonly string[]
  readonly labels: Readonly<Record<string, string>>
  readonly rules: readonly Located<RuleDocument>[]
  readonly generation: number
  readonly protect: boolean
}

export interface BoundMember {
  readonly node: string
  readonly index: number
  /** What asked for it: an entry of `nodes`, the `where`, a lock line, or the `requires` of an implicit role. */
  readonly at: Range
}

/** A role in a deployment, with the nodes it is bound to. */
export interface BoundRole {
  /** `deployment/role`. */
  readonly key: string
  readonly deployment: string
  readonly role: ResolvedRole
  /** Empty for an implicit role that the deployment does not name. */
  readonly binding: RoleBinding
  /** By index. */
  readonly members: readonly BoundMember[]
  readonly founder: string | null
  /** Addresses of a role that somebody else runs; null when it is ours. */
  readonly external: readonly string[] | null
}

/** Work to do once, with the nodes that it is for. */
export interface BoundOperation {
  readonly name: string
  readonly document: Located<OperationDocument>
  /** By index, those without a machine too; null: its document is at fault. */
  readonly members: readonly BoundNode[] | null
}

/** A rollout as it is declared, its gate found. */
export interface BoundRollout {
  /** `rollout/<deployment>/<role>`, `rollout/<install|network|packages|reboot>` or `operation/<name>`. */
  readonly id: string
  readonly value: RolloutDocument
  /** `role`: deployment/role; `timeout`: a duration. */
  readonly gate: { readonly role: string; readonly timeout: string } | null
  readonly at: Range
}

/** The site with machines, nodes and roles put together. */
export interface BoundSite {
  readonly resolved: ResolvedSite
  /** Every machine seen, by id. */
  readonly machines: ReadonlyMap<string, BoundMachine>
  /** By name. */
  readonly nodes: ReadonlyMap<string, BoundNode>
  /** By `deployment/role`; deployments in their order, roles by name. */
  readonly roles: ReadonlyMap<string, BoundRole>
  /** `role@node` → the deployment whose step it is: the first one that binds it. */
  readonly owners: ReadonlyMap<string, string>
  /** By name. */
  readonly operations: ReadonlyMap<string, BoundOperation>
  readonly rollouts: readonly BoundRollout[]
  readonly missing: readonly Missing[]
  /** The claims, nodes and bindings of the new lock. */
  readonly lock: Pick<Lock, 'claims' | 'nodes' | 'bindings'>
}
