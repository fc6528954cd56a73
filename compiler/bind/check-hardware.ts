import type { Report } from '../../schemas/diagnostic.ts'
import type { HardwareDocument, RAID_LEVELS } from '../../schemas/documents/rule.ts'
import { error } from '../diagnostics/diagnostic.ts'
import { rangeOf } from '../parse/document.ts'
import { layerOfField, rangeOfField } from '../validate/site.ts'
import type { Located, Site } from '../validate/site.ts'
import type { BoundNode } from './bound-site.ts'
import { oncePerPlace } from './once-per-place.ts'

/** Finds what no install could do: layouts without a place for the system, ports that nothing joins, foreign architectures. */
export function checkHardware(site: Site, nodes: ReadonlyMap<string, BoundNode>, sink: Report): void {
  const report = oncePerPlace(sink)
  for (const hardware of site.hardware.values()) {
    checkDisks(hardware, report)
    checkLayout(hardware, report)
  }
  for (const { value, source } of site.conduits.values()) {
    for (const [i, { use, bond }] of value.ports.entries()) {
      if (use.length > 1 && bond === undefined) report(error('VALUE_INVALID', rangeOf(source, ['ports', i, 'use', 1]), `The conduit ${value.name} has ${use.length} ports here, and nothing joins them.`, { fix: 'Add a `bond`, or leave one port.' }))
    }
  }
  for (const node of nodes.values()) checkArchitecture(node, report)
}

function checkArchitecture(node: BoundNode, report: Report): void {
  const { machine, os } = node
  if (machine === null || os === null || machine.facts.architecture === os.value.architecture) return
  const rule = layerOfField(node.site, ['os']) === undefined ? machine.outcome.os?.rule : undefined
  const at = rule === undefined ? rangeOfField(node.site, ['os']) : rangeOf(rule.source, ['set', 'os'])
  const related = [{ message: `${os.value.name} is for ${os.value.architecture}`, range: rangeOf(os.source, ['architecture']) }]
  report(error('OS_ARCHITECTURE', at, `${node.name} gets ${os.value.name}, which is for ${os.value.architecture}, and its machine ${machine.id} is ${machine.facts.architecture}.`, { related, fix: 'Give it an operating system of its architecture, or another machine.' }))
}

/** Fewest disks of a level. */
const FEWEST: Readonly<Record<(typeof RAID_LEVELS)[number], number>> = { 0: 2, 1: 2, 5: 3, 6: 4, 10: 4 }

const LONGEST_ARRAY = 28

/** An array has disks enough for its level, and what has a filesystem is one disk or one array. */
function checkDisks({ value, source }: Located<HardwareDocument>, report: Report): void {
  const filled = new Set(['system', ...(value.layout ?? []).map(({ on }) => on)])
  for (const [entry, { raid, choose, onInstall }] of Object.entries(value.disks ?? {})) {
    const { count = 1, minBytes = 0, maxBytes = Infinity } = choose
    if (minBytes > maxBytes) report(error('VALUE_INVALID', rangeOf(source, ['disks', entry, 'choose', 'minBytes']), `No disk has ${minBytes} bytes or more, and ${maxBytes} at most.`, { fix: 'Let `minBytes` be `maxBytes` at most.' }))
    if (raid !== undefined && count < FEWEST[raid]) report(error('VALUE_INVALID', rangeOf(source, ['disks', entry, 'raid']), `RAID ${raid} needs ${FEWEST[raid]} disks or more, and ${entry} chooses ${count}.`, { fix: `Say \`count: ${FEWEST[raid]}\` or more in \`choose\`.` }))
    if (raid !== undefined && onInstall === 'wipe') checkArray(entry, { raid, value, source }, report)
    if (raid === undefined && count > 1 && onInstall === 'wipe' && filled.has(entry)) report(error('VALUE_INVALID', rangeOf(source, ['disks', entry, 'choose', 'count']), `${entry} is ${count} disks, and a filesystem is made on one.`, { fix: 'Choose one disk, or join them by `raid`.' }))
  }
}

/** Firmware and boot loader read one disk, so what they need is whole on each. The name of an array has 32 characters, some for its parts. */
function checkArray(entry: string, { raid, value: { layout }, source }: { readonly raid: (typeof RAID_LEVELS)[number] } & Located<HardwareDocument>, report: Report): void {
  const starts = layout === undefined ? entry === 'system' : layout.some(({ on, mount }) => on === entry && (mount === '/' || mount === '/boot'))
  if (starts && raid !== 1) report(error('VALUE_INVALID', rangeOf(source, ['disks', entry, 'raid']), `A machine starts from one disk or from RAID 1, and ${entry} is RAID ${raid}.`, { fix: 'Say `raid: 1`, or let `/` and `/boot` be on another entry.' }))
  if (entry.length > LONGEST_ARRAY) report(error('VALUE_INVALID', rangeOf(source, ['disks', entry], 'key'), `An array is named after its entry, and ${entry} has more than ${LONGEST_ARRAY} characters.`, { fix: 'Give the entry a shorter name.' }))
}

function checkLayout({ value, source }: Located<HardwareDocument>, report: Report): void {
  const { layout } = value
  if (layout === undefined) return
  if (!layout.some(({ mount }) => mount === '/')) {
    report(error('VALUE_INVALID', rangeOf(source, ['layout'], 'key'), `The layout of ${value.name} has no \`/\`, so the system has no place.`, { fix: 'Add a line with `mount: /`, or take the layout away: then the system fills the disk.' }))
  }
  const rests = new Map<string, number>()
  const shares = new Map<string, number>()
  const mounts = new Map<string, number>()
  for (const [i, { on, mount, fs, size }] of layout.entries()) {
    if (mount === '/boot/efi') report(error('VALUE_INVALID', rangeOf(source, ['layout', i, 'mount']), 'The boot partitions are made by themselves.', { fix: 'Take the line out of the layout.' }))
    if (fs !== undefined && (mount === 'swap') !== (fs === 'swap')) report(error('VALUE_INVALID', rangeOf(source, ['layout', i, 'fs']), `${mount} cannot be ${fs}.`))
    const before = mounts.get(mount)
    if (mount !== 'swap' && before !== undefined) report(error('VALUE_INVALID', rangeOf(source, ['layout', i, 'mount']), `${mount} is mounted twice.`, { related: [{ message: 'it is mounted here first', range: rangeOf(source, ['layout', before, 'mount']) }] }))
    else mounts.set(mount, i)
    const rest = rests.get(on)
    if (size === 'rest') {
      if (rest !== undefined) report(error('VALUE_INVALID', rangeOf(source, ['layout', i, 'size']), `Two parts of ${on} cannot both have the rest.`, { related: [{ message: 'the other one', range: rangeOf(source, ['layout', rest, 'size']) }], fix: 'Give one of them a size.' }))
      else rests.set(on, i)
    }
    if (!size.endsWith('%')) continue
    const share = (shares.get(on) ?? 0) + Number(size.slice(0, -1))
    shares.set(on, share)
    if (share > 100) report(error('VALUE_INVALID', rangeOf(source, ['layout', i, 'size']), `The parts of ${on} are ${share}% of it up to here.`, { fix: 'Let them be 100% at most; `rest` takes what the others leave.' }))
  }
}
