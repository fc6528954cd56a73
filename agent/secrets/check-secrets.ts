import type { Ledger } from '../../schemas/ledger.ts'
import type { OperationPart } from '../../schemas/operation.ts'
import type { Plan, Step } from '../../schemas/plan.ts'
import { removedId } from '../../schemas/removal-id.ts'
import { stepDocument, stepParts } from '../../schemas/step-values.ts'
import type { CompiledWork } from '../engine/engine.ts'
import { nameOfSecret } from './secrets.ts'
import type { FoundSecret, Secrets, WantedSecret } from './secrets.ts'
import { secretsOfDocument } from './secrets-of-document.ts'

/** Why a run cannot be carried out: secrets of its steps that cannot be had, all of them in one sentence. */
export interface MissingSecrets {
  readonly code: 'SECRETS_MISSING'
  readonly message: string
  /** The first step that wants one. */
  readonly step: string
}

/** The most secrets that one message names. */
const NAMED = 5

/** Looks for every secret that these steps want, before any of them starts. Undefined: all are there. */
export async function checkSecrets(
  steps: readonly Step[], { plan, changes, commit }: CompiledWork, { secrets, ledger, signal }: { readonly secrets: Secrets; readonly ledger: Ledger; readonly signal: AbortSignal },
): Promise<MissingSecrets | undefined> {
  const wanted = new Map<string, { readonly secret: WantedSecret; readonly step: Step }>()
  const values = { ...plan.values, ...changes.values }
  // Many steps share the parts of their documents: each part is looked through once.
  const known = new Map<string, readonly WantedSecret[]>()
  for (const step of steps) {
    for (const role of rolesOf(step, values)) {
      for (const part of Object.values(stepParts(role, values) ?? {})) {
        const found = known.get(part) ?? secretsOfDocument(values[part] ?? null)
        known.set(part, found)
        for (const secret of found) if (!wanted.has(nameOfSecret(secret))) wanted.set(nameOfSecret(secret), { secret, step: role })
      }
    }
  }
  const missing: { readonly step: Step; readonly problem: Extract<FoundSecret, { kind: 'missing' }> }[] = []
  for (const { secret, step } of wanted.values()) {
    const found = await secrets.value(secret, { commits: commitsOf(step, { commit, ledger }), signal })
    if (found.kind === 'missing') missing.push({ step, problem: found })
  }
  const [first] = missing
  if (first === undefined) return undefined
  const more = missing.length - NAMED
  const message = [...missing.slice(0, NAMED).map(({ step, problem }) => `${problem.message}; ${step.id} wants it`), ...(more > 0 ? [`and ${more} more`] : [])].join('. ')
  return { code: 'SECRETS_MISSING', message, step: first.step.id }
}

/** The role steps whose documents a step dispatches: its own, or those of the roles that an operation is about. */
function rolesOf(step: Step, values: Plan['values']): readonly Step[] {
  if (step.kind === 'role') return [step]
  const part = step.kind === 'operation' ? (stepDocument(step, values)?.['operation'] as unknown as OperationPart | undefined) : undefined
  return part?.roles.map(({ step: id, attributes }) => ({ ...step, id, attributes })) ?? []
}

/** Where the secrets of a step are: in the commit of the run, and, for what undoes a step, in the one that it was done from. */
export function commitsOf(step: Pick<Step, 'id' | 'node'>, { commit, ledger }: { readonly commit: string; readonly ledger: Ledger }): readonly string[] {
  const entry = step.node === null ? undefined : ledger.nodes[step.node]?.steps[removedId(step.id) ?? step.id]
  return entry === undefined ? [commit] : [commit, entry.commit]
}
