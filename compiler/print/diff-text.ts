import { isNothing } from '../../schemas/changes.ts'
import type { Changes } from '../../schemas/changes.ts'
import type { Plan } from '../../schemas/plan.ts'
import type { DiffOptions } from './diff-options.ts'
import { sections } from './diff-sections.ts'
import { headingOf, nothingElse, summaryLines, summaryRows } from './diff-summary.ts'
import { foldNames } from './fold-names.ts'
import { groupChanges } from './groups.ts'
import type { Grouped } from './groups.ts'
import { count, cut, labelled, safe, thousands, WIDTH, wrap } from './layout.ts'
import { laterLines, laterWork } from './later.ts'
import { missingLines } from './missing-lines.ts'
import { packageLines } from './package-lines.ts'
import { nextLines } from './next-step.ts'
import { renameLines } from './rename-lines.ts'

/** Unknowns that are listed when not everything is asked for. */
const UNKNOWNS_TOLD = 8

/**
 * Changes as a reviewer reads them, at most 80 columns wide where names and values allow: the summary, worst first; what
 * is not touched; a section for each group with causes and places, disks by serial; what is unknown; the command that
 * comes next, and what happens without it. Ends with a newline.
 */
export function diffText(changes: Changes, plan: Plan, options: DiffOptions = {}): string {
  const grouped = groupChanges(changes)
  const blocks: (readonly string[])[] = [wrap(headingOf(changes, plan), WIDTH)]
  if (isNothing(changes)) {
    blocks.push(changes.violations.some((one) => one.level === 'deny') ? ['Nothing runs: it is refused.'] : [`Nothing to do: ${count(changes.unchanged, 'step')} ${changes.unchanged === 1 ? 'stands as it is' : 'stand as they are'}.`])
  } else {
    blocks.push([...summaryLines(summaryRows(grouped, { changes, plan })), ...nothingElse(changes, plan), ...quietLines(grouped)])
    blocks.push(renameLines(changes, options))
    for (const section of sections(grouped, { changes, plan }, options)) blocks.push(section.lines)
  }
  blocks.push(...packageLines(changes, options))
  for (const later of laterWork(changes, plan)) blocks.push(laterLines(later))
  blocks.push(selectionLines(changes), erasedLines(changes, options), unknownLines(changes, options), violationLines(changes), nextLines(changes))
  const text = `${blocks.filter((lines) => lines.length > 0).map((lines) => lines.join('\n')).join('\n\n')}\n`
  return options.color === true ? painted(text) : text
}

/** Work that nobody has to judge, in a line: what is staged, found and waited for. */
export function quietLines(grouped: Grouped): readonly string[] {
  const words = grouped.quiet.map(({ kind, names }) => {
    if (kind === 'stage') return `stages ${names.length > 4 ? count(names.length, 'artifact set') : names.join(', ')}`
    if (kind === 'discover') return `looks for ${cut(foldNames(names), 60)}`
    if (kind === 'protect') return `protects ${cut(foldNames(names), 60)}`
    if (kind === 'unprotect') return `ends the protection of ${cut(foldNames(names), 50)}`
    return `passes ${count(names.length, kind)}`
  })
  return words.length === 0 ? [] : wrap(`Also ${words.join('; ')}.`, WIDTH - 2).map((line) => `  ${line}`)
}

/** What is not known yet, for whom and why. */
export function unknownLines(changes: Changes, options: DiffOptions): readonly string[] {
  const { missing } = changes
  if (missing.length === 0) return []
  const entries = missingLines(missing)
  const told = options.full === true ? entries : entries.slice(0, UNKNOWNS_TOLD)
  const lines = told.flat()
  if (told.length < entries.length) lines.push(`  ... and ${count(entries.length - told.length, 'reason')} more: --full`)
  return [`UNKNOWN  ${missing.length}`, ...lines]
}

/** Erased nodes that stay without an installation, and what ends that. */
export function erasedLines({ erased }: Changes, options: DiffOptions): readonly string[] {
  if (erased === undefined) return []
  const by = new Map<string, string[]>()
  for (const { node, step } of erased) by.set(step.slice(0, step.lastIndexOf('/')), [...(by.get(step.slice(0, step.lastIndexOf('/'))) ?? []), node])
  const lines = [...by].flatMap(([operation, nodes]) => labelled(safe(operation), cut(foldNames(nodes), options.full === true ? Infinity : WIDTH)))
  return [`ERASED  ${thousands(erased.length)}`, ...lines, ...wrap('Nothing is installed there and nothing runs: crowbar reinstall NODE installs it again, crowbar release NODE takes it out of the site.', WIDTH - 2).map((line) => `  ${line}`)]
}

/** What --target and --exclude left out, pulled in and deferred. */
export function selectionLines({ selection }: Changes): readonly string[] {
  if (selection === undefined) return []
  const { target, exclude, pulledIn, deferred, excluded } = selection
  const asked = [...target.map((glob) => `--target ${safe(glob)}`), ...exclude.map((glob) => `--exclude ${safe(glob)}`)]
  return [
    ...wrap(`SELECTED  ${asked.join(' ')}: ${count(excluded, 'change')} left out, ${thousands(pulledIn.length)} pulled in, ${thousands(deferred.length)} deferred`, WIDTH),
    ...reasons('pulled in', pulledIn, 'needed by'),
    ...reasons('deferred', deferred, 'needs'),
  ]
}

/** Steps by what they are and by why: nodes folded. */
function reasons(label: string, steps: readonly { readonly step: string; readonly by: string }[], word: string): readonly string[] {
  const groups = new Map<string, { readonly work: string; readonly why: string; readonly nodes: string[] }>()
  for (const { step, by } of steps) {
    const [work, node] = split(step)
    const [cause, other] = split(by)
    const why = other === null || other !== node ? cause + (other === null ? '' : `@${other}`) : cause
    const group = groups.get(JSON.stringify([work, why])) ?? { work, why, nodes: [] }
    groups.set(JSON.stringify([work, why]), group)
    if (node !== null) group.nodes.push(node)
  }
  const all = [...groups.values()]
  const lines = all.slice(0, UNKNOWNS_TOLD).flatMap(({ work, why, nodes }) => labelled(label, `${work}${nodes.length === 0 ? '' : `@${cut(foldNames(nodes), WIDTH)}`}, ${word} ${why}`))
  return all.length > UNKNOWNS_TOLD ? [...lines, `  ... and ${count(all.length - UNKNOWNS_TOLD, 'more kind')} of step: --format json`] : lines
}

/** A step's id without its node, and the node. */
function split(id: string): readonly [string, string | null] {
  const [, work, node, action] = /^(.*)@([^@#]*)(#.*)?$/.exec(id) ?? []
  return work === undefined || node === undefined ? [id, null] : [`${work}${action ?? ''}`, node]
}

/** What policies object to, the worst first. */
export function violationLines(changes: Changes): readonly string[] {
  const { violations, judged } = changes
  if (violations.length === 0) return judged === undefined || judged === 0 ? [] : [`POLICIES  ${thousands(judged)} passed`]
  const of = (level: string): number => violations.filter((one) => one.level === level).length
  const lines = violations
    .toSorted((a, b) => ['deny', 'warn', 'advise'].indexOf(a.level) - ['deny', 'warn', 'advise'].indexOf(b.level))
    .flatMap((one) => labelled(one.level, `${safe(one.policy)}: ${safe(one.message)}`, one.at))
  const passed = judged === undefined ? '' : `, ${thousands(Math.max(0, judged - new Set(violations.map((one) => one.policy)).size))} passed`
  return [`POLICIES  ${of('deny')} denied, ${of('warn')} warned, ${of('advise')} advised${passed}`, ...lines]
}

/** Red for what loses data or nodes, yellow for what interrupts; only headings and summary lines. */
function painted(text: string): string {
  return text.replace(/^( {2})?((?:MAY )?(WIPE|REINSTALL|RELEASE|REMOVE|REBOOT|NETWORK|RESTART|RUN|FORGET|RENAME|ERASED|UNKNOWN|POLICIES|NEXT|SELECTED|PACKAGES))(?= )/gm, (_, indent: string | undefined, label: string, word: string) => {
    const color = ['WIPE', 'REINSTALL', 'RELEASE', 'REMOVE'].includes(word) ? '\u001b[1;31m' : ['REBOOT', 'NETWORK', 'RESTART'].includes(word) ? '\u001b[1;33m' : '\u001b[1m'
    return `${indent ?? ''}${color}${label}\u001b[0m`
  })
}
