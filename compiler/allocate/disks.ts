import type { Report } from '../../schemas/diagnostic.ts'
import type { HardwareDocument } from '../../schemas/documents/rule.ts'
import type { InstallTarget } from '../../schemas/install.ts'
import { diskId } from '../../schemas/inventory.ts'
import type { DiskFact } from '../../schemas/inventory.ts'
import type { BoundMachine, BoundNode } from '../bind/bound-site.ts'
import { error } from '../diagnostics/diagnostic.ts'
import { rangeOf } from '../parse/document.ts'
import { rangeOfField } from '../validate/site.ts'
import type { Located } from '../validate/site.ts'

type Choice = NonNullable<HardwareDocument['disks']>[string]['choose']

/**
 * The disks that an install of a node writes; null when none is known or needed. Without a hardware document only a
 * machine with exactly one disk has an answer: which of several disks is somebody's data is never guessed.
 */
export function chooseDisks(node: BoundNode, report: Report): readonly InstallTarget[] | null {
  const { machine, hardware, os } = node
  if (node.admin || machine === null || os === null || os.value.install === 'joined') return null
  if (hardware !== null && hardware.value.disks !== undefined) return chooseDeclared({ node, machine, hardware, report })
  const { disks } = machine.facts
  const only = disks[0]
  if (only !== undefined && disks.length === 1) return [target('system', only)]
  if (only === undefined) {
    report(error('DISKS_TOO_FEW', node.site.at, `Machine ${machine.id}, which ${node.name} has, has no disk.`))
  } else {
    report(error('HARDWARE_UNDECLARED', rangeOfField(node.site, ['hardware']), `Machine ${machine.id}, which ${node.name} has, has ${disks.length} disks, and nothing says which one the system goes on.`, { detail: `Its disks: ${listDisks(disks)}.`, fix: 'Add a `hardware` document that chooses the disk `system`, and name it in the node or in a rule.' }))
  }
  return null
}

interface DeclaredChoice {
  readonly node: BoundNode
  readonly machine: BoundMachine
  readonly hardware: Located<HardwareDocument>
  readonly report: Report
}

function chooseDeclared({ node, machine, hardware, report }: DeclaredChoice): readonly InstallTarget[] | null {
  const free = new Set(machine.facts.disks)
  const targets: InstallTarget[] = []
  const entries = Object.entries(hardware.value.disks ?? {})
  let complete = true
  for (const [entry, { choose, onInstall }] of entries) {
    const at = ['disks', entry] as const
    const wanted = choose.count ?? 1
    const chosen = [...free].filter((disk) => matches(choose, disk)).slice(0, wanted)
    for (const disk of chosen) free.delete(disk)
    if (chosen.length < wanted) {
      complete = false
      report(error('DISKS_TOO_FEW', rangeOf(hardware.source, [...at, 'choose']), `Machine ${machine.id}, which ${node.name} has, has ${chosen.length} of the ${wanted} disk${wanted === 1 ? '' : 's'} that ${hardware.value.name} chooses for ${entry}.`, { detail: `Its disks: ${listDisks(machine.facts.disks)}.` }))
    }
    if (onInstall === 'wipe') targets.push(...chosen.map((disk) => target(entry, disk)))
  }
  if (complete && !targets.some(({ entry }) => entry === 'system')) {
    report(error('HARDWARE_UNDECLARED', rangeOf(hardware.source, ['disks'], 'key'), `${hardware.value.name} chooses no disk for the system that an install may write.`, { fix: 'Add an entry `system` with `onInstall: wipe`.' }))
    return null
  }
  return complete ? targets : null
}

function matches(choice: Choice, disk: DiskFact): boolean {
  for (const field of ['bus', 'rotational', 'model', 'serial', 'wwn'] as const) {
    if (choice[field] !== undefined && disk[field] !== choice[field]) return false
  }
  return disk.bytes >= (choice.minBytes ?? 0) && disk.bytes <= (choice.maxBytes ?? Infinity)
}

function target(entry: string, disk: DiskFact): InstallTarget {
  return { entry, id: diskId(disk), serial: disk.serial, bytes: disk.bytes }
}

function listDisks(disks: readonly DiskFact[]): string {
  return disks.map((disk) => `${disk.bus} ${disk.model === '' ? '' : `${disk.model} `}${disk.serial === '' ? diskId(disk) : `serial ${disk.serial}`}, ${disk.bytes} bytes`).join('; ')
}
