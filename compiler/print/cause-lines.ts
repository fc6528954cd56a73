import { canonical } from '../../schemas/canonical.ts'
import type { Cause } from '../../schemas/changes.ts'
import { shownVersion, shownVersions } from '../../schemas/secret-file.ts'
import type { Json } from '../../schemas/shape.ts'
import { columnsOf } from '../diagnostics/width.ts'
import { isLater, rotation } from '../change/shown-value.ts'
import type { Later } from '../change/shown-value.ts'
import { cut, edges, labelHead, labelled, safe, WIDTH, wrap } from './layout.ts'

/** Where values are cut, when not everything is asked for. */
const VALUE_WIDTH = 200
/** Characters before the first difference that are shown of values that are cut. */
const CONTEXT = 20

/** The lines that say why: one for each cause, files of a barclamp together. `said`: the place that the heading names. */
export function causeLines(causes: readonly Cause[], options: { readonly said: string | null; readonly full: boolean }): readonly string[] {
  const place = (at: string | null): string | null => (at === options.said ? null : at)
  const lines: string[] = []
  const files = causes.filter((cause) => cause.kind === 'content')
  for (const cause of causes) {
    const at = place(cause.at)
    if (cause.kind === 'machine' && cause.path === 'claim') continue
    if (cause.kind === 'content') {
      if (cause === files[0]) lines.push(...labelled('files', fileNames(files, options.full), at))
    } else if (cause.kind === 'new') lines.push(...labelled('new', 'has not run here', at))
    else if (cause.kind === 'unfinished') lines.push(...labelled('again', 'it was started before and did not succeed', at))
    else if (cause.kind === 'artifacts') lines.push(...valueLines('artifacts', cause, at, options.full))
    else if (cause.kind === 'other' && cause.path === null) lines.push(...labelled('differs', typeof cause.after === 'string' ? safe(cause.after) : 'in more than can be named', at))
    else if (cause.kind === 'machine' && cause.path === 'node') lines.push(...labelled('taken from', `${valueText(cause.before)}, which has it now`, at))
    else if (cause.kind !== 'reinstalled' && cause.kind !== 'removed') lines.push(...valueLines(cause.path ?? cause.kind, cause, at, options.full))
  }
  return lines
}

function fileNames(causes: readonly Cause[], full: boolean): string {
  const names = causes.map(({ path, before, after }) => (path === null ? 'of the barclamp' : `${safe(path)}${before === null ? ' (new)' : after === null ? ' (gone)' : ''}`))
  const shown = full ? names : names.slice(0, 6)
  return [shown.join(', '), names.length > shown.length ? `and ${names.length - shown.length} more` : ''].filter(Boolean).join(' ')
}

/** `path  before -> after`, over two lines when one is too short for both. */
function valueLines(path: string, cause: Pick<Cause, 'before' | 'after'>, at: string | null, full: boolean): readonly string[] {
  const head = labelHead(safe(path))
  const most = full ? Infinity : VALUE_WIDTH
  const rotated = rotation(cause.before, cause.after)
  if (rotated !== null) return edges(`${head}secret ${safe(rotated.secret)}, ${shownVersions(rotated.before, rotated.after).map(safe).join(' -> ')}`, at)
  const listed = listDifference(cause.before, cause.after)
  const [before, after] = aroundDifference(valueText(cause.before), valueText(cause.after), most)
  if (canonical(cause.before) === canonical(cause.after)) return edges(`${head}${after}, computed differently`, at)
  if (listed !== null && Math.max(columnsOf(valueText(cause.before)), columnsOf(valueText(cause.after))) > most) return labelled(safe(path), listed, at)
  const one = cause.before === null ? `${head}${isLater(cause.after) ? '' : '+ '}${after}` : cause.after === null ? `${head}- ${before}` : `${head}${before} -> ${after}`
  if (columnsOf(one) <= WIDTH) return edges(one, at)
  if (cause.before === null || cause.after === null) return labelled(safe(path), broken(cause.before === null ? `+ ${after}` : `- ${before}`, WIDTH - columnsOf(head)), at)
  const arrow = `${' '.repeat(columnsOf(head) - 3)}-> `
  if (columnsOf(head) + Math.max(columnsOf(before), columnsOf(after)) <= WIDTH) return [...edges(`${head}${before}`, at), `${arrow}${after}`]
  if (listed !== null && !full) return labelled(safe(path), listed, at)
  const room = WIDTH - columnsOf(head)
  const [first = '', ...more] = wrap(broken(before, room), room)
  const hanging = wrap(broken(after, room), room).map((line, index) => `${index === 0 ? arrow : ' '.repeat(columnsOf(head))}${line}`)
  return [...edges(`${head}${first}`, at), ...more.map((line) => `${' '.repeat(columnsOf(head))}${line}`), ...hanging]
}

/** Two values that are cut: where they begin alike, what they begin with goes, so that the difference is never cut off. */
function aroundDifference(before: string, after: string, most: number): readonly [string, string] {
  if (columnsOf(before) <= most && columnsOf(after) <= most) return [before, after]
  const [was, is] = [Array.from(before), Array.from(after)]
  const differs = was.findIndex((character, index) => character !== is[index])
  const from = Math.max(0, (differs < 0 ? was.length : differs) - CONTEXT)
  const shown = (characters: readonly string[]): string => cut(`${from === 0 ? '' : '...'}${characters.slice(from).join('')}`, most)
  return [shown(was), shown(is)]
}

/** Words that are longer than a line, in pieces. */
function broken(text: string, room: number): string {
  return text.split(' ').map((word) => (columnsOf(word) <= room ? word : pieces(word, room))).join(' ')
}

function pieces(word: string, room: number): string {
  let text = ''
  let columns = 0
  for (const character of word) {
    const wide = columnsOf(character)
    if (columns + wide > room) {
      text += ' '
      columns = 0
    }
    text += character
    columns += wide
  }
  return text
}

/** A value in few words: like YAML's flow style, strings plain where that is not ambiguous. */
export function valueText(value: Json): string {
  if (typeof value === 'string') return /^[A-Za-z0-9_./:@+-]+$/.test(value) && !/^(true|false|null|[-+]?[0-9]+(\.[0-9]*)?)$/.test(value) ? value : safe(JSON.stringify(value))
  if (value === null || typeof value !== 'object') return canonical(value)
  if (isLater(value)) return laterText(value)
  if (Array.isArray(value)) return `[${value.map((item: Json) => valueText(item)).join(', ')}]`
  const entries = Object.entries(value as { readonly [key: string]: Json }).map(([key, item]) => `${safe(key)}: ${valueText(item)}`)
  return entries.length === 0 ? '{}' : `{ ${entries.join(', ')} }`
}

function laterText(value: Later): string {
  const inputs = value.later.map((input) => ('secret' in input ? `secret ${safe(input.secret)} ${shownVersion(input.version)}` : `${safe(input.provide)} of ${safe(input.step)}`))
  if (inputs.length === 0) return value.sensitive ? '(sensitive)' : `(${safe(value.expression)})`
  return `(${inputs.join(', ')})`
}

/** Of two long lists how many entries there are, and which came and went. */
function listDifference(before: Json, after: Json): string | null {
  if (!Array.isArray(before) || !Array.isArray(after)) return null
  const [was, is] = [before.map((item: Json) => valueText(item)), after.map((item: Json) => valueText(item))]
  const [came, went] = [is.filter((item) => !was.includes(item)), was.filter((item) => !is.includes(item))]
  const few = (items: readonly string[], sign: string): string => (items.length === 0 ? '' : `, ${sign} ${cut(items.slice(0, 4).join(', '), 100)}${items.length > 4 ? ', ...' : ''}`)
  const order = came.length + went.length === 0 ? ', in another order' : ''
  return `${was.length} -> ${is.length} entries${few(came, '+')}${few(went, '-')}${order}`
}
