import { suggest } from '../../schemas/cel/suggest.ts'
import type { WhyNot } from '../../schemas/control.ts'
import { heldBecause } from '../../schemas/ledger.ts'
import type { Ledger } from '../../schemas/ledger.ts'
import type { Plan } from '../../schemas/plan.ts'
import type { CompiledWork } from '../engine/engine.ts'
import type { Schedule } from '../engine/schedule.ts'
import type { State, StepState } from '../state/state.ts'

/** What `why-not` is told from. */
export interface WhyNotSources {
  readonly state: State
  readonly ledger: Ledger
  /** Of the last run; undefined before the first. */
  readonly work: CompiledWork | undefined
  readonly schedule: Schedule | undefined
  /** The newest one that compiled; null before the first. */
  readonly plan: Plan | null
}

/** How many steps an answer follows. */
const MOST = 50

/**
 * Why a step is not done: what it waits for now, and what that waits for, back to what runs, failed or has to come from
 * outside. Each step is told once. Pure.
 *
 * @returns null when no step is called so; `near` then is what may have been meant.
 */
export function whyNot(step: string, sources: WhyNotSources): { readonly answer: WhyNot } | { readonly answer: null; readonly near: string | undefined } {
  const known = new Set([...(sources.state.run?.steps.keys() ?? []), ...(sources.schedule?.blocked.keys() ?? []), ...(sources.plan?.steps ?? []).map(({ id }) => id), ...(sources.work?.changes.changes ?? []).map((one) => one.step.id)])
  if (!known.has(step)) return { answer: null, near: suggest(step, known) }
  const chain: WhyNot['chain'][number][] = []
  const seen = new Set([step])
  const queue = [step]
  for (let next = queue.shift(); next !== undefined && chain.length < MOST; next = queue.shift()) {
    const { state, because, next: more } = look(next, sources)
    chain.push({ step: next, state, because })
    for (const other of more) {
      if (seen.has(other)) continue
      seen.add(other)
      queue.push(other)
    }
  }
  return { answer: { step, chain } }
}

interface Look {
  readonly state: string
  readonly because: string[]
  readonly next: readonly string[]
}

function look(id: string, { state, ledger, schedule, work }: WhyNotSources): Look {
  const { run } = state
  const reasons = schedule?.blocked.get(id)
  const known = run?.steps.get(id)
  if (reasons !== undefined) {
    const ended = run?.ended === null || run === null ? [] : [`run ${run.run} ended ${run.ended.state}: ${run.ended.reason}`]
    return { state: 'blocked', because: [...reasons.map(({ message }) => message), ...ended], next: reasons.flatMap(({ step }) => (step === undefined ? [] : [step])) }
  }
  if (known !== undefined) return told(known)
  if (run?.ended === null && work?.changes.changes.some(({ step }) => step.id === id) === true) return { state: 'ready', because: ['it starts at once'], next: [] }
  const entry = Object.values(ledger.nodes).map(({ steps }) => steps[id]).find((one) => one !== undefined)
  const node = id.slice(id.lastIndexOf('@') + 1).split('#')[0] ?? ''
  const erased = ledger.nodes[node]?.erased
  if (entry === undefined && erased !== undefined) return { state: 'held', because: [heldBecause(node, erased)], next: [] }
  if (entry !== undefined) return { state: 'done', because: [`it succeeded at ${entry.time}, with commit ${entry.commit.slice(0, 12)}`], next: [] }
  return { state: 'not asked for', because: ['no run has been asked to do it: crowbar apply'], next: [] }
}

function told({ status, since, reason, code, retryAt }: StepState): Look {
  const said = reason ?? ''
  switch (status) {
    case 'running':
      return { state: 'running', because: [`since ${since}`], next: [] }
    case 'succeeded':
    case 'unchanged':
      return { state: 'done', because: [`${status} at ${since}`], next: [] }
    case 'failed':
      return { state: 'failed', because: [`${said}${code === null ? '' : ` (${code})`}, at ${since}`], next: [] }
    case 'skipped':
      return { state: 'skipped', because: [`${said} failed`], next: reason === null ? [] : [reason] }
    case 'cancelled':
      return { state: 'cancelled', because: [`by ${said}`], next: [] }
    case 'waiting':
    case 'unknown':
      return { state: status, because: [said], next: [] }
    case 'retrying':
      return { state: 'ready', because: [`${said}; again at ${retryAt}`], next: [] }
  }
}
