import { isMap, isNode, isScalar, parseDocument } from 'yaml'
import { byCodePoint } from '../../../schemas/canonical.ts'

const HEADER = '# The version of each secret; its value is in the .age file of the same path. Written by `crowbar secret`.\n'

/** An index that nobody but a person wrote, in a form that is not edited. */
export class SecretIndexError extends Error {}

/** What a line of the index says. */
export interface IndexLine {
  readonly version: string
  readonly previous: string | null
}

/**
 * The text of an index of secrets with one line changed, or added in its place by code point; every other byte stays as
 * it is. The text before has to be a good index, or empty.
 *
 * @throws {SecretIndexError}
 */
export function withLine(text: string, path: string, { version, previous }: IndexLine): string {
  const value = `{ version: ${version}${previous === null ? '' : `, previous: ${previous}`} }`
  const lines = linesOf(text)
  if (lines === undefined) {
    const comments = text.replace(/\{\s*\}\s*$/, '').trimEnd()
    return `${comments === '' ? HEADER : `${comments}\n`}${path}: ${value}\n`
  }
  const known = lines.find((line) => line.path === path)
  if (known !== undefined) return `${text.slice(0, known.start)}${value}${text.slice(known.end)}`
  const next = lines.find((line) => byCodePoint(line.path, path) > 0)
  const at = next === undefined ? endOfLine(text, lines.at(-1)?.end ?? text.length) : startOfComments(text, next.key)
  const before = text.slice(0, at)
  return `${before}${before === '' || before.endsWith('\n') ? '' : '\n'}${path}: ${value}\n${text.slice(at)}`
}

interface Line {
  readonly path: string
  /** Offset of the path. */
  readonly key: number
  /** Offsets of the value. */
  readonly start: number
  readonly end: number
}

/** undefined: there is none yet. */
function linesOf(text: string): readonly Line[] | undefined {
  const { contents } = parseDocument(text)
  if (isMap(contents) && contents.flow === true && contents.items.length > 0) throw new SecretIndexError('secrets/index.yaml has all its entries between one pair of braces; write one a line')
  if (!isMap(contents) || contents.items.length === 0) return undefined
  return contents.items.flatMap(({ key, value }) => {
    if (!isScalar(key) || !isNode(value) || !Array.isArray(key.range) || !Array.isArray(value.range)) return []
    return [{ path: String(key.value), key: key.range[0], start: value.range[0], end: value.range[1] }]
  })
}

function endOfLine(text: string, offset: number): number {
  const newline = text.indexOf('\n', offset)
  return newline < 0 ? text.length : newline + 1
}

/** The beginning of the lines of comments right above an offset; of its own line when there are none. */
function startOfComments(text: string, offset: number): number {
  let start = text.lastIndexOf('\n', offset - 1) + 1
  while (start > 0) {
    const above = text.lastIndexOf('\n', start - 2) + 1
    if (!text.slice(above, start).trimStart().startsWith('#')) break
    start = above
  }
  // What stands at the top of the file is about all of it.
  return start === 0 && text.startsWith('#') ? text.lastIndexOf('\n', offset - 1) + 1 : start
}
