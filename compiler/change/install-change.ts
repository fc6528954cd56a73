import { byCodePoint, canonical } from '../../schemas/canonical.ts'
import { diskIsKnownBlank, seenAs, signatureDigest } from '../../schemas/approval.ts'
import type { Cause, DiskFate } from '../../schemas/changes.ts'
import type { InstallDocument, InstallTarget } from '../../schemas/install.ts'
import type { DiskState } from '../../schemas/inventory.ts'
import type { Step } from '../../schemas/plan.ts'
import type { Json } from '../../schemas/shape.ts'
import { stepDocument } from '../../schemas/step-values.ts'
import type { Classed } from './consequence.ts'

type Values = { readonly [digest: string]: Json }

/** The `install` part of an install step's document; null when it is not known yet. */
export function installDocument(step: Step, values: Values): InstallDocument | null {
  const install = stepDocument(step, values)?.['install']
  return install === undefined || install === null || typeof install !== 'object' ? null : (install as unknown as InstallDocument)
}

/**
 * What an install does: adopting an installed machine only runs; writing is a reinstall when every disk that it writes
 * was looked at and proved blank, and a wipe in every other case. A disk that carries the stamp of an unfinished write
 * counts as blank for the very install that was sent and did not succeed: nothing but its own half of a write is lost.
 * Whether the stamp is genuine is for the agent and the node to prove, before they write.
 *
 * @param options.seen the machine's disks as last looked at; null when nobody has.
 * @param options.attempted the once-key that was sent and has not succeeded.
 * @param options.erased disks that are zeros by then, because the same changes erase them first.
 */
export function installConsequence(step: Step, install: InstallDocument | null, options: { readonly seen: readonly DiskState[] | null; readonly attempted: string | null; readonly erased: ReadonlySet<string> }): Classed {
  const { seen, attempted, erased } = options
  if (!step.destructive && install?.method !== 'image') return { consequence: 'run', certain: install !== null }
  if (install === null || seen === null || install.targets.length === 0) return { consequence: 'wipe', certain: false }
  const disks = install.targets.map((target) => seenAs(target, seen))
  const resumes = attempted !== null && attempted === step.once
  if (disks.every((disk) => diskIsKnownBlank(disk) || (disk !== null && erased.has(disk.id)) || (resumes && disk !== null && disk.stamp !== null))) return { consequence: 'reinstall', certain: true }
  return { consequence: 'wipe', certain: disks.every((disk) => disk !== null) }
}

/** Every disk of the machine, and every disk that is to be written although nobody saw it; those that are written first. */
export function diskFates(targets: readonly InstallTarget[], seen: readonly DiskState[]): readonly DiskFate[] {
  const wanted = new Set(targets.map((target) => target.id))
  const unseen = new Set(targets.filter((target) => seenAs(target, seen) === null).map((target) => target.id))
  const fates: DiskFate[] = seen.filter((disk) => !unseen.has(disk.id)).map((disk) => ({
    id: disk.id,
    serial: disk.serial,
    model: disk.model,
    bytes: disk.bytes,
    fate: wanted.has(disk.id) ? 'wiped' : 'kept',
    blank: diskIsKnownBlank(disk),
    summary: disk.summary,
    signature: signatureDigest(disk),
  }))
  for (const target of targets) {
    const { id, serial, bytes } = target
    if (!unseen.has(id)) continue
    // It was looked at when it was another one, or said that it has another size.
    const before = seen.find((disk) => disk.id === id)
    fates.push({ id, serial, model: before?.model ?? '', bytes, fate: 'wiped', blank: null, summary: before === undefined ? 'not looked at yet' : `${before.summary}, before it changed`, signature: null })
  }
  return fates.toSorted((a, b) => Number(a.fate === 'kept') - Number(b.fate === 'kept') || byCodePoint(a.id, b.id))
}

/**
 * Whether an install would put down what is there already, but for the sizes that its disks say they have, how a size is
 * written, and in which order the entries of its hardware document stand: a volume that was grown under a running system
 * is the disk that it was. To write such a disk takes an approval of the new size.
 */
export function isSameInstallation(before: InstallDocument | null, after: InstallDocument | null): boolean {
  if (before === null || after === null) return false
  const [was, is] = [before, after].map(({ machine, os, raid, layout, generation, ...install }) => canonical({ machine, os, targets: targetsOf(install).map(({ entry, id }) => ({ entry, id })), raid: raid ?? {}, layout: layout.map((row) => ({ ...row, size: inMebibytes(row.size) })), generation } as unknown as Json))
  // A disk that is named by its WWN may have no serial number until a driver reads one; two that differ are two disks.
  const later = targetsOf(after)
  return was === is && targetsOf(before).every(({ serial }, index) => serial === '' || ['', serial].includes(later[index]?.serial ?? ''))
}

/** By entry: which disks an entry chose is what counts, and among those of one entry their order. */
function targetsOf({ targets }: Pick<InstallDocument, 'targets'>): InstallDocument['targets'] {
  return targets.toSorted((a, b) => byCodePoint(a.entry, b.entry))
}

/** One size is one size, in whichever unit it is written. */
function inMebibytes(size: string): Json {
  const [, amount, unit] = /^([0-9]+)(MiB|GiB|TiB)$/.exec(size) ?? []
  return amount === undefined ? size : Number(amount) * (unit === 'TiB' ? 1024 * 1024 : unit === 'GiB' ? 1024 : 1)
}

/** What of an install differs from the installation that is there, in the words of its once-key. */
export function installCauses(before: InstallDocument | null, after: InstallDocument | null): readonly Omit<Cause, 'at'>[] {
  if (before === null || after === null) return []
  const causes: Omit<Cause, 'at'>[] = []
  const differ = (kind: Cause['kind'], path: string, was: Json, is: Json): void => {
    if (canonical(was) !== canonical(is)) causes.push({ kind, path, before: was, after: is })
  }
  differ('machine', 'machine', before.machine, after.machine)
  differ('os', 'os', before.os, after.os)
  differ('other', 'method', before.method, after.method)
  differ('disks', 'disks', targetNames(before), targetNames(after))
  differ('layout', 'layout', layoutLines(before), layoutLines(after))
  differ('layout', 'raid', before.raid ?? {}, after.raid ?? {})
  differ('generation', 'generation', before.generation, after.generation)
  return causes
}

function targetNames(install: InstallDocument): readonly string[] {
  return targetsOf(install).map((target) => `${target.entry}: ${target.serial === '' ? target.id : target.serial}`)
}

function layoutLines(install: InstallDocument): readonly string[] {
  return install.layout.map((line) => `${line.on} ${line.mount} ${line.fs} ${line.size}`)
}
