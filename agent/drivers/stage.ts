import type { Plan, Step } from '../../schemas/plan.ts'
import type { Driver, StepContext, StepOutcome } from './driver.ts'
import { stepStop } from './driver.ts'

/** Where machines fetch a staged set. `sha256` is 64 hex digits. */
export type StagedSet =
  | { readonly kind: 'file'; readonly url: string; readonly sha256: string; readonly bytes: number }
  /** A flat apt repository; `index`: SHA-256 of its file Packages, 64 hex digits; `key`: who signs it, an OpenPGP keyring in base64. */
  | { readonly kind: 'repository'; readonly url: string; readonly hash: string; readonly index: string; readonly key: string }

/** Brings the artifact sets of a plan into the agent's store. */
export interface Stager {
  /**
   * Has the set in the store when it resolves; quick when it was there before.
   * @throws {Error} with a literal `code`, and `retryable: true` when trying again may help.
   */
  ensure(name: string, plan: Plan, options: { readonly signal: AbortSignal; readonly onProgress: (message: string) => void }): Promise<StagedSet & { readonly fresh: boolean }>
  /** What ensure() gave, without fetching anything; undefined when it is not in the store (any more). */
  locate(name: string, plan: Plan): Promise<StagedSet | undefined>
  /** Where machines fetch a file of a barclamp, by its SHA-256. */
  content(file: { readonly sha256: string; readonly bytes: number }): { readonly url: string; readonly sha256: string; readonly bytes: number }
}

const PREFIX = 'stage/'

/** Has an artifact set in the store before the steps that need it start. Provides its `hash`. */
export function stageDriver(stager: Stager): Driver {
  const ensure = async (step: Step, context: StepContext): Promise<StepOutcome> => {
    const name = step.id.slice(PREFIX.length)
    if (context.plan.artifacts[name] === undefined) return { kind: 'failed', code: 'ARTIFACTS_UNKNOWN', message: `the plan has no artifact set ${name}`, retryable: false }
    try {
      const staged = await stager.ensure(name, context.plan, { signal: context.signal, onProgress: (message) => context.progress(message) })
      const hash = staged.kind === 'file' ? `sha256:${staged.sha256}` : staged.hash
      return { kind: staged.fresh ? 'succeeded' : 'unchanged', provides: { hash } }
    } catch (error) {
      if (context.signal.aborted && stepStop(context.signal) !== 'TIMEOUT') return { kind: 'cancelled' }
      if (context.signal.aborted) return { kind: 'failed', code: 'TIMEOUT', message: `${name} was not staged within ${step.timeout} seconds`, retryable: true }
      return failure(name, error)
    }
  }
  return {
    kind: 'stage',
    refuse: (step, plan) => (step.id.startsWith(PREFIX) && plan.artifacts[step.id.slice(PREFIX.length)]?.kind === 'content' ? 'content is staged with the plan, not by a step' : undefined),
    async run(step, context) {
      await context.intend({ machine: null, inputs: null })
      if (context.signal.aborted) return { kind: 'cancelled' }
      return ensure(step, context)
    },
    // Whatever was fetched is in the store or is not there at all: to ask for it again is to settle it.
    settle: (step, _sent, context) => ensure(step, context),
  }
}

/** Staging says itself what went wrong; an error without a code is a bug and goes on as one. */
function failure(name: string, error: unknown): StepOutcome {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') throw error
  const retryable = 'retryable' in error && error.retryable === true
  return { kind: 'failed', code: error.code, message: `staging ${name}: ${error.message}`, retryable }
}
