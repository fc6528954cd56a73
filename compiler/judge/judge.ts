import { digestLarge } from '../../schemas/canonical.ts'
import { compile, evaluate } from '../../schemas/cel/evaluate.ts'
import type { Changes } from '../../schemas/changes.ts'
import type { PolicyDocument } from '../../schemas/documents/deployment.ts'
import type { Plan } from '../../schemas/plan.ts'
import type { OrderedSite } from '../order/ordered-site.ts'
import { placeOf, rangeOf } from '../parse/document.ts'
import type { Located } from '../validate/site.ts'
import { POLICY_ENVIRONMENT, policyBindings } from './policy-environment.ts'

/** Policies by name. */
export type Policies = ReadonlyMap<string, Located<PolicyDocument>>

const LEVELS = ['advise', 'warn', 'deny']

/** Work that one policy may cost: a hundred thousand changes and a few questions about each. */
const COST_LIMIT = 20_000_000

/**
 * Judges policies over a plan and what leads to it, by name: the changes with what is violated. A policy that cannot
 * be evaluated is violated, whatever its level: nobody knows that it holds.
 *
 * @param former those of the commit before: one that is gone, or says something else now, counts once more.
 */
export function judge(changes: Changes, plan: Plan, policies: Policies, former: Policies = new Map()): Changes {
  const gone = [...former.values()].filter(({ value }) => !stands(value, policies.get(value.name)?.value))
  if (policies.size + gone.length === 0) return changes
  const bindings = policyBindings(changes, plan)
  const violations = [...changes.violations]
  for (const { value, source } of policies.values()) {
    const why = violation(value, bindings)
    if (why !== undefined) violations.push({ policy: value.name, level: value.level, message: why, at: placeOf(rangeOf(source, ['check'])) })
  }
  for (const { value, source } of gone) {
    const why = violation(value, bindings)
    if (why !== undefined) violations.push({ policy: value.name, level: value.level, message: `${why} (so it was in the commit before: a policy is taken away or changed by a commit of its own)`, at: placeOf(rangeOf(source, ['check'])) })
  }
  const { id: _, ...rest } = changes
  const judged = { ...rest, violations, judged: policies.size + gone.length }
  return { ...judged, id: digestLarge(judged) }
}

/** Whether a policy is still there and no weaker than it was. */
function stands(before: PolicyDocument, now: PolicyDocument | undefined): boolean {
  return now !== undefined && now.check === before.check && LEVELS.indexOf(now.level) >= LEVELS.indexOf(before.level)
}

/** The policies of a site that compiled. */
export function policiesOf({ ordered }: { readonly ordered: OrderedSite }): Policies {
  return ordered.injected.allocated.bound.resolved.site.policies
}

/** What is said of a policy that is violated; undefined when it holds. */
function violation({ check, message }: PolicyDocument, bindings: ReturnType<typeof policyBindings>): string | undefined {
  const { program } = compile(check, POLICY_ENVIRONMENT)
  const result = program === undefined ? undefined : evaluate(program, bindings, { costLimit: COST_LIMIT })
  if (result?.kind === 'value' && result.value === true) return undefined
  if (result?.kind === 'value' && result.value === false) return message
  return `${message} (it cannot be judged: ${result?.kind === 'error' ? result.message : 'the check is neither true nor false'})`
}
