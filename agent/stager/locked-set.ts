import type { Artifacts } from '../../schemas/artifacts.ts'
import type { Plan } from '../../schemas/plan.ts'
import { stepDocument } from '../../schemas/step-values.ts'

/** What is locked for an artifact set. */
export type LockedSet = Pick<Artifacts, 'packages' | 'releases' | 'wanted' | 'builds'>

/** What a plan has locked for one of its artifact sets; undefined: what the mirror has when it is staged. */
export function lockedSet(name: string, plan: Plan): LockedSet | undefined {
  if (plan.artifacts[name]?.locked === undefined) return undefined
  const step = plan.steps.find(({ id }) => id === `stage/${name}`)
  const document = step === undefined ? null : stepDocument(step, plan.values)
  return document === null ? undefined : (document as unknown as LockedSet)
}
