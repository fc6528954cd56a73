import { columnsOf } from '../diagnostics/width.ts'

/** Columns that the text of changes and plans is made for. */
export const WIDTH = 80

/**
 * Text that may stand on a terminal or in a pull request: characters that control or format without being seen, among
 * them those that turn the direction of writing, are shown as escapes. Names of models and disks come from hardware,
 * values from whoever wrote them.
 */
export function safe(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`)
}

/** Cuts text that is too long, and shows that it did. */
export function cut(text: string, width: number): string {
  if (text.length * 2 <= width || columnsOf(text) <= width) return text
  let kept = ''
  let columns = 3
  for (const character of text) {
    columns += columnsOf(character)
    if (columns > width) break
    kept += character
  }
  return `${kept}...`
}

/** Breaks text at spaces into lines of at most `width`; a word that is longer stands alone and sticks out. */
export function wrap(text: string, width: number): readonly string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line !== '' && columnsOf(line) + 1 + columnsOf(word) > width) {
      lines.push(line)
      line = word
    } else line = line === '' ? word : `${line} ${word}`
  }
  return [...lines, line]
}

/** `left`, and `right` at the right edge; on a line of its own when there is no room. */
export function edges(left: string, right: string | null): readonly string[] {
  if (right === null || right === '') return [left]
  const gap = WIDTH - columnsOf(left) - columnsOf(right)
  return gap >= 2 ? [`${left}${' '.repeat(gap)}${right}`] : [left, `${' '.repeat(Math.max(0, WIDTH - columnsOf(right)))}${right}`]
}

/** Columns from a label to what it labels. */
export const LABEL = 10

/** `  label     text`, wrapped and hanging under the text; the place beside its first line, else beside or below its last. */
export function labelled(label: string, text: string, at: string | null = null): readonly string[] {
  const head = labelHead(label)
  const [first = '', ...rest] = wrap(text, WIDTH - columnsOf(head))
  const lines = [`${head}${first}`, ...rest.map((line) => `${' '.repeat(columnsOf(head))}${line}`)]
  const beside = fits(lines[0] ?? '', at) ? 0 : lines.length - 1
  return lines.flatMap((line, index) => (index === beside ? edges(line, at) : [line]))
}

function fits(left: string, right: string | null): boolean {
  return columnsOf(left) + 2 + columnsOf(right ?? '') <= WIDTH
}

/** The label of a line with the space behind it: at least two columns, also behind a long one. */
export function labelHead(label: string): string {
  return `  ${label}${' '.repeat(Math.max(2, LABEL - columnsOf(label)))}`
}

/** `1 node`, `12 nodes`; thousands with commas. */
export function count(number: number, one: string, many = `${one}s`): string {
  return `${thousands(number)} ${number === 1 ? one : many}`
}

export function thousands(number: number): string {
  return String(number).replace(/\B(?=([0-9]{3})+$)/g, ',')
}

/** Bytes as disks are sold: `960 GB`, `3.8 TB`. */
export function diskSize(bytes: number): string {
  for (const [unit, size] of [['TB', 1e12], ['GB', 1e9], ['MB', 1e6]] as const) {
    if (bytes >= size) return `${(bytes / size) >= 10 ? Math.round(bytes / size) : Math.round(bytes / size * 10) / 10} ${unit}`
  }
  return `${bytes} B`
}
