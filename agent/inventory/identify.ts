import { createHash } from 'node:crypto'
import { byCodePoint, canonical } from '../../schemas/canonical.ts'
import { diskId } from '../../schemas/inventory.ts'
import type { Facts } from '../../schemas/inventory.ts'
import { usefulMac, usefulSerial, usefulUuid } from '../../schemas/machine-marks.ts'

/** A machine as the inventory has it. */
export interface KnownMachine {
  readonly id: string
  readonly facts: Facts
}

/** Which machine some facts are of. `because` is for people. */
export type Identity =
  | { readonly kind: 'same'; readonly id: string; readonly because: string }
  | { readonly kind: 'new'; readonly id: string; readonly because: string }
  /** It could be any of these, or another one: to be quarantined, under an id of its own, until a person says. */
  | { readonly kind: 'tie'; readonly id: string; readonly ids: readonly string[]; readonly because: string }

/** What tells one machine from another, junk left out. Disks count by WWN or serial, never by their place. */
interface Marks {
  readonly uuid: readonly string[]
  readonly serial: readonly string[]
  readonly macs: readonly string[]
  readonly disks: readonly string[]
}
type MarkKind = keyof Marks

/**
 * For each kind of mark: what it counts when all of it is shared, and what it counts against when both have it and share
 * nothing. A new board (uuid, ports) with the old disks is the same machine; so is one with another port. The disks of
 * one machine in another that has a serial number of its own are not.
 */
const WEIGHTS: Readonly<Record<MarkKind, { readonly for: number; readonly against: number }>> = {
  uuid: { for: 4, against: 2 },
  serial: { for: 4, against: 3 },
  macs: { for: 4, against: 2 },
  disks: { for: 4, against: 3 },
}
const KINDS = ['uuid', 'serial', 'macs', 'disks'] as const satisfies readonly MarkKind[]

/** Less in common than this (half of the ports, say) is no reason to think of a machine at all. */
const WORTH_A_THOUGHT = 2
/** What speaks against it outweighs what speaks for it by no more than this: not to be decided without a person. */
const DOUBT = 2
/** The best is the answer only if it leads the next by this much. */
const LEAD = 1

/**
 * Says which known machine these facts are of.
 *
 * Pure and independent of the order of `known`. A mark that several known machines bear counts nothing, like the fillers
 * that vendors leave in DMI. A new machine gets the id `m-` and ten hex digits of its strongest mark's SHA-256.
 */
export function identify(facts: Facts, known: readonly KnownMachine[]): Identity {
  const others = known.map((machine) => ({ id: machine.id, marks: marksOf(machine.facts) }))
  const repeated = repeatedMarks(others.map((other) => other.marks))
  const seen = withoutRepeated(marksOf(facts), repeated)
  const scored = others
    .map(({ id, marks }) => ({ id, ...score(seen, withoutRepeated(marks, repeated)) }))
    .filter((one) => one.support >= WORTH_A_THOUGHT && one.net > -DOUBT)
    .toSorted((a, b) => b.net - a.net || byCodePoint(a.id, b.id))
  const [best, next] = scored
  const ownId = (): string => newId(facts, seen, new Set(known.map(({ id }) => id)))
  if (best === undefined) {
    return { kind: 'new', id: ownId(), because: 'it shares too little with any known machine' }
  }
  if (next !== undefined && best.net - next.net < LEAD) {
    const ids = scored.filter((one) => best.net - one.net < LEAD).map(({ id }) => id)
    return { kind: 'tie', id: ownId(), ids, because: `it looks as much like ${ids.join(' as like ')}` }
  }
  if (best.net < 0) return { kind: 'tie', id: ownId(), ids: [best.id], because: `it has ${best.shared.join(', ')} of ${best.id}, but not its ${best.differs.join(', ')}` }
  return { kind: 'same', id: best.id, because: `the same ${best.shared.join(', ')}` }
}

function marksOf(facts: Facts): Marks {
  const serial = usefulSerial(facts.dmi.serial)
  const disks = facts.disks
    // A stick goes from machine to machine, and the loop disks of containers are the host's.
    .filter((disk) => disk.bus !== 'usb' && (disk.wwn !== '' || usefulSerial(disk.serial) !== undefined))
    .map((disk) => diskId(disk))
  return {
    uuid: [usefulUuid(facts.dmi.uuid)].filter((one) => one !== undefined),
    // Serial numbers are unique for one vendor only.
    serial: serial === undefined ? [] : [`${facts.dmi.vendor.trim()}/${serial}`],
    macs: unique(facts.nics.map((nic) => usefulMac(nic.mac)).filter((one) => one !== undefined)),
    disks: unique(disks),
  }
}

function repeatedMarks(all: readonly Marks[]): ReadonlySet<string> {
  const once = new Set<string>()
  const again = new Set<string>()
  for (const marks of all) {
    for (const kind of KINDS) {
      for (const mark of marks[kind]) (once.has(`${kind} ${mark}`) ? again : once).add(`${kind} ${mark}`)
    }
  }
  return again
}

function withoutRepeated(marks: Marks, repeated: ReadonlySet<string>): Marks {
  const keep = (kind: MarkKind): readonly string[] => marks[kind].filter((mark) => !repeated.has(`${kind} ${mark}`))
  return { uuid: keep('uuid'), serial: keep('serial'), macs: keep('macs'), disks: keep('disks') }
}

function score(seen: Marks, known: Marks): { readonly support: number; readonly net: number; readonly shared: readonly string[]; readonly differs: readonly string[] } {
  let support = 0
  let against = 0
  const shared: string[] = []
  const differs: string[] = []
  for (const kind of KINDS) {
    const [a, b] = [seen[kind], known[kind]]
    if (a.length === 0 || b.length === 0) continue
    const common = a.filter((mark) => b.includes(mark)).length
    support += (WEIGHTS[kind].for * common) / Math.max(a.length, b.length)
    if (common === 0) against += WEIGHTS[kind].against
    ;(common === 0 ? differs : shared).push(kind)
  }
  return { support, net: support - against, shared, differs }
}

function newId(facts: Facts, seen: Marks, taken: ReadonlySet<string>): string {
  const strongest = [
    ...seen.uuid.map((mark) => `uuid ${mark}`),
    ...seen.serial.map((mark) => `serial ${mark}`),
    ...seen.macs.map((mark) => `mac ${mark}`),
    ...seen.disks.map((mark) => `disk ${mark}`),
    `facts ${canonical(facts)}`,
  ]
  for (const mark of strongest) {
    const id = idFor(mark)
    if (!taken.has(id)) return id
  }
  // Another machine bears each of them as its name: tell them apart by number, which stays deterministic.
  for (let n = 2; ; n++) {
    const id = idFor(`${strongest[0] ?? ''} ${n}`)
    if (!taken.has(id)) return id
  }
}

function idFor(mark: string): string {
  return `m-${createHash('sha256').update(mark).digest('hex').slice(0, 10)}`
}

function unique(marks: readonly string[]): readonly string[] {
  return [...new Set(marks)].toSorted(byCodePoint)
}
