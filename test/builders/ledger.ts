import { foldInto } from '../../agent/ledger/fold.ts'
import { draftOf } from '../../agent/ledger/ledger-draft.ts'
import type { LedgerEvent } from '../../agent/ledger/ledger-event.ts'
import type { Changes } from '../../schemas/changes.ts'
import { incarnation } from '../../schemas/incarnation.ts'
import type { DiskState, MachineState } from '../../schemas/inventory.ts'
import { EMPTY_LEDGER } from '../../schemas/ledger.ts'
import type { Ledger } from '../../schemas/ledger.ts'
import type { Plan, Step } from '../../schemas/plan.ts'
import { heldGeneration, stepTargets } from '../../schemas/step-targets.ts'
import { stepValues } from '../../schemas/step-values.ts'
import { TARGET_BYTES } from './plan.ts'

type Without<T, K extends string> = T extends unknown ? Omit<T, K> : never

/** Folds events, numbered from where the ledger stands. */
export function folded(ledger: Ledger, events: readonly Without<LedgerEvent, 'seq'>[]): Ledger {
  const draft = draftOf(ledger)
  let seq = ledger.run?.seq ?? 0
  for (const event of events) foldInto(draft, { ...event, seq: ++seq } as LedgerEvent)
  return draft
}

/** A ledger after all (or some) steps of a plan were sent and succeeded and machines were looked at again, on top of another. */
export function applied(plan: Plan, options: { readonly onto?: Ledger; readonly only?: (step: Step) => boolean; readonly machines?: readonly MachineState[] } = {}): Ledger {
  const events: Without<LedgerEvent, 'seq'>[] = [
    { type: 'run.started', run: 118, commit: plan.source.commit ?? '', plan: plan.id, time: '2026-03-01T10:00:00.000Z', epoch: 1 },
  ]
  for (const step of plan.steps) if (options.only?.(step) ?? true) events.push(...ran(step, plan))
  for (const machine of options.machines ?? []) events.push({ type: 'machine.seen', machine })
  events.push({ type: 'run.ended', state: 'complete', time: '2026-03-01T10:10:00.000Z' })
  return folded(options.onto ?? EMPTY_LEDGER, events)
}

/** A step sent, and nothing heard since. */
export function wasSent(step: Step, plan: Plan): Without<LedgerEvent, 'seq'> {
  const holds = heldGeneration(step, plan.values)
  return { type: 'step.sent', step, index: indexOf(step, plan), machine: machineOf(step, plan), disks: stepTargets(step, plan.values).map(({ id }) => id), ...(holds === undefined ? {} : { holds }) }
}

/** A step sent and succeeded. */
export function ran(step: Step, plan: Plan): readonly Without<LedgerEvent, 'seq'>[] {
  const node = step.node === null ? undefined : plan.nodes[step.node]
  return [
    wasSent(step, plan),
    {
      type: 'step.succeeded',
      step,
      index: indexOf(step, plan),
      machine: machineOf(step, plan),
      incarnation: step.kind === 'install' && step.node !== null ? incarnation({ node: step.node, once: step.once, attempt: `1/${step.id}/1` }) : null,
      protect: node?.protect === true && !node.admin ? node.at : null,
      founder: null,
      commit: plan.source.commit ?? '',
      time: '2026-03-01T10:05:00.000Z',
      inputs: step.digest,
      told: null,
      provides: {},
      sealed: {},
      values: stepValues(step, { values: plan.values, contents: plan.contents }),
    },
  ]
}

/** The step of a plan with this id. */
export function stepOf(plan: Plan, id: string): Step {
  const found = plan.steps.find((step) => step.id === id)
  if (found === undefined) throw new Error(`no step ${id} in the plan under test`)
  return found
}

/** A disk as a builder's plan targets it: serial `S-<id>`, 960 GB; blank unless a summary says what is on it. */
export function disk(id: string, summary = 'blank', changes: Partial<DiskState> = {}): DiskState {
  const blank = summary === 'blank'
  return { id, serial: `S-${id}`, model: 'Example 960', bytes: TARGET_BYTES, blank, signature: blank ? '{"blank":true}' : JSON.stringify({ table: summary }), summary, stamp: null, ...changes }
}

/** A machine with these disks. */
export function machine(id: string, disks: readonly DiskState[]): MachineState {
  return { id, seen: '2026-03-01T09:00:00.000Z', disks }
}

/** Changes as they may run: each after what it needs. */
export function inOrder({ changes }: Changes): readonly Changes['changes'][number][] {
  const byId = new Map(changes.map((one) => [one.step.id, one]))
  const done = new Set<Changes['changes'][number]>()
  const visit = (one: Changes['changes'][number] | undefined): void => {
    if (one === undefined || done.has(one)) return
    for (const need of one.step.needs) visit(byId.get(need.step))
    done.add(one)
  }
  for (const one of changes) visit(one)
  return [...done]
}

function indexOf(step: Step, plan: Plan): number | null {
  return step.node === null ? null : (plan.nodes[step.node]?.index ?? null)
}

function machineOf(step: Step, plan: Plan): string | null {
  return step.node === null ? null : (plan.nodes[step.node]?.machine ?? null)
}
