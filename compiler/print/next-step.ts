import { isNothing } from '../../schemas/changes.ts'
import type { Change, Changes } from '../../schemas/changes.ts'
import { globMatcher } from '../../schemas/glob.ts'
import { foldNames } from './fold-names.ts'
import { permissionOf } from './groups.ts'
import { WIDTH, wrap } from './layout.ts'

/** Steps of one kind that are written out in the command; more than these become one glob, where it means nothing else. */
const WRITTEN_OUT = 6

/** The command that carries the changes out, exactly, over as many lines as it needs; null when there is nothing to do. */
export function applyCommand(changes: Changes): readonly string[] | null {
  if (isNothing(changes)) return null
  const approvals = approvalArguments(changes.changes)
  const words = [`crowbar apply${changes.commit === null ? '' : ` --ref ${changes.commit.slice(0, 7)}`}`, ...approvals.map((id) => `--approve ${quoted(id)}`), ...selected(changes)]
  const lines: string[] = []
  for (const word of words) {
    const last = lines.at(-1)
    if (last !== undefined && last.length + 1 + word.length <= WIDTH - 8) lines[lines.length - 1] = `${last} ${word}`
    else lines.push(word)
  }
  return lines.map((line, index) => (index === lines.length - 1 ? line : `${line} \\`))
}

/** What happens next, and what does not without it: whole sentences. */
export function aftermath(changes: Changes): readonly string[] {
  const by = (permission: ReturnType<typeof permissionOf>): readonly Change[] => changes.changes.filter((one) => permissionOf(one) === permission)
  const held = by('needs approval')
  const later = by('approve later')
  const refused = by('protected')
  const swapped = by('held')
  const lacking = by('lacks a disk')
  const waiting = new Set([...held, ...later, ...refused, ...swapped, ...lacking].map((one) => one.step.node))
  const others = changes.changes.some((one) => one.step.node !== null && !waiting.has(one.step.node))
  const sentences: string[] = []
  const pausing = changes.rollouts.filter(({ pause, batches }) => pause !== 'never' && batches.length > 1)
  if (changes.commit === null) sentences.push('Commit first: the agent applies commits.')
  if (changes.violations.some((one) => one.level === 'deny')) return [...sentences, 'It is refused: nothing runs.']
  if (held.length > 0) sentences.push(`Without the approval${held.length === 1 ? '' : 's'} ${nodes(held)} ${stay(held)}${others ? '; the others proceed' : ''}.`)
  const unclaimed = later.filter((one) => one.step.once === null)
  const unseen = later.filter((one) => one.step.once !== null)
  if (unseen.length > 0) sentences.push(`${nodes(unseen)} ${wait(unseen)} for a look at the disks, then for an approval unless they are blank.`)
  if (unclaimed.length > 0) sentences.push(`${nodes(unclaimed)} ${wait(unclaimed)} for a machine, then for an approval unless ${of(unclaimed) === 1 ? 'its' : 'their'} disks are blank.`)
  for (const { id, pause } of pausing.slice(0, 3)) sentences.push(`After ${pause === 'after-first' ? 'its first wave' : 'each of its waves'} ${id.replace('rollout/', '')} waits: crowbar approve ${id}`)
  if (refused.length > 0) sentences.push(`${nodes(refused)} ${stay(refused)}: protected; take \`protect\` off in a commit of its own first.`)
  if (swapped.length > 0) sentences.push(`${nodes(swapped)} ${stay(swapped)}: ${foldNames(swapped.map((one) => one.heldBy ?? ''))} ${new Set(swapped.map((one) => one.heldBy)).size === 1 ? 'has' : 'have'} to leave the machine by an apply before: with another machine, or out of the site.`)
  if (lacking.length > 0) sentences.push(`${nodes(lacking)} ${stay(lacking)}: a disk is missing; put it back, or let \`crowbar lock --rebind NODE:disks\` choose another one.`)
  return sentences
}

/** The end of a text: `NEXT`, the command, what happens without it. */
export function nextLines(changes: Changes): readonly string[] {
  const command = applyCommand(changes)
  if (command === null) return []
  const lines = command.map((line, index) => `${index === 0 ? 'NEXT  ' : '        '}${line}`)
  return [...lines, ...aftermath(changes).flatMap((sentence) => wrap(sentence, WIDTH - 6).map((line) => `      ${line}`))]
}

/** A glob allows what waits when it is expanded: never what is not shown here, as the disks of a machine still to come. */
function approvalArguments(changes: readonly Change[]): readonly string[] {
  const by = new Map<string, string[]>()
  for (const one of changes.filter((each) => permissionOf(each) === 'needs approval')) {
    const [, before, after] = /^([^@]*@)[^#]*(.*)$/.exec(one.step.id) ?? ['', one.step.id, '']
    const glob = `${before}*${after}`
    by.set(glob, [...(by.get(glob) ?? []), one.step.id])
  }
  const written = [...by].map(([glob, ids]) => {
    const means = globMatcher(glob)
    return ids.length > WRITTEN_OUT && changes.filter(({ step }) => means(step.id)).length === ids.length ? [glob] : ids
  })
  // Installations first, then what erases: the rest is in the order of the changes.
  const rank = ([id]: readonly string[]): number => (id?.startsWith('install@') === true ? 0 : id?.startsWith('operation/') === true ? 1 : 2)
  return written.toSorted((one, other) => rank(one) - rank(other)).flat()
}

/** What was chosen, so that the command carries out what was read and no more. */
function selected({ selection }: Changes): readonly string[] {
  return [...(selection?.target ?? []).map((glob) => `--target ${quoted(glob)}`), ...(selection?.exclude ?? []).map((glob) => `--exclude ${quoted(glob)}`)]
}

function quoted(id: string): string {
  return /^[A-Za-z0-9@/._#-]+$/.test(id) ? id : `'${id.replaceAll("'", `'\\''`)}'`
}

function nodes(changes: readonly Change[]): string {
  const names = foldNames(changes.map((one) => one.step.node ?? 'the admin node'))
  return names.length > 60 ? `${of(changes)} nodes` : names
}

function of(changes: readonly Change[]): number {
  return new Set(changes.map((one) => one.step.node)).size
}

function stay(changes: readonly Change[]): string {
  return of(changes) === 1 ? 'stays as it is' : 'stay as they are'
}

function wait(changes: readonly Change[]): string {
  return of(changes) === 1 ? 'waits' : 'wait'
}
