import { byCodePoint, digest, digestBytes } from './canonical.ts'
import type { Digest } from './canonical.ts'
import type { Approval } from './changes.ts'
import type { InstallTarget } from './install.ts'
import type { DiskState } from './inventory.ts'
import type { Step } from './plan.ts'

/** Why a step cannot be approved as things are: nobody may approve what nobody has seen. */
export class ApprovalError extends Error {
  readonly code: 'NO_ONCE_KEY' | 'DISK_NOT_SEEN'

  constructor(code: ApprovalError['code'], message: string) {
    super(message)
    this.name = 'ApprovalError'
    this.code = code
  }
}

/** What an approval is held against, when a step is sent and again on the node before the first write. */
export interface ApprovalSubject {
  readonly step: string
  /** approvalKey() of the step. */
  readonly once: string | null
  readonly machine: string | null
  /** Every disk of the machine as last looked at. */
  readonly disks: readonly DiskState[]
  /** The disks that the step would write. */
  readonly targets: readonly InstallTarget[]
  /**
   * Disk id → the stamp that the logged, unfinished attempt under this approval left. Such a disk may hold something
   * else by now: it is the approved write itself that changed it. Leave it out when no unfinished attempt is logged.
   */
  readonly stamps?: { readonly [disk: string]: string }
}

/**
 * What an approval of a step is bound to: its once-key; of a step that is not destructive by nature and deletes data
 * only because of what changed, its digest. null: the step cannot be approved before its key is known.
 */
export function approvalKey(step: Pick<Step, 'once' | 'digest' | 'destructive'>): string | null {
  return step.once ?? (step.destructive ? null : step.digest)
}

/**
 * The approval of a destructive step for one machine: binds step, once-key, machine, and of every target the serial,
 * the size and the content signature as seen. Disks are sorted by id. A step that writes no disk of a list (a removal
 * that deletes data) has no targets; `machine` is empty on an admin node that has none.
 *
 * @throws {ApprovalError} when the step has no once-key, or a target was not seen exactly once with that serial and size.
 */
export function approvalFor(step: Pick<Step, 'id' | 'once' | 'digest' | 'destructive'>, machine: string | null, disks: readonly DiskState[], targets: readonly InstallTarget[]): Approval {
  const once = approvalKey(step)
  if (once === null) throw new ApprovalError('NO_ONCE_KEY', `${step.id} has no once-key yet: what it would do is not known`)
  const bound = targets.map((target) => {
    const disk = seenAs(target, disks)
    if (disk === null) throw new ApprovalError('DISK_NOT_SEEN', `${step.id} would write ${target.id}, which has not been seen as ${target.serial}, ${target.bytes} bytes`)
    return { id: disk.id, serial: disk.serial, bytes: disk.bytes, signature: signatureDigest(disk) }
  })
  return { step: step.id, once, machine: machine ?? '', disks: bound.toSorted((a, b) => byCodePoint(a.id, b.id)) }
}

/** Whether nobody knows which of its machine's disks a step writes, if it is one that wipes: a role before there is a system. An approval of it binds all of them. */
export function mayWriteAnyDisk({ kind, runsOn }: Pick<Step, 'kind' | 'runsOn'>): boolean {
  return kind === 'role' && runsOn === 'discovery'
}

/** Disks as what may be written. */
export function everyDisk(disks: readonly DiskState[]): readonly InstallTarget[] {
  return disks.map(({ id, serial, bytes }) => ({ entry: '', id, serial, bytes }))
}

/** What stands for an approval on a screen and on a command line: different for everything that it binds. 16 hex digits. */
export function approvalCode(approval: Approval): string {
  return digest(approval).slice('sha256:'.length, 'sha256:'.length + 16)
}

/** Whether an approval allows exactly this. Anything that differs voids it: true, or the reason as a sentence. */
export function approvalCovers(approval: Approval, now: ApprovalSubject): true | string {
  if (approval.step !== now.step) return `it is for ${approval.step}`
  if (now.once === null || approval.once !== now.once) return 'what the step would do has changed since'
  if (approval.machine !== (now.machine ?? '')) return `it is for machine ${approval.machine}`
  if (approval.disks.length !== now.targets.length) return 'the step would write another number of disks'
  if (new Set(now.targets.map((target) => target.id)).size !== now.targets.length) return 'the step names a disk twice'
  for (const target of now.targets) {
    const bound = approval.disks.filter((disk) => disk.id === target.id)
    const approved = bound[0]
    if (approved === undefined || bound.length !== 1) return `disk ${target.id} is not among those that were approved`
    if (approved.serial !== target.serial || approved.bytes !== target.bytes) return `disk ${target.id} was approved with another serial or size`
    const disk = seenAs(target, now.disks)
    if (disk === null) return `disk ${target.id} is not there with serial ${target.serial} and ${target.bytes} bytes`
    const stamp = now.stamps !== undefined && Object.hasOwn(now.stamps, disk.id) ? now.stamps[disk.id] : undefined
    const resumed = stamp !== undefined && stamp !== '' && disk.stamp === stamp
    if (!resumed && approved.signature !== signatureDigest(disk)) return `what is on disk ${target.id} differs from what was approved`
  }
  return true
}

/** The content signature of a disk as approvals and changes carry it. */
export function signatureDigest(disk: Pick<DiskState, 'signature'>): Digest {
  return digestBytes(disk.signature)
}

/** Whether a disk was looked at and proved blank: nothing recognised, zeros where it was sampled, no unfinished write. */
export function diskIsKnownBlank(disk: DiskState | null | undefined): boolean {
  return disk !== null && disk !== undefined && disk.blank && disk.stamp === null
}

/** The one disk that is this target, by id, serial and size; null when it was not seen, or more than once. */
export function seenAs(target: Pick<InstallTarget, 'id' | 'serial' | 'bytes'>, disks: readonly DiskState[]): DiskState | null {
  const same = disks.filter((disk) => disk.id === target.id)
  const disk = same[0]
  return disk !== undefined && same.length === 1 && disk.serial === target.serial && disk.bytes === target.bytes ? disk : null
}
