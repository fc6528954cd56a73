import { isNothing } from '../../schemas/changes.ts'
import type { Changes } from '../../schemas/changes.ts'
import type { Plan } from '../../schemas/plan.ts'
import type { DiffOptions } from './diff-options.ts'
import { sections } from './diff-sections.ts'
import type { Section } from './diff-sections.ts'
import { baseName, shortCommit, summaryRows } from './diff-summary.ts'
import type { SummaryRow } from './diff-summary.ts'
import { laterLines, laterWork } from './later.ts'
import { erasedLines, selectionLines, unknownLines, violationLines } from './diff-text.ts'
import { groupChanges } from './groups.ts'
import { count, cut, safe, thousands } from './layout.ts'
import { packageLines } from './package-lines.ts'
import { aftermath, applyCommand } from './next-step.ts'
import { renameLines } from './rename-lines.ts'

/** GitHub takes 65,536 characters in a comment; this leaves room for whoever wraps it. */
export const MAX_BYTES = 60_000

/**
 * Changes as Markdown for a pull request: the summary first, then what comes next, what policies object to, and a block
 * for each group, worst first. What does not fit into `maxBytes` (UTF-8) is left out whole, blocks from the end, then what
 * comes next, then rows from the end, and that is said; nothing is ever cut inside a table, a list or a fence. Ends with a newline.
 */
export function diffMarkdown(changes: Changes, plan: Plan, options: DiffOptions & { readonly maxBytes?: number } = {}): string {
  const most = options.maxBytes ?? MAX_BYTES
  const grouped = groupChanges(changes)
  const rows = summaryRows(grouped, { changes, plan })
  const told = sections(grouped, { changes, plan }, options)
  const title = `### ${escaped(`${plan.site.name}: ${baseName(changes.base)} → ${shortCommit(changes.commit)}`)}`
  const verdict = verdictOf(changes, rows)
  const objections = changes.violations.length === 0 ? [] : [fenced(violationLines(changes), 'text')]
  const blocks = [...objections, ...told.map(blockOf), ...extraBlocks(changes, plan, options)]
  const next = nextBlock(changes)
  // What goes first when there is no room: blocks from the end, what comes next, rows from the end. Sizes only shrink.
  let kept = { blocks: blocks.length, next: true, rows: rows.length }
  const page = (): string => {
    const left = blocks.length - kept.blocks
    const parts = [title, verdict, table(rows, kept.rows), kept.next ? next : '', ...blocks.slice(0, kept.blocks), left === 0 ? '' : `_${count(left, 'part')} left out: \`crowbar diff --full\` has all of it._`]
    return `${parts.filter((part) => part !== '').join('\n\n')}\n`
  }
  const fits = (): boolean => bytes(page()) <= most
  const shrink = (what: 'blocks' | 'rows'): void => {
    const number = largest(kept[what], (tried) => {
      kept = { ...kept, [what]: tried }
      return fits()
    })
    kept = { ...kept, [what]: number }
  }
  if (!fits()) shrink('blocks')
  if (!fits()) kept = { ...kept, next: false }
  if (!fits()) shrink('rows')
  return fits() ? page() : `${clipped(`${title}. ${verdict}`.replaceAll(/^### |\*\*/g, ''), Math.max(0, most - 1))}\n`
}

/** The greatest number up to `most` that fits, taking 0 as one that does. */
function largest(most: number, fits: (number: number) => boolean): number {
  let low = 0
  let high = most
  while (low < high) {
    const middle = Math.ceil((low + high) / 2)
    if (fits(middle)) low = middle
    else high = middle - 1
  }
  return low
}

function verdictOf(changes: Changes, rows: readonly SummaryRow[]): string {
  if (isNothing(changes) && changes.violations.some((one) => one.level === 'deny')) return '**Nothing runs: it is refused.**'
  if (rows.length === 0) return isNothing(changes) ? `Nothing to do: ${count(changes.unchanged, 'step')} ${changes.unchanged === 1 ? 'stands' : 'stand'}.` : 'Nothing happens on any node.'
  const approvals = rows.filter((row) => row.flag !== '').reduce((sum, row) => sum + row.nodes, 0)
  const denied = changes.violations.filter((one) => one.level === 'deny').length
  const words = [`${count(changes.changes.length, 'step')} to run, ${thousands(changes.unchanged)} ${changes.unchanged === 1 ? 'stands' : 'stand'}`]
  if (approvals > 0) words.push(`**${count(approvals, 'step')} ${approvals === 1 ? 'does' : 'do'} not run without more**`)
  if (denied > 0) words.push(`**${denied} denied by policy**`)
  return `${words.join('; ')}.`
}

function table(rows: readonly SummaryRow[], shown: number): string {
  if (rows.length === 0) return ''
  if (shown === 0) return `_${count(rows.length, 'row')} of the summary left out._`
  const lines = rows.slice(0, shown).map((row) => `| **${row.label}** | ${thousands(row.nodes)} | ${escaped(cut(row.what, 300).replace('  ', ': '))} | ${row.flag.toLowerCase()} |`)
  const rest = rows.length - shown
  return ['| | nodes | what | |', '|---|--:|---|---|', ...lines, ...(rest > 0 ? [`| | | ${count(rest, 'row')} left out | |`] : [])].join('\n')
}

function nextBlock(changes: Changes): string {
  const command = applyCommand(changes)
  if (command === null) return ''
  const sentences = aftermath(changes).map(escaped).join(' ')
  return [fenced(command.map((line, index) => (index === 0 ? line : `  ${line}`)), 'sh'), sentences].filter((part) => part !== '').join('\n\n')
}

function blockOf(section: Section): string {
  const open = section.group.permission === 'goes' ? '' : ' open'
  return `<details${open}><summary>${html(cut(section.title, 120))}</summary>\n\n${fenced(section.lines, 'text')}\n\n</details>`
}

function extraBlocks(changes: Changes, plan: Plan, options: DiffOptions): readonly string[] {
  return [renameLines(changes, options), ...packageLines(changes, options), ...laterWork(changes, plan).map(laterLines), selectionLines(changes), erasedLines(changes, options), violationLines(changes), unknownLines(changes, options)].filter((lines) => lines.length > 0).map((lines) => fenced(lines, 'text'))
}

/** A fence that nothing in it can end. */
function fenced(lines: readonly string[], language: string): string {
  const text = lines.join('\n')
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map((run) => run[0].length))
  const fence = '`'.repeat(longest + 1)
  return `${fence}${language}\n${text}\n${fence}`
}

function escaped(text: string): string {
  return html(safe(text)).replace(/[\\`*_[\]|~#]/g, (character) => `\\${character}`)
}

function html(text: string): string {
  return safe(text).replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}

const encoder = new TextEncoder()

function bytes(text: string): number {
  return encoder.encode(text).length
}

/** The beginning of one line of text that fits into so many bytes. */
function clipped(text: string, most: number): string {
  const characters = Array.from(text)
  return characters.slice(0, largest(characters.length, (number) => bytes(characters.slice(0, number).join('')) <= most)).join('')
}
