import type { Need, StepKind } from '../../schemas/plan.ts'
import type { InjectedSite, NodeRole } from '../inject/injected-site.ts'

/** A step with its place in the order; what it is given is added by `plan`. */
export interface OrderedStep {
  readonly id: string
  readonly kind: Extract<StepKind, 'discover' | 'install' | 'stage' | 'role' | 'barrier'>
  readonly node: string | null
  readonly deployment: string | null
  readonly role: string | null
  /** Of a role step. */
  readonly nodeRole: NodeRole | null
  /** Of a stage step: the artifact set. */
  readonly artifact: string | null
  /** By step, once each, in code point order. */
  readonly needs: readonly Need[]
  readonly cohort: number
}

/** The site with all of its steps in order: what a step needs first, then cohort, then id. */
export interface OrderedSite {
  readonly injected: InjectedSite
  readonly steps: readonly OrderedStep[]
}
