import { byCodePoint } from '../../schemas/canonical.ts'
import type { Change, Changes } from '../../schemas/changes.ts'
import type { Ledger } from '../../schemas/ledger.ts'
import type { Plan } from '../../schemas/plan.ts'
import { foldNames } from '../print/fold-names.ts'
import { installDocument } from './install-change.ts'

/** Names of disks that are theirs wherever they are; a path on a bus is not. */
const TELLING = /^(?:wwn|serial):/

/**
 * Disks that these changes write and that machines of other nodes reach, too, as those of a storage network: a warning,
 * since whoever approves it sees one machine only. Refused when two nodes of the plan are to be installed on one disk,
 * told by its world-wide name; serial numbers alone may be the same on many disks that are worth nothing.
 */
export function sharedDisks(changes: readonly Change[], base: Ledger, plan: Plan): Changes['violations'] {
  const writers = new Map<string, Set<string>>()
  for (const { step, disks } of changes) {
    for (const { id, bytes, fate } of disks) if (fate === 'wiped' && TELLING.test(id)) add(writers, `${id} ${bytes}`, step.node ?? '')
  }
  if (writers.size === 0) return []
  const targets = new Map<string, Set<string>>()
  for (const step of plan.steps) {
    if (step.kind !== 'install' || !step.destructive) continue
    for (const { id, bytes } of installDocument(step, plan.values)?.targets ?? []) if (writers.has(`${id} ${bytes}`)) add(targets, `${id} ${bytes}`, step.node ?? '')
  }
  const reached = reachedBy(writers, base, plan)
  return [...writers].toSorted(([a], [b]) => byCodePoint(a, b)).flatMap(([disk, nodes]) => {
    const others = [...(reached.get(disk) ?? [])].filter((name) => !nodes.has(name) || nodes.size > 1)
    const both = targets.get(disk) ?? new Set<string>()
    const id = disk.slice(0, disk.lastIndexOf(' '))
    const at = plan.nodes[[...nodes].toSorted(byCodePoint)[0] ?? '']?.at ?? null
    if (both.size > 1) {
      const level = id.startsWith('wwn:') ? 'deny' : 'warn'
      return [{ policy: 'disks', level, message: `${foldNames([...both])} are to be installed on one disk (${id}), which each of their machines shows: let all but one of them keep it.`, at }]
    }
    if (others.length === 0) return []
    return [{ policy: 'disks', level: 'warn', message: `${foldNames([...nodes])} writes ${id}, which the machine of ${foldNames(others)} shows, too: if it is one disk, what is on it is theirs as well.`, at }]
  })
}

/** Of these disks the nodes whose machines show them, as last looked at. */
function reachedBy(disks: ReadonlyMap<string, unknown>, base: Ledger, plan: Plan): ReadonlyMap<string, ReadonlySet<string>> {
  const holders = new Map<string, string>()
  for (const { node, machine } of Object.values(base.nodes)) if (machine !== null) holders.set(machine, node)
  for (const [name, { machine }] of Object.entries(plan.nodes)) if (machine !== null) holders.set(machine, name)
  const found = new Map<string, Set<string>>()
  for (const [machine, { disks: seen }] of Object.entries(base.machines)) {
    const holder = holders.get(machine)
    if (holder === undefined) continue
    for (const { id, bytes } of seen) if (disks.has(`${id} ${bytes}`)) add(found, `${id} ${bytes}`, holder)
  }
  return found
}

function add(to: Map<string, Set<string>>, key: string, value: string): void {
  to.set(key, (to.get(key) ?? new Set()).add(value))
}
