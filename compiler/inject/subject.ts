import type { BoundNode, BoundRole } from '../bind/bound-site.ts'
import type { ResolvedBarclamp, ResolvedDeployment } from '../resolve/resolved-site.ts'
import type { Merged } from './merge.ts'

/** Whose attributes are meant: a barclamp's, on a node, for a role in a deployment; each of the last three may be absent. */
export interface Subject {
  readonly barclamp: ResolvedBarclamp
  readonly node: BoundNode | null
  readonly deployment: ResolvedDeployment | null
  readonly role: BoundRole | null
  /** The address of a role that somebody else runs. */
  readonly external: string | null
  readonly merged: Merged
}
