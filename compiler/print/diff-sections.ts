import { canonical } from '../../schemas/canonical.ts'
import type { Cause, Change, Changes, DiskFate } from '../../schemas/changes.ts'
import { own } from '../../schemas/own.ts'
import { columnsOf } from '../diagnostics/width.ts'
import type { Plan } from '../../schemas/plan.ts'
import { causeLines } from './cause-lines.ts'
import type { DiffOptions } from './diff-options.ts'
import { labelOf } from './diff-summary.ts'
import { isErase } from '../../schemas/operation.ts'
import { foldNames } from './fold-names.ts'
import { nodesOf } from './groups.ts'
import type { ChangeGroup, Grouped, Variant } from './groups.ts'
import { count, cut, diskSize, edges, labelHead, labelled, safe, thousands, WIDTH } from './layout.ts'
import { waveLines, wavesOf, wavesText } from './wave-lines.ts'
import type { Waves } from './wave-lines.ts'

/** Nodes that are told one by one, and differences of one role that are told apart, when not everything is asked for. */
const NODES_TOLD = 6
const VARIANTS_TOLD = 3
const CAUSE_LINES = 12

/** A part of the text that is printed whole or not at all. */
export interface Section {
  readonly title: string
  readonly group: ChangeGroup
  readonly lines: readonly string[]
}

/** What is told of each group, worst first. */
export function sections(grouped: Grouped, { changes, plan }: { readonly changes: Changes; readonly plan: Plan }, options: DiffOptions): readonly Section[] {
  const telling = { grouped, plan, options, moved: changes.moved.addresses > 0 }
  return grouped.groups.map((group) => {
    const waves = wavesOf(group, changes)
    const title = titleOf(group, waves)
    const names = title.full ? [] : namesLines(group, options)
    const held = waves === null ? [] : waveLines(waves)
    const body = group.kind === 'operation' ? operationLines(group, telling) : group.kind === 'install' || group.kind === 'release' ? nodeLines(group, telling) : workLines(group, changes, options)
    return { title: title.text, group, lines: [...edges(title.text, group.kind === 'removal' && placeOf(group) !== null ? `was ${placeOf(group)}` : placeOf(group)), ...names, ...(group.kind === 'operation' ? [...body, ...held] : [...held, ...body])] }
  })
}

/** `WIPE  db1`, `RESTART  base/ntp on web-[01-40]`; the number of nodes, when their names do not fit beside a place. */
function titleOf(group: ChangeGroup, waves: Waves | null): { readonly text: string; readonly full: boolean } {
  const nodes = nodesOf(group)
  const said = placeOf(group)
  const head = `${labelOf(group)}  ${group.kind === 'install' || group.kind === 'release' ? '' : `${group.subject} on `}`
  const order = waves === null || wavesText(waves) === '' ? '' : `: ${wavesText(waves)}`
  const text = `${head}${foldNames(nodes)}${order}`
  if (text.length + (said === null ? 0 : said.length + 2) <= WIDTH || nodes.length === 1) return { text, full: true }
  return { text: `${head}${count(nodes.length, 'node')}${order}`, full: false }
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
  return at !== null && group.variants.length === 1 && (group.kind === 'role' || group.kind === 'removal' || group.kind === 'operation' || group.kind === 'other' || nodesOf(group).length === 1) ? at : null
}

/** A role, or whatever else is the same work on many nodes: what all have in common, then what only some have. */
function workLines(group: ChangeGroup, { overrides }: Changes, options: DiffOptions): readonly string[] {
  const full = options.full === true
  const { variants } = group
  const [first] = variants
  if (first === undefined) return []
  const common = variants.length === 1 ? first.causes : first.causes.filter((cause) => variants.every((variant) => variant.causes.some((other) => canonical(other) === canonical(cause))))
  const lines = [...entryLines(group, first), ...causes(group, common, full)]
  if (variants.length > 1) {
    const told = full || variants.length <= VARIANTS_TOLD ? variants : variants.slice(0, 1)
    for (const variant of told) {
      const nodes = foldNames(variant.changes.map((one) => one.step.node ?? ''))
      lines.push(...labelled(told.length < variants.length ? 'such as' : 'on', full ? nodes : cut(nodes, WIDTH * 2)))
      lines.push(...causes(group, variant.causes.filter((cause) => !common.includes(cause) && !common.some((other) => canonical(other) === canonical(cause))), full))
    }
    const rest = variants.slice(told.length).reduce((sum, variant) => sum + variant.changes.length, 0)
    if (rest > 0) lines.push(`  ... and ${count(rest, 'node')} more, with other values: --full`)
  }
  const paths = new Set(variants.flatMap((variant) => variant.causes.map((cause) => cause.path)))
  if (group.kind === 'role') for (const { role, path, nodes, at } of overrides) {
    if (role !== group.subject || !paths.has(path)) continue
    const names = cut(foldNames(nodes), full ? Infinity : WIDTH)
    lines.push(...labelled('not here', `${names} ${nodes.length === 1 ? 'has' : 'have'} ${paths.size > 1 ? `another ${safe(path)}` : 'another one'}`, at))
  }
  const atInstall = [...new Set(variants.flatMap((variant) => variant.atInstall))]
  if (atInstall.length > 0) lines.push(...labelled('install', `${cut(foldNames(atInstall), full ? Infinity : WIDTH)}: with the new installation`))
  return [...lines, ...permissionLines(group, full)]
}

/** What an operation does on each node, and where it goes on. */
function operationLines(group: ChangeGroup, telling: Telling): readonly string[] {
  const { plan, options } = telling
  const operation = plan.operations.find(({ name }) => `operation/${name}` === group.subject)
  const changes = group.variants.flatMap((variant) => variant.changes)
  const per = operation === undefined ? 0 : operation.do.length
  const begun = nodesOf(group).filter((node) => changes.filter(({ step }) => step.node === node).length < per)
  return [...labelled('does', `${operation?.do.join(', ') ?? ''}; once`), ...(begun.length === 0 ? [] : labelled('goes on', `on ${cut(foldNames(begun), WIDTH)}, where it stopped`)), ...erasureLines(changes.filter(({ step }) => isErase(step)), telling), ...permissionLines(group, options.full === true)]
}

/** Which disks an operation erases and which it leaves, node by node, and what becomes of the nodes. */
function erasureLines(erasures: readonly Change[], telling: Telling): readonly string[] {
  if (erasures.length === 0) return []
  const alone = erasures.length === 1
  const told = telling.options.full === true ? erasures : erasures.slice(0, NODES_TOLD)
  const lines = told.flatMap((one) => [...(alone ? machineLines(one, telling) : labelled(one.step.node ?? '', machineOf(one, telling).words)), ...diskLines(one, alone, telling.options)])
  if (told.length < erasures.length) lines.push(`  ... and ${count(erasures.length - told.length, 'node')} more, each disk by its serial: --full`)
  const again = erasures.every(({ step }) => telling.plan.operations.find(({ name }) => step.id.startsWith(`operation/${name}/`))?.do.includes('reinstall'))
  return [...lines, ...labelled('then', again ? 'installed again, with all roles' : `nothing is installed there, until crowbar reinstall ${alone ? (erasures[0]?.step.node ?? '') : 'NODE'}`)]
}

/** What runs, when that is not plain from the heading. */
function entryLines(group: ChangeGroup, variant: Variant): readonly string[] {
  const [first] = variant.changes
  if (first === undefined) return []
  const { step } = first
  if (group.kind === 'removal') {
    if (step.entry === null) return labelled('nothing', 'is undone: the role has no `remove`; what it did stays there')
    return labelled('runs', `${safe(step.entry)}; ${step.destructive ? 'deletes data, or does not say that it does not' : 'declares that it deletes no data'}`)
  }
  const perhaps = !first.certain && first.causes.every((cause) => cause.kind === 'wants' && cause.before === null)
  return perhaps ? labelled('only if', 'these values turn out to be others than before:') : []
}

function causes(group: ChangeGroup, of: readonly Cause[], full: boolean): readonly string[] {
  const lines = causeLines(of, { said: placeOf(group), full })
  if (full || lines.length <= CAUSE_LINES) return lines
  return [...lines.slice(0, CAUSE_LINES), `  ... and ${count(lines.length - CAUSE_LINES, 'line')} more: --full`]
}

/** Installs and releases, node by node: each has disks of its own. What they have in common comes first. */
function nodeLines(group: ChangeGroup, telling: Telling): readonly string[] {
  const { grouped, options } = telling
  const full = options.full === true
  const changes = group.variants.flatMap((variant) => variant.changes)
  const [only] = changes
  if (only !== undefined && changes.length === 1) {
    const said = placeOf(group)
    return [...causeLines(only.causes.filter((cause) => cause.kind !== 'new'), { said, full }), ...machineLines(only, telling), ...diskLines(only, true, options), ...nodeEnd(only, telling), ...permissionLines(group, full)]
  }
  const lines: string[] = []
  let listed = 0
  let told = 0
  for (const variant of group.variants) {
    const shared = (variant.changes[0]?.causes ?? []).filter((cause) => cause.kind === 'os')
    lines.push(...causeLines(shared.map((cause) => ({ ...cause, at: null })), { said: null, full }))
    for (const { like, at, words, body } of alike(variant.changes, telling)) {
      if (!full && listed === NODES_TOLD) break
      listed++
      told += like.length
      lines.push(...namedHead(like, words, at, full), ...body)
    }
  }
  const disks = changes.some((one) => one.disks.length > 0) ? ', each disk by its serial' : ''
  if (told < changes.length) lines.push(`  ... and ${count(changes.length - told, 'node')} more${disks}: --full`)
  if (group.kind === 'install') {
    const roles = changes.reduce((sum, one) => sum + (grouped.following.get(one.step.node ?? '') ?? 0), 0)
    if (roles > 0) lines.push(...labelled('then', `all roles of these nodes, ${thousands(roles)} in all`))
  }
  return [...lines, ...permissionLines(group, full)]
}

interface Alike {
  readonly like: readonly string[]
  readonly at: string | null
  readonly words: string
  readonly body: readonly string[]
}

/** Nodes of which the same is told, as of all that wait for a machine of one kind, are told once. */
function alike(changes: readonly Change[], telling: Telling): readonly Alike[] {
  const full = telling.options.full === true
  const told = changes.map((one) => {
    const at = one.causes.find((cause) => cause.at !== null)?.at ?? null
    const { label, words } = machineOf(one, telling)
    const said = label === 'claims' ? `claims ${words}` : words
    return { node: one.step.node ?? '', at, words: said, body: [...causeLines(one.causes.filter((cause) => cause.kind !== 'new' && cause.kind !== 'os'), { said: at, full }), ...diskLines(one, false, telling.options)] }
  })
  const same = Map.groupBy(told, ({ at, words, body }) => JSON.stringify([at, words, body]))
  return [...same.values()].flatMap((nodes) => nodes.slice(0, 1).map(({ at, words, body }) => ({ like: nodes.map(({ node }) => node), at, words, body })))
}

/** Headed by the names where they fit beside what is said of them. */
function namedHead(nodes: readonly string[], words: string, at: string | null, full: boolean): readonly string[] {
  const names = foldNames(nodes)
  if (nodes.length === 1 || columnsOf(names) <= WIDTH / 2) return labelled(names, words, at)
  return [...labelled('nodes', full ? names : cut(names, WIDTH * 2)), ...labelled('', words, at)]
}

interface Telling {
  readonly grouped: Grouped
  readonly plan: Plan
  /** Some node gets another address. */
  readonly moved: boolean
  readonly options: DiffOptions
}

/** The machine that a node has, gives back, or waits for. */
function machineOf(one: Change, { plan, options }: Telling): { readonly label: 'machine' | 'claims'; readonly words: string } {
  if (one.step.kind === 'release') {
    const machine = one.causes[0]?.before
    return { label: 'machine', words: typeof machine === 'string' ? machineWords(machine, options) : 'no machine' }
  }
  const node = own(plan.nodes, one.step.node ?? '')
  const machine = node?.machine ?? null
  if (machine !== null) return { label: 'machine', words: machineWords(machine, options, own(node?.labels ?? {}, 'rack')) }
  return { label: 'claims', words: `${safe(node?.selector ?? '')}; none yet` }
}

/** The machine of the one node that is told, with the place of its claim unless that was said. */
function machineLines(one: Change, telling: Telling): readonly string[] {
  const { label, words } = machineOf(one, telling)
  const claim = label === 'claims' ? (one.causes.find((cause) => cause.kind === 'machine' && cause.path === 'claim')?.at ?? null) : null
  return labelled(label, words, claim === one.causes.find((cause) => cause.at !== null)?.at ? null : claim)
}

/** What happens to the disks of one node; `alone`: no other node is told beside it, so there is room for those that stay. */
function diskLines(one: Change, alone: boolean, { full }: DiffOptions): readonly string[] {
  if (one.step.kind === 'release') return alone ? labelled('keeps', 'all that is on its disks') : []
  const lines: string[] = []
  const all = alone || full === true
  const place = (disk: DiskFate): string | null => (alone && disk.fate === 'kept' ? (disk.at ?? null) : null)
  for (const disk of one.disks) if (disk.fate === 'wiped' || all) lines.push(...edges(diskLine(disk, one), place(disk)))
  const kept = one.disks.filter((disk) => disk.fate === 'kept').length
  if (!all && kept > 0) lines.push(...labelled('kept', count(kept, 'other disk')))
  if (!one.step.destructive) return [...lines, ...labelled('writes', 'no disk: the system that is there joins as it is')]
  const wiped = one.disks.filter((disk) => disk.fate === 'wiped')
  if (!alone || one.certain) return lines
  if (wiped.length === 0) return [...lines, ...labelled('disks', 'unknown until a machine is claimed; cannot be approved before')]
  return [...lines, ...labelled('disks', 'not all were looked at yet; cannot be approved before')]
}

function nodeEnd(one: Change, { grouped, plan, moved }: Telling): readonly string[] {
  const name = one.step.node ?? ''
  const fresh = one.causes.some((cause) => cause.kind === 'new')
  const addresses = Object.entries(own(plan.nodes, name)?.addresses ?? {}).map(([network, address]) => `${network} ${address}`)
  const roles = grouped.following.get(name) ?? 0
  return [
    ...(fresh && addresses.length > 0 ? labelled('gets', addresses.join(', ')) : []),
    ...(roles > 0 ? labelled('then', `${roles === 1 ? 'its 1 role' : `all its ${roles} roles`}${fresh ? '' : ' again'}${fresh || moved ? '' : '; addresses stay'}`) : []),
  ]
}

function machineWords(machine: string, options: DiffOptions, rack?: string): string {
  const known = options.machines !== undefined && Object.hasOwn(options.machines, machine) ? options.machines[machine] : undefined
  const seen = known?.seen === undefined ? '' : `; disks as seen ${known.seen.slice(0, 16).replace('T', ' ')} UTC`
  return `${safe(known?.label ?? machine)}${rack === undefined ? '' : `, rack ${safe(rack)}`}${seen}`
}

function diskLine(disk: DiskFate, { step, consequence }: Change): string {
  const label = disk.fate === 'wiped' ? (isErase(step) ? 'erased' : disk.blank === true || consequence === 'reinstall' ? 'writes' : 'wiped') : 'kept'
  const name = disk.serial === '' ? `${safe(disk.id)} (no serial)` : safe(disk.serial)
  const model = disk.model === '' ? '' : `  ${safe(disk.model)}`
  return cut(`${labelHead(label)}${diskSize(disk.bytes).padStart(6)}  ${name}${model}  ${safe(disk.summary)}`, WIDTH)
}

function permissionLines(group: ChangeGroup, full: boolean): readonly string[] {
  const changes = group.variants.flatMap((variant) => variant.changes)
  if (group.permission === 'protected') {
    const places = [...new Set(changes.flatMap((one) => one.protectedBy ?? []))]
    return labelled('refused', `protected by ${places.slice(0, 4).join(', ')}${places.length > 4 ? ', ...' : ''}`)
  }
  if (group.permission === 'held') {
    const held = changes.map((one) => `${one.step.node ?? ''} by ${one.heldBy ?? ''}`)
    return labelled('refused', `the machine is held: ${held.slice(0, 4).join(', ')}${held.length > 4 ? ', ...' : ''}`)
  }
  if (group.permission === 'lacks a disk') {
    const lost = changes.flatMap((one) => (one.lacks ?? []).map((id) => `${id} of ${one.step.node ?? ''}`))
    return labelled('refused', `not in the machine any more: ${lost.slice(0, 4).join(', ')}${lost.length > 4 ? ', ...' : ''}`)
  }
  if (group.permission !== 'needs approval') return []
  const asking = changes.filter((one) => one.needsApproval)
  const steps = changes.length <= 3 || group.kind !== 'install' ? asking.slice(0, 3).map((one) => one.step.id).join(', ') : `install@${foldNames(nodesOf(group))}`
  const rest = asking.length > 3 && group.kind !== 'install' ? ` and ${thousands(asking.length - 3)} more` : ''
  const bound = group.kind === 'install' || asking.some(({ step }) => isErase(step)) ? 'machine, disks or contents differ' : 'machine or work differ'
  return labelled('approve', `${cut(steps, full ? Infinity : WIDTH)}${rest}   (void if ${bound})`)
}
