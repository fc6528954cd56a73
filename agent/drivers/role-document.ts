import { digest } from '../../schemas/canonical.ts'
import { crowbarDocument } from '../../schemas/crowbar-document.ts'
import type { ContentFile, Step } from '../../schemas/plan.ts'
import { removedId } from '../../schemas/removal-id.ts'
import type { RoleTask } from '../../schemas/protocol.ts'
import { resolveDocument } from '../../schemas/resolve-deferred.ts'
import type { Json } from '../../schemas/shape.ts'
import { stepDocument } from '../../schemas/step-values.ts'
import type { StepDocument } from '../../schemas/step-values.ts'
import { toldOf, toldToPart } from '../../schemas/told.ts'
import type { Secrets } from '../secrets/secrets.ts'
import type { StepOutcome, StepView, StepWaiting } from './driver.ts'
import { replaceAt } from './json-pointer.ts'
import { inputKey, provided, resolveInputs } from './resolve-inputs.ts'
import type { Stager } from './stage.ts'

/** Milliseconds between looks; a machine that connects asks sooner. */
const LOOK = 60_000

/** What a role is given, every value resolved. */
export interface RoleDocument {
  readonly kind: 'ready'
  readonly document: { readonly [key: string]: Json }
  /** JSON pointers of what must not be logged. */
  readonly sensitive: readonly string[]
  /** Sensitive values that went into it: they must not be logged by themselves either. */
  readonly mask: readonly Json[]
  /** Digest of the document, what is sensitive replaced by its reference. */
  readonly inputs: string
  /** `toldOf` it. */
  readonly told: string | null
}

/**
 * Resolves the document of a role step, with the `crowbar` part that says who and where it is.
 *
 * @param options.reference a keyed digest that stands for a sensitive value.
 */
export async function roleDocument(step: Step, context: StepView, { reference, secrets }: { readonly reference: (value: Json) => string; readonly secrets: Secrets }): Promise<RoleDocument | StepOutcome> {
  const { plan, changes } = context
  // The document of a removal is among the changes, but for what the plan has of it already.
  const planned = stepDocument(step, plan.values) ?? (step.attributes === null ? null : stepDocument(step, { ...plan.values, ...changes.values }))
  if (step.action === 'remove' && (planned === null || filesOf(step, context) === undefined)) {
    return { kind: 'failed', code: 'VALUES_LOST', message: `what ${removedId(step.id)} was given is not in the ledger any more, so it cannot be undone: put it back with an edit that runs it again, apply that, and take it out then; or install ${step.node} again`, retryable: false }
  }
  if (planned === null) return waitForMachine(`what ${step.id} is given is not known before ${step.node} has a machine`)
  const inputs = await resolveInputs(planned, { step, context, secrets })
  if (inputs.kind === 'missing') return { kind: 'failed', code: inputs.code, message: inputs.message, retryable: false }
  const { document, sensitive, failed: [wrong] } = resolveDocument(planned, (input) => inputs.values.get(inputKey(input)))
  if (wrong !== undefined) return { kind: 'failed', code: 'DEFERRED_INVALID', message: `${wrong.pointer}: ${wrong.message}`, retryable: false }
  return { kind: 'ready', document: { ...(document as StepDocument), crowbar: crowbarDocument(step, context) }, sensitive, mask: inputs.sensitive, inputs: digest(replaceAt(document, sensitive, reference)), told: toldOf(Object.fromEntries(Object.entries(planned).map(([part, value]) => [part, toldToPart(value, (from) => provided(from, context))]))) }
}

/** Where the node fetches the files of the step's barclamp. */
export function contentOf(step: Pick<Step, 'content'>, view: Pick<StepView, 'plan' | 'changes'>, stager: Stager): RoleTask['content'] {
  return Object.entries(filesOf(step, view) ?? {}).map(([path, file]) => ({ path, mode: file.mode, file: stager.content(file) }))
}

/** By path; undefined when neither the plan nor the changes have the listing. */
function filesOf({ content }: Pick<Step, 'content'>, { plan, changes }: Pick<StepView, 'plan' | 'changes'>): Readonly<Record<string, ContentFile>> | undefined {
  return content === null ? {} : (plan.contents[content] ?? (changes.values[content] as Readonly<Record<string, ContentFile>> | undefined))
}

/** Nothing can be sent before something happens to the node's machine. */
export function waitForMachine(reason: string): StepWaiting {
  return { kind: 'waiting', reason, afterMs: LOOK, on: 'machine' }
}
