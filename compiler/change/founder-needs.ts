import type { Ledger } from '../../schemas/ledger.ts'
import { own } from '../../schemas/own.ts'
import type { Plan } from '../../schemas/plan.ts'

/**
 * The plan, in which members wait for their founder only where the cluster has still to be founded.
 *
 * A plan says how everything is made from nothing. Where a role is bootstrapped, a founder that is lost, left out or fails
 * holds up nobody.
 */
export function withoutFounders(plan: Plan, base: Pick<Ledger, 'roles'>): Plan {
  const stands = (step: Plan['steps'][number]): boolean => step.needs.some(({ kind }) => kind === 'founder') && own(base.roles ?? {}, `${step.deployment}/${step.role}`)?.bootstrapped === true
  if (!plan.steps.some(stands)) return plan
  return { ...plan, steps: plan.steps.map((step) => (stands(step) ? { ...step, needs: step.needs.filter(({ kind }) => kind !== 'founder') } : step)) }
}
