import type { Change, DiskFate } from '../../schemas/changes.ts'
import type { Plan } from '../../schemas/plan.ts'
import { causeLines } from './cause-lines.ts'
import type { DiffOptions } from './diff-options.ts'
import { labelOf } from './diff-summary.ts'
import { foldNames } from './fold-names.ts'
import { nodesOf } from './groups.ts'
import type { ChangeGroup, Grouped, Variant } from './groups.ts'
import { count, cut, diskSize, edges, labelHead, labelled, safe, WIDTH } from './layout.ts'

/** Nodes that are told one by one, and differences of one role that are told apart, when not everything is asked for. */
const NODES_TOLD = 6
const VARIANTS_TOLD = 4

/** A part of the text that is printed whole or not at all. */
export interface Section {
  readonly title: string
  readonly group: ChangeGroup
  readonly lines: readonly string[]
}

/** What is told of each group, worst first. */
export function sections(grouped: Grouped, plan: Plan, options: DiffOptions): readonly Section[] {
  return grouped.groups.map((group) => {
    const title = titleOf(group)
    const names = title.full ? [] : namesLines(group, options)
    const body = group.kind === 'install' || group.kind === 'release' ? nodeLines(group, grouped, plan, options) : workLines(group, options)
    return { title: title.text, group, lines: [...edges(title.text, placeOf(group)), ...names, ...body] }
  })
}

/** `WIPE  db1`, `RESTART  base/ntp on web-[01-40]`; the number of nodes, when their names do not fit beside a place. */
function titleOf(group: ChangeGroup): { readonly text: string; readonly full: boolean } {
  const nodes = nodesOf(group)
  const said = placeOf(group)
  const head = `${labelOf(group)}  ${group.kind === 'install' || group.kind === 'release' ? '' : `${group.subject} on `}`
  const text = `${head}${foldNames(nodes)}`
  if (text.length + (said === null ? 0 : said.length + 2) <= WIDTH || nodes.length === 1) return { text, full: true }
  return { text: `${head}${count(nodes.length, 'node')}`, full: false }
}

/** The nodes of a heading that could only count them: three lines of names, or all. */
function namesLines(group: ChangeGroup, options: DiffOptions): readonly string[] {
  const lines = labelled('nodes', foldNames(nodesOf(group)))
  if (options.full === true || lines.length <= 3) return lines
  return [...lines.slice(0, 3), '            ...: --full names them all']
}

/** The one place that a heading names: of the first cause, if the first variant has one. */
function placeOf(group: ChangeGroup): string | null {
  const { at } = group.variants[0]?.causes.find((cause) => cause.at !== null) ?? { at: null }
  return at !== null && group.variants.length === 1 && (group.kind === 'role' || group.kind === 'removal' || group.kind === 'other' || nodesOf(group).length === 1) ? at : null
}

/** A role, or whatever else is the same work on many nodes. */
function workLines(group: ChangeGroup, options: DiffOptions): readonly string[] {
  const full = options.full === true
  const told = full ? group.variants : group.variants.slice(0, VARIANTS_TOLD)
  const lines = told.flatMap((variant) => {
    const on = group.variants.length === 1 ? [] : labelled('on', cut(foldNames(variant.changes.map((one) => one.step.node ?? '')), full ? Infinity : WIDTH * 2))
    return [...on, ...variantLines(group, variant, options)]
  })
  if (told.length < group.variants.length) {
    const rest = group.variants.slice(told.length).reduce((sum, variant) => sum + variant.changes.length, 0)
    lines.push(`  ... and ${count(rest, 'node')} more, each for other values: --full`)
  }
  return [...lines, ...permissionLines(group, full)]
}

function variantLines(group: ChangeGroup, variant: Variant, options: DiffOptions): readonly string[] {
  const full = options.full === true
  const [first] = variant.changes
  const lines: string[] = []
  if (group.kind === 'removal' && first !== undefined) {
    const { step } = first
    if (step.entry === null) lines.push(...labelled('nothing', 'is undone: the role has no `remove`; what it did stays there'))
    else lines.push(...labelled('runs', `${safe(step.entry)}; ${step.destructive ? 'deletes data, or does not say that it does not' : 'declares that it deletes no data'}`))
  }
  if (first !== undefined && !first.certain && first.causes.every((cause) => cause.kind === 'wants' && cause.before === null)) {
    lines.push(...labelled('only if', 'these values turn out to be others than before:'))
  }
  const causes = causeLines(variant.causes, { said: placeOf(group), full })
  const limit = full ? causes.length : 12
  lines.push(...causes.slice(0, limit))
  if (causes.length > limit) lines.push(`  ... and ${causes.length - limit} lines more: --full`)
  if (variant.atInstall.length > 0) lines.push(...labelled('install', `${cut(foldNames(variant.atInstall), full ? Infinity : WIDTH)}: with the new installation`))
  return lines
}

/** Installs and releases, node by node: each has disks of its own. */
function nodeLines(group: ChangeGroup, grouped: Grouped, plan: Plan, options: DiffOptions): readonly string[] {
  const changes = group.variants.flatMap((variant) => variant.changes)
  const told = options.full === true ? changes : changes.slice(0, NODES_TOLD)
  const lines = told.flatMap((one) => [...(changes.length === 1 ? [] : nodeHead(one)), ...oneNode(one, { grouped, plan, options, alone: changes.length === 1 })])
  if (told.length < changes.length) lines.push(`  ... and ${count(changes.length - told.length, 'node')} more, each disk by its serial: --full`)
  return [...lines, ...permissionLines(group, options.full === true)]
}

function nodeHead(one: Change): readonly string[] {
  return edges(`  ${one.step.node ?? ''}`, one.causes.find((cause) => cause.at !== null)?.at ?? null)
}

interface Telling {
  readonly grouped: Grouped
  readonly plan: Plan
  readonly options: DiffOptions
  readonly alone: boolean
}

function oneNode(one: Change, { grouped, plan, options, alone }: Telling): readonly string[] {
  const name = one.step.node ?? ''
  const node = Object.hasOwn(plan.nodes, name) ? plan.nodes[name] : undefined
  const said = one.causes.find((cause) => cause.at !== null)?.at ?? null
  if (one.step.kind === 'release') {
    return [...labelled('machine', String(one.causes[0]?.before ?? 'none')), ...labelled('kept', 'all that is on its disks; it boots its own disk and gets no task any more')]
  }
  const lines = [...causeLines(one.causes.filter((cause) => cause.kind !== 'new'), { said, full: options.full === true })]
  const machine = node?.machine ?? null
  if (machine === null) {
    lines.push(...labelled('claims', `${safe(node?.selector ?? '')}; none yet`))
    lines.push(...labelled('disks', 'unknown until a machine is claimed; cannot be approved before'))
  } else {
    lines.push(...labelled('machine', machineWords(machine, options)))
    for (const disk of one.disks) if (disk.fate === 'wiped' || alone || options.full === true) lines.push(diskLine(disk))
    const kept = one.disks.filter((disk) => disk.fate === 'kept').length
    if (!alone && options.full !== true && kept > 0) lines.push(...labelled('kept', count(kept, 'disk')))
    if (!one.certain && one.disks.every((disk) => disk.signature === null || disk.fate === 'kept')) lines.push(...labelled('disks', 'nobody has looked at them yet; cannot be approved before'))
  }
  if (!one.step.destructive) lines.push(...labelled('writes', 'no disk: the system that is there joins as it is'))
  const addresses = Object.entries(node?.addresses ?? {}).map(([network, address]) => `${network} ${address}`)
  if (one.causes.some((cause) => cause.kind === 'new') && addresses.length > 0) lines.push(...labelled('gets', addresses.join(', ')))
  const roles = grouped.following.get(name) ?? 0
  if (roles > 0) lines.push(...labelled('then', `all its ${count(roles, 'role')}${one.causes.some((cause) => cause.kind === 'new') ? '' : ' again'}`))
  return lines
}

function machineWords(machine: string, options: DiffOptions): string {
  const known = options.machines !== undefined && Object.hasOwn(options.machines, machine) ? options.machines[machine] : undefined
  const seen = known?.seen === undefined ? '' : `; disks as seen ${known.seen.slice(0, 16).replace('T', ' ')} UTC`
  return `${safe(known?.label ?? machine)}${seen}`
}

function diskLine(disk: DiskFate): string {
  const label = disk.fate === 'wiped' ? (disk.blank === true ? 'writes' : 'wiped') : 'kept'
  const name = disk.serial === '' ? `${safe(disk.id)} (no serial)` : safe(disk.serial)
  const model = disk.model === '' ? '' : `  ${safe(disk.model)}`
  return cut(`${labelHead(label)}${diskSize(disk.bytes).padStart(6)}  ${name}${model}  ${safe(disk.summary)}`, WIDTH)
}

function permissionLines(group: ChangeGroup, full: boolean): readonly string[] {
  const changes = group.variants.flatMap((variant) => variant.changes)
  if (group.permission === 'protected') {
    const places = [...new Set(changes.map((one) => one.protectedBy ?? ''))]
    return labelled('refused', `protected by ${places.slice(0, 4).join(', ')}${places.length > 4 ? ', ...' : ''}`)
  }
  if (group.permission !== 'needs approval') return []
  const shown = full ? changes : changes.slice(0, NODES_TOLD)
  const names = shown.map((one) => one.step.id).join(', ')
  const rest = shown.length < changes.length ? ` and ${changes.length - shown.length} more` : ''
  const bound = group.kind === 'install' ? 'machine, disks or contents differ' : 'machine or work differ'
  return labelled('approve', `${names}${rest}   (void if ${bound})`)
}
