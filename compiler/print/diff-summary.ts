import { columnsOf } from '../diagnostics/width.ts'
import type { Changes } from '../../schemas/changes.ts'
import { CONSEQUENCES } from '../../schemas/documents/words.ts'
import type { Consequence } from '../../schemas/documents/words.ts'
import { own } from '../../schemas/own.ts'
import type { Plan } from '../../schemas/plan.ts'
import { foldNames } from './fold-names.ts'
import { nodesOf, untouched } from './groups.ts'
import type { ChangeGroup, Grouped } from './groups.ts'
import { count, cut, edges, safe, thousands, WIDTH, wrap } from './layout.ts'
import { laterWork, waited } from './later.ts'
import { wavesInShort, wavesOf } from './wave-lines.ts'

/** One line of the summary: a group in a few words. */
export interface SummaryRow {
  /** `WIPE`, `MAY RESTART`. */
  readonly label: string
  readonly nodes: number
  readonly what: string
  /** `NEEDS APPROVAL`, `APPROVE LATER`, `PROTECTED`, `REFUSED`, or empty. */
  readonly flag: string
}

/** `austin  applied 4f1c2ab (run 118, complete) -> 9d03e77   plan 77ab31c0`. */
export function headingOf(changes: Changes, plan: Plan): string {
  return `${safe(plan.site.name)}  ${baseName(changes.base)} -> ${shortCommit(changes.commit)}   plan ${changes.plan.replace('sha256:', '').slice(0, 8)}`
}

/** What the changes start from, for people; an absent ledger is said, never taken for an empty cluster. */
export function baseName(base: Changes['base']): string {
  if (base.kind === 'empty') return 'no ledger, as if nothing had run'
  const commit = base.commit === null ? '' : ` ${shortCommit(base.commit)}`
  if (base.kind === 'ledger') return base.run === null ? 'applied, no run yet' : `applied${commit} (run ${base.run}, ${base.state ?? 'unknown'})`
  return base.kind === 'plan' ? `saved plan${commit}` : `commit${commit}`
}

export function shortCommit(commit: string | null): string {
  return commit === null ? 'working tree' : safe(commit.slice(0, 7))
}

/** `WIPE`; `MAY WIPE` for what may turn out to be less. Undoing that does nothing is `FORGET`. */
export function labelOf(group: Pick<ChangeGroup, 'consequence' | 'certain' | 'kind'>): string {
  const word = group.kind === 'removal' && group.consequence === 'none' ? 'FORGET' : group.consequence.toUpperCase()
  return group.certain ? word : `MAY ${word}`
}

/** A row for each group, worst first; nodes that have another name last. */
export function summaryRows(grouped: Grouped, { changes, plan }: { readonly changes: Changes; readonly plan: Plan }): readonly SummaryRow[] {
  const flags = { goes: '', 'needs approval': 'NEEDS APPROVAL', 'approve later': 'APPROVE LATER', protected: 'PROTECTED', held: 'REFUSED', 'lacks a disk': 'REFUSED' } as const
  const rows = grouped.groups.map((group) => ({ consequence: group.consequence,  label: labelOf(group), nodes: nodesOf(group).length, what: `${whatOf(group, plan)}${wavesInShort(wavesOf(group, changes))}`, flag: flags[group.permission] }))
  const later = laterWork(changes, plan).map(({ consequence, role, nodes, waitedFor }) => ({ consequence, label: `MAY ${consequence.toUpperCase()}`, nodes: nodes.length, what: `${role}, when ${waited(waitedFor)}`, flag: '' }))
  return [...[...rows, ...later].toSorted((a, b) => CONSEQUENCES.indexOf(a.consequence) - CONSEQUENCES.indexOf(b.consequence)), ...renameRows(changes)]
}

/** The row about nodes that have another name; none when no node has. */
function renameRows({ renamed }: Changes): readonly SummaryRow[] {
  if (renamed.length === 0) return []
  return [{ label: 'RENAME', nodes: renamed.length, what: renamed.map(({ from, to }) => `${safe(from)} becomes ${safe(to)}`).join(', '), flag: '' }]
}

/** The summary as text, and what does not happen. */
export function summaryLines(rows: readonly SummaryRow[]): readonly string[] {
  const label = Math.max(9, ...rows.map((row) => row.label.length))
  const number = Math.max(0, ...rows.map((row) => thousands(row.nodes).length))
  return rows.flatMap((row) => {
    const amount = `${thousands(row.nodes).padStart(number)} ${row.nodes === 1 ? 'node ' : 'nodes'}`
    const head = `  ${row.label.padEnd(label)} ${amount}  `
    const room = WIDTH - head.length - (row.flag === '' ? 0 : row.flag.length + 2)
    return edges(`${head}${fitted(row.what, room)}`, row.flag)
  })
}

/** What a row says in so many columns: names, of which the details tell all, are cut before what happens to them. */
function fitted(what: string, room: number): string {
  const gap = what.indexOf('  ')
  const words = gap < 0 ? '' : what.slice(gap)
  const left = room - columnsOf(words)
  return gap < 0 || left < 12 ? cut(what, room) : `${cut(what.slice(0, gap), left)}${words}`
}

/** The consequences that nothing has, and what stands as it is. */
export function nothingElse(changes: Changes, plan: Plan): readonly string[] {
  const had = new Set(changes.changes.map((one) => one.consequence))
  const { claims, addresses } = changes.moved
  const words: readonly (readonly [Consequence, string])[] = [
    ['wipe', 'wipes'],
    ['reinstall', 'reinstalls'],
    ['release', 'releases'],
    ['remove', 'removals'],
    ['reboot', 'reboots'],
    ['network', 'network changes'],
    ['restart', 'restarts'],
  ]
  const absent = [...words.flatMap(([consequence, word]) => (had.has(consequence) ? [] : [`0 ${word}`])), ...(claims + addresses === 0 ? ['0 addresses or claims moved'] : [])]
  const { steps, nodes } = untouched(changes, plan)
  const names = foldNames(nodes)
  const stands = steps === 0 ? '' : ` ${count(steps, 'step')} ${steps === 1 ? 'stands as it is' : 'stand as they are'}.`
  const alone = nodes.length === 0 ? '' : ` Not touched: ${names.length > 50 ? count(nodes.length, 'node') : names}.`
  return wrap(`Nothing else${absent.length === 0 ? '' : `: ${absent.join(', ')}`}.${stands}${alone}`, WIDTH - 2).map((line) => `  ${line}`)
}

function whatOf(group: ChangeGroup, plan: Plan): string {
  const nodes = foldNames(nodesOf(group))
  if (group.kind === 'install') return `${nodes}  ${installWords(group, plan)}`
  if (group.kind === 'operation') return `${group.subject.replace('operation/', '')}: ${plan.operations.find(({ name }) => `operation/${name}` === group.subject)?.do.join(', ') ?? ''}`
  if (group.kind === 'release') return `${nodes}  left the site`
  if (group.kind === 'removal') {
    if (group.consequence === 'none') return `${group.subject}, nothing is undone`
    return group.consequence === 'wipe' ? `${group.subject} removed with its data, ${nodes}` : group.subject
  }
  return group.consequence === 'wipe' ? `${group.subject} may delete data, ${nodes}` : group.subject
}

function installWords(group: ChangeGroup, plan: Plan): string {
  const changes = group.variants.flatMap((variant) => variant.changes)
  const systems = [...new Set(changes.map((one) => own(plan.nodes, one.step.node ?? '')?.os ?? 'an os not known yet'))]
  const fresh = changes.every((one) => one.causes.some((cause) => cause.kind === 'new'))
  if (group.unclaimed) {
    const claimed = changes.some((one) => (own(plan.nodes, one.step.node ?? '')?.machine ?? null) !== null)
    if (claimed) return fresh ? 'new, its disks are not known yet' : 'not all its disks are there'
    return fresh ? 'new, no machine yet' : 'no machine any more'
  }
  if (changes.every((one) => !one.step.destructive)) return fresh ? 'joins as it is' : 'joins again as it is'
  return `${fresh ? 'installed' : 'reinstalled'} as ${systems.length > 3 ? `${systems.length} systems` : systems.join(', ')}`
}
