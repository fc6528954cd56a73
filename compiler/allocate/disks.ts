import type { Report } from '../../schemas/diagnostic.ts'
import type { HardwareDocument } from '../../schemas/documents/rule.ts'
import type { InstallTarget } from '../../schemas/install.ts'
import { diskId } from '../../schemas/inventory.ts'
import type { DiskFact } from '../../schemas/inventory.ts'
import { idOfLocked } from '../../schemas/lock.ts'
import type { LockedDisk } from '../../schemas/lock.ts'
import type { Missing } from '../../schemas/plan.ts'
import type { BoundMachine, BoundNode } from '../bind/bound-site.ts'
import { error, warning } from '../diagnostics/diagnostic.ts'
import { rangeOf } from '../parse/document.ts'
import { rangeOfField } from '../validate/site.ts'
import type { Located } from '../validate/site.ts'

type Entry = NonNullable<HardwareDocument['disks']>[string]

/** Entry of a hardware document → its disks, as the lock has them. */
export type DisksByEntry = ReadonlyMap<string, readonly LockedDisk[]>

export interface ChosenDisks {
  /** What an install writes, also what is missed; null when that is not known, or nothing is written. */
  readonly targets: readonly InstallTarget[] | null
  /** For the lock: kept disks too, so that none of them is chosen for something else. */
  readonly disks: DisksByEntry
  readonly missing: readonly Missing[]
}

export interface DiskQuestion {
  /** What the lock has for this node on this machine. */
  readonly locked: DisksByEntry
  readonly report: Report
  /** For mistakes of documents that many machines share. */
  readonly reportOnce: Report
}

const NONE: ChosenDisks = { targets: null, disks: new Map(), missing: [] }

/**
 * The disks that an install of a node writes. Without a hardware document only a machine with exactly one disk has an
 * answer: which of several disks is somebody's data is never guessed. What was chosen once stays chosen, whatever disks
 * come, as long as the document still means it; a chosen disk that went away is missed, and no other one stands in for it.
 * Of an array that does without it it stays a target, so that the installation stands; what is lost altogether makes the
 * targets unknown, for nobody knows what is left of the system. Nothing is written without it: that is for `change`.
 */
export function chooseDisks(node: BoundNode, { locked, report, reportOnce }: DiskQuestion): ChosenDisks {
  const { machine, hardware, os } = node
  if (node.admin || os?.value.install === 'joined') return NONE
  if (machine === null || os === null) return { ...NONE, disks: locked }
  if (hardware !== null && hardware.value.disks !== undefined) return chooseDeclared({ node, machine, hardware, locked, report, reportOnce })
  const { disks } = machine.facts
  const system = locked.get('system')
  const kept = disks.find((disk) => diskId(disk) === system?.map(idOfLocked)[0])
  const only = kept ?? (disks.length === 1 && system === undefined ? disks[0] : undefined)
  if (only !== undefined) return { targets: target('system', only), disks: new Map([['system', [diskId(only)]]]), missing: [] }
  if (system !== undefined) return { targets: null, disks: new Map([['system', system]]), missing: lost({ node, machine, report }, 'system', { gone: system, written: true }) }
  if (disks.length === 0) {
    reportOnce(error('DISKS_TOO_FEW', node.site.at, `Machine ${machine.id}, which ${node.name} has, has no disk.`))
  } else {
    reportOnce(error('HARDWARE_UNDECLARED', rangeOfField(node.site, ['hardware']), `Machine ${machine.id}, which ${node.name} has, has ${disks.length} disks, and nothing says which one the system goes on.`, { detail: `Its disks: ${listDisks(disks)}.`, fix: 'Add a `hardware` document that chooses the disk `system`, and name it in the node or in a rule.' }))
  }
  return NONE
}

interface OnMachine {
  readonly node: BoundNode
  readonly machine: BoundMachine
  readonly report: Report
}

interface DeclaredChoice extends OnMachine, DiskQuestion {
  readonly hardware: Located<HardwareDocument>
}

function chooseDeclared({ node, machine, hardware, locked, report, reportOnce }: DeclaredChoice): ChosenDisks {
  const entries = Object.entries(hardware.value.disks ?? {})
  const there = new Map(machine.facts.disks.map((disk) => [diskId(disk), disk]))
  const free = new Map(there)
  const kept = new Map<string, readonly LockedDisk[]>()
  for (const [entry, { choose }] of entries) {
    const before = (locked.get(entry) ?? []).filter((disk) => matches(choose, there.get(idOfLocked(disk)))).slice(0, choose.count ?? 1)
    for (const disk of before) free.delete(idOfLocked(disk))
    kept.set(entry, before)
  }
  const targets: InstallTarget[] = []
  const disks = new Map<string, readonly LockedDisk[]>()
  const missing: Missing[] = []
  let complete = true
  for (const [entry, { choose, onInstall, raid }] of entries) {
    const wanted = choose.count ?? 1
    const before = kept.get(entry) ?? []
    const added = [...free].filter(([, disk]) => matches(choose, disk)).slice(0, wanted - before.length).map(([id]) => id)
    for (const id of added) free.delete(id)
    const spares = onInstall === 'wipe' ? spare(raid, wanted) : 0
    const chosen = [...before, ...added].map((disk) => inLock(disk, { fact: there.get(idOfLocked(disk)), whole: spares > 0 }))
    disks.set(entry, chosen)
    if (chosen.length < wanted) {
      complete = false
      reportOnce(error('DISKS_TOO_FEW', rangeOf(hardware.source, ['disks', entry, 'choose']), `Machine ${machine.id}, which ${node.name} has, has ${chosen.length} of the ${wanted} disk${wanted === 1 ? '' : 's'} that ${hardware.value.name} chooses for ${entry}.`, { detail: `Its disks: ${listDisks(machine.facts.disks)}.` }))
    }
    const gone = chosen.filter((disk) => !there.has(idOfLocked(disk)))
    const written = onInstall === 'wipe'
    missing.push(...lost({ node, machine, report }, entry, { gone, written }))
    if (!written) continue
    if (gone.length > spares || gone.some((disk) => typeof disk === 'string')) complete = false
    targets.push(...chosen.flatMap((disk) => target(entry, there.get(idOfLocked(disk)) ?? disk)))
  }
  if (complete && !targets.some(({ entry }) => entry === 'system')) {
    reportOnce(error('HARDWARE_UNDECLARED', rangeOf(hardware.source, ['disks'], 'key'), `${hardware.value.name} chooses no disk for the system that an install may write.`, { fix: 'Add an entry `system` with `onInstall: wipe`.' }))
    complete = false
  }
  return { targets: complete ? targets : null, disks, missing }
}

/** Says which chosen disks are not in the machine any more. */
function lost({ node, machine, report }: OnMachine, entry: string, { gone, written }: { readonly gone: readonly LockedDisk[]; readonly written: boolean }): readonly Missing[] {
  return gone.map((disk) => {
    const id = idOfLocked(disk)
    const because = `disk ${id}, which ${node.name} has as ${entry}, is not in machine ${machine.id} any more`
    const until = written ? ` Without it ${node.name} is neither installed anew nor erased.` : ''
    const anew = written ? ', which is a new installation' : ''
    report(warning('DISK_MISSING', rangeOfField(node.site, ['hardware']), `Disk ${because.slice('disk '.length)}.`, { detail: `Its disks: ${listDisks(machine.facts.disks)}.${until}`, fix: `Put it back; or \`crowbar lock --rebind ${node.name}:disks\` chooses another one in its place${anew}.` }))
    return { what: 'disk', for: `node/${node.name}`, because, ...(written ? { disk: id } : {}) }
  })
}

/** What is not there is not judged. */
function matches(choice: Entry['choose'], disk: DiskFact | undefined): boolean {
  if (disk === undefined) return true
  for (const field of ['bus', 'rotational', 'model', 'serial', 'wwn'] as const) {
    if (choice[field] !== undefined && disk[field] !== choice[field]) return false
  }
  return disk.bytes >= (choice.minBytes ?? 0) && disk.bytes <= (choice.maxBytes ?? Infinity)
}

/** How many of its disks an array goes on without, whichever they are. */
function spare(level: Entry['raid'], count: number): number {
  if (level === undefined || level === 0) return 0
  return level === 1 ? count - 1 : level === 6 ? 2 : 1
}

/** How the lock names a disk: an array's by all that an install has to know of it, so that it can be missing. */
function inLock(disk: LockedDisk, { fact, whole }: { readonly fact: DiskFact | undefined; readonly whole: boolean }): LockedDisk {
  if (fact === undefined) return disk
  return whole ? { id: diskId(fact), serial: fact.serial, bytes: fact.bytes } : diskId(fact)
}

function target(entry: string, disk: DiskFact | LockedDisk): InstallTarget[] {
  if (typeof disk === 'string') return []
  return [{ entry, id: 'id' in disk ? disk.id : diskId(disk), serial: disk.serial, bytes: disk.bytes }]
}

function listDisks(disks: readonly DiskFact[]): string {
  return disks.length === 0 ? 'none' : disks.map((disk) => `${disk.bus} ${disk.model === '' ? '' : `${disk.model} `}${disk.serial === '' ? diskId(disk) : `serial ${disk.serial}`}, ${disk.bytes} bytes`).join('; ')
}
