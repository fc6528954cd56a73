import type { Missing, Need } from '../../schemas/plan.ts'
import type { Json } from '../../schemas/shape.ts'
import type { AllocatedSite } from '../allocate/allocated-site.ts'
import type { BoundMember, BoundNode, BoundRole } from '../bind/bound-site.ts'
import type { Evaluator } from './evaluator.ts'
import type { Subject } from './subject.ts'

/** A role on a node, with all that it is given. */
export interface NodeRole {
  /** `deployment/role@node`: the id of its step. */
  readonly id: string
  readonly role: BoundRole
  readonly member: BoundMember
  readonly node: BoundNode
  readonly subject: Subject
  readonly wants: { readonly [name: string]: Json }
  /** What its document hangs on, in words; undefined when it is known. */
  readonly pending: string | undefined
  /** Part → value; null when it is pending. */
  readonly parts: { readonly [part: string]: Json } | null
  /** Steps whose reports it waits for. */
  readonly data: readonly Need[]
  /** Roles, by `deployment/role`, of which it waits for every member's report. */
  readonly dataOfAll: readonly { readonly role: string; readonly at: string }[]
}

/** The site with every attribute in place. */
export interface InjectedSite {
  /** With the name servers in attachments whose subnet names none. */
  readonly allocated: AllocatedSite
  /** Whom subnets without name servers of their own ask. */
  readonly nameServers: readonly string[]
  /** Only those that have a step of their own; by id. */
  readonly nodeRoles: ReadonlyMap<string, NodeRole>
  readonly missing: readonly Missing[]
  /** Answers further questions, for `explain`. */
  readonly evaluator: Evaluator
}
