import { approvalCovers, approvalFor, approvalKey, diskIsKnownBlank, seenAs, signatureDigest } from '../../schemas/approval.ts'
import type { Approval } from '../../schemas/changes.ts'
import type { InstallTarget } from '../../schemas/install.ts'
import type { DiskState } from '../../schemas/inventory.ts'
import type { Step } from '../../schemas/plan.ts'
import type { ExpectedDisk } from '../log/event-types.ts'
import type { UnfinishedAttempt } from '../state/state.ts'

/** What decides whether an install may write. */
export interface DiskQuestion {
  readonly step: Step
  readonly machine: string
  readonly targets: readonly InstallTarget[]
  /** Every disk of the machine as it was last looked at. */
  readonly disks: readonly DiskState[]
  /** In force for this step, if any. */
  readonly approval: Approval | undefined
  /** A logged attempt of this step that was sent and has not succeeded. */
  readonly unfinished: UnfinishedAttempt | undefined
  /** Blank disks are written only when a person allowed that, too. */
  readonly alwaysAsk?: boolean
}

export type DiskDecision =
  /** Write: what must be on each disk, and whether a person allowed to destroy it. `resumed`: the stamp of the attempt before counts too. */
  | { readonly kind: 'write'; readonly disks: readonly ExpectedDisk[]; readonly approved: boolean; readonly resumed: UnfinishedAttempt | null }
  /** A target is not among the machine's disks. */
  | { readonly kind: 'missing'; readonly reason: string }
  /** A person has to approve. `voids`: the approval in force does not cover what is there. */
  | { readonly kind: 'ask'; readonly reason: string; readonly approval: Approval; readonly voids: string | null }
  /** It cannot even be approved: the plan does not say yet what the step would do. */
  | { readonly kind: 'unknown'; readonly reason: string }

/**
 * Whether an install may write its target disks. Pure; the node holds the same against its disks before the first write.
 *
 * It may when every target is known to be blank, when an approval covers exactly what is on them, or when each of them is
 * as the unfinished attempt found it or carries that attempt's stamp, so that an interrupted install goes on under what
 * it was allowed.
 */
export function chooseDisks(question: DiskQuestion): DiskDecision {
  const { step, machine, targets, disks, approval } = question
  const key = approvalKey(step)
  if (key === null) return { kind: 'unknown', reason: 'what it would overwrite is not known yet' }
  const seen: DiskState[] = []
  for (const target of targets) {
    const disk = seenAs(target, disks)
    if (disk === null) return { kind: 'missing', reason: `machine ${machine} does not show ${target.entry} disk ${target.id} (serial ${target.serial || 'none'}, ${target.bytes} bytes)` }
    seen.push(disk)
  }

  const unfinished = resumable(question)
  const covers = approval === undefined ? undefined : approvalCovers(approval, { step: step.id, once: key, machine, disks, targets, ...(unfinished === undefined ? {} : { stamps: stampsOf(unfinished, targets) }) })
  if (unfinished !== undefined && ((!unfinished.approved && question.alwaysAsk !== true) || covers === true)) {
    return { kind: 'write', disks: unfinished.disks ?? [], approved: unfinished.approved, resumed: unfinished }
  }
  if (approval !== undefined && covers === true) return { kind: 'write', disks: approval.disks, approved: true, resumed: null }
  if (question.alwaysAsk !== true && seen.every((disk) => diskIsKnownBlank(disk))) return { kind: 'write', disks: seen.map(expected), approved: false, resumed: null }
  return {
    kind: 'ask',
    reason: `it overwrites ${seen.filter((disk) => question.alwaysAsk === true || !diskIsKnownBlank(disk)).map(describe).join(', ')}`,
    approval: approvalFor(step, machine, disks, targets),
    voids: typeof covers === 'string' ? covers : null,
  }
}

/** The unfinished attempt, if it was about the same machine, disks and work, and nothing but itself has touched them since. */
function resumable({ step, machine, targets, disks, unfinished }: DiskQuestion): UnfinishedAttempt | undefined {
  if (unfinished === undefined || unfinished.once !== step.once || unfinished.machine !== machine || unfinished.disks === null || unfinished.stamp === null) return undefined
  const { disks: expectedDisks, stamp } = unfinished
  if (expectedDisks.length !== targets.length) return undefined
  const same = targets.every((target) => {
    const before = expectedDisks.find((disk) => disk.id === target.id)
    const disk = seenAs(target, disks)
    if (before === undefined || disk === null || before.serial !== target.serial || before.bytes !== target.bytes) return false
    return disk.stamp === stamp || signatureDigest(disk) === before.signature
  })
  return same ? unfinished : undefined
}

function stampsOf({ stamp }: UnfinishedAttempt, targets: readonly InstallTarget[]): Record<string, string> {
  return Object.fromEntries(targets.map((target) => [target.id, stamp ?? '']))
}

function expected(disk: DiskState): ExpectedDisk {
  return { id: disk.id, serial: disk.serial, bytes: disk.bytes, signature: signatureDigest(disk) }
}

function describe(disk: DiskState): string {
  return `${disk.id} (serial ${disk.serial || 'none'}: ${disk.stamp === null ? disk.summary : 'an unfinished write'})`
}
