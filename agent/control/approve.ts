import { approvalCode, approvalCovers } from '../../schemas/approval.ts'
import type { Approval, Changes } from '../../schemas/changes.ts'
import type { ApproveAnswer, ApproveRequest, PendingApproval } from '../../schemas/control.ts'
import type { Plan } from '../../schemas/plan.ts'
import type { Engine } from '../engine/engine.ts'
import type { EventStore } from '../log/store.ts'
import type { State } from '../state/state.ts'
import { approvable, matching } from './approvals.ts'
import { printable } from './printable.ts'
import { pendingApproval } from './status.ts'

export interface ApproveOptions {
  readonly work: { readonly plan: Plan; readonly changes: Changes } | null
  readonly engine: Engine
  /** Remembers what was shown. */
  readonly store: Pick<EventStore, 'read'>
  readonly by: string
}

const PAGE = 1000

/**
 * Approves what the patterns name, exactly as it is now; with `seen`, only when all of it is what was shown. Says what
 * differs when it is not, and then approves nothing. Rollouts that have a pause before them go on after it.
 */
export async function approve({ steps: patterns, seen, dryRun }: ApproveRequest, { work, engine, store, by }: ApproveOptions): Promise<ApproveAnswer> {
  if (work === null) return { outcome: 'nothing', approved: [], approvals: [], rollouts: [], message: 'nothing was compiled yet' }
  const { state } = engine
  const possible = approvable(work.plan, work.changes, state)
  const chosen = matching(patterns, possible.keys()).flatMap(step => possible.get(step) ?? [])
  const approvals = printable(chosen.map(one => pendingApproval(one, work.plan.steps.find(({ id }) => id === one.step)?.node ?? null, state)))
  const pausing = new Map((engine.schedule?.rollouts ?? []).flatMap(({ id, pauseAfter }) => (pauseAfter === null ? [] : [[id, pauseAfter]])))
  const rollouts = matching(patterns, pausing.keys())
  const answer = (outcome: ApproveAnswer['outcome'], message: string): ApproveAnswer => ({ outcome, approved: outcome === 'approved' ? [...chosen.map(({ step }) => step), ...rollouts] : [], approvals, rollouts, message: printable(message) })
  if (chosen.length + rollouts.length === 0) {
    const names = [...possible.keys(), ...pausing.keys()]
    const others = names.length === 0 ? 'nothing waits for an approval' : `what can be approved: ${names.join(', ')}`
    return answer('nothing', `nothing that can be approved matches ${patterns.join(' ')}; ${others}.`)
  }
  const changed = seen === undefined ? [] : chosen.filter(one => !seen.includes(approvalCode(one)))
  if (changed.length > 0) {
    const shown = await approvalsByCode(seen ?? [], store)
    return answer('changed', `nothing was approved. ${changed.map(one => `${describe(one, approvals)}; ${difference(one, { shown, state })}`).join('. ')}.`)
  }
  const said = [...chosen.map(one => describe(one, approvals)), ...rollouts.map(id => `${id} to go on after batch ${(pausing.get(id) ?? 0) + 1}`)].join('; ')
  if (dryRun === true) return answer('shown', said)
  for (const one of chosen) await engine.approve(one, { by })
  for (const id of rollouts) await engine.resumeRollout(id, { by })
  return answer('approved', `approved ${said}.`)
}

/** What is approved, in full. */
function describe({ step }: Approval, approvals: readonly PendingApproval[]): string {
  const shown = approvals.find(one => one.step === step)
  const disks = shown?.disks.map(disk => `${disk.id} (serial ${disk.serial || 'none'}, ${disk.bytes} bytes: ${disk.summary})`) ?? []
  return disks.length === 0 ? step : `${step}, which overwrites ${disks.join(' and ')} of machine ${shown?.machine}`
}

/** Why what a step waits for now is not what was shown of it. */
function difference(now: Approval, { shown, state }: { readonly shown: readonly Approval[]; readonly state: State }): string {
  const before = shown.find(one => one.step === now.step)
  if (before === undefined) return 'that is not what was shown: none of the codes is of this step'
  const targets = now.disks.map(({ id, serial, bytes }) => ({ entry: '', id, serial, bytes }))
  const covers = approvalCovers(before, { step: now.step, once: now.once, machine: now.machine, disks: state.machines.get(now.machine)?.disks ?? [], targets })
  return `that is not what was shown: ${covers === true ? 'it has changed since' : covers.replace('what was approved', 'what was shown')}`
}

/** What was asked for under some codes, newest first. */
async function approvalsByCode(codes: readonly string[], store: ApproveOptions['store']): Promise<readonly Approval[]> {
  const found: Approval[] = []
  for (let after = 0; ;) {
    const page = await store.read({ after, type: 'step.waiting', limit: PAGE })
    for (const event of page) {
      const approval = event.type === 'step.waiting' ? event.data.approval : null
      if (approval !== null && codes.includes(approvalCode(approval))) found.unshift(approval)
    }
    const end = page.at(-1)
    if (end === undefined || page.length < PAGE) return found
    after = end.seq
  }
}
