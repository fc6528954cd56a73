import type { Report } from '../../schemas/diagnostic.ts'
import type { Json } from '../../schemas/shape.ts'
import type { AllocatedSite } from '../allocate/allocated-site.ts'
import type { BoundMember, BoundRole } from '../bind/bound-site.ts'
import type { StackQuestion } from './stack.ts'
import type { SecretUse } from './secret.ts'
import type { Subject } from './subject.ts'

/** What the parts of inject ask of each other; every answer is worked out once. */
export interface Evaluation {
  readonly allocated: AllocatedSite
  readonly report: Report
  /** `external`: the address of a role that somebody else runs. */
  subject: (question: StackQuestion, external?: string) => Subject
  /** A part of a subject's own attributes; undefined when there is none. */
  attribute: (subject: Subject, path: readonly string[]) => Json | undefined
  /** A value that the role of a subject wants; undefined when it declares no such want. */
  want: (subject: Subject, name: string) => Json | undefined
  /** What a member of a role provides, or what an external one at an address does. Null when that was reported as wrong. */
  provide: (role: BoundRole, name: string, from: BoundMember | { readonly external: string }) => Json
  /** Whom subnets without name servers of their own ask; none while that is being worked out. */
  nameServers: () => readonly string[]
  /** The value of a secret, by the name that an expression reads it by; null where `optional` allows that there is none. What is wrong is reported once a place. */
  secret: (path: string, use: SecretUse) => Json
}
