import { canonical } from '../../schemas/canonical.ts'
import type { DeferredInput } from '../../schemas/deferred.ts'
import type { Step } from '../../schemas/plan.ts'
import { inputsOfDocument } from '../../schemas/resolve-deferred.ts'
import type { ResolvedInput } from '../../schemas/resolve-deferred.ts'
import type { Json } from '../../schemas/shape.ts'
import { findStep } from '../state/ledger-event-of.ts'
import { commitsOf } from '../secrets/check-secrets.ts'
import type { Reported } from '../../schemas/told.ts'
import type { Secrets } from '../secrets/secrets.ts'
import type { StepView } from './driver.ts'

/** The values that the deferred values of a document wait for, by inputKey(); those that are sensitive once more by themselves. */
export type ResolvedInputs = { readonly kind: 'found'; readonly values: ReadonlyMap<string, ResolvedInput>; readonly sensitive: readonly Json[] } | { readonly kind: 'missing'; readonly code: string; readonly message: string }

/** One name for each input. */
export function inputKey(input: DeferredInput): string {
  return canonical(input)
}

/**
 * Finds everything that the deferred values of a document read: what steps provided, in this run or, when they stand, as
 * the ledger has it, and secrets. Sensitive values are unsealed and decrypted here, and nowhere before.
 */
export async function resolveInputs(document: Json, { step, context, secrets }: { readonly step: Step; readonly context: StepView; readonly secrets: Secrets }): Promise<ResolvedInputs> {
  const values = new Map<string, ResolvedInput>()
  for (const input of inputsOfDocument(document)) {
    if ('secret' in input) {
      const found = await secrets.value(input, { commits: commitsOf(step, context), signal: context.signal })
      if (found.kind === 'missing') return found
      values.set(inputKey(input), { value: found.value, sensitive: true })
      continue
    }
    const found = provided(input.step, context)
    const reference = found?.sealed[input.provide]
    if (reference !== undefined) {
      const opened = await unseal(reference, context)
      if (opened === undefined) return { kind: 'missing', code: 'SEALED_MISSING', message: `${input.provide} of ${input.step} was sealed by another agent: run that step again` }
      values.set(inputKey(input), { value: opened.value, sensitive: true })
      continue
    }
    const value = found === undefined || !Object.hasOwn(found.provides, input.provide) ? undefined : found.provides[input.provide]
    if (value === undefined) return { kind: 'missing', code: 'PROVIDE_UNKNOWN', message: `${input.step} has not provided ${input.provide}` }
    values.set(inputKey(input), { value, sensitive: false })
  }
  return { kind: 'found', values, sensitive: [...values.values()].filter(({ sensitive }) => sensitive).map(({ value }) => value) }
}

/** What a step has reported: in this run or, when it stands, as the ledger has it. */
export function provided(id: string, { state, ledger, plan, changes }: StepView): Reported | undefined {
  const now = state.run?.steps.get(id)
  if (now?.status === 'succeeded' || now?.status === 'unchanged') return now
  const node = findStep(id, { plan, changes })?.node ?? null
  const entries = node === null ? Object.values(ledger.nodes) : [ledger.nodes[node]]
  return entries.map((one) => one?.steps[id]).find((entry) => entry !== undefined)
}

async function unseal(reference: string, context: StepView): Promise<{ readonly value: Json } | undefined> {
  try {
    return { value: await context.unseal(reference) }
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'SEALED_MISSING' || error.code === 'SEALED_BROKEN')) return undefined
    throw error
  }
}
