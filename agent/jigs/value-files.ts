import { byCodePoint, canonical } from '../../schemas/canonical.ts'
import type { Json } from '../../schemas/shape.ts'
import type { JigFile } from './jig.ts'

/** Characters of a key as `encodeKey` writes it, and of the path to it below the folder of work: Linux takes 255 and 4,095 bytes. */
export const LONGEST_NAME = 240
export const LONGEST_PATH = 3000

/**
 * Every value of a document as a file of its own, so that a shell reads any string exactly, whatever is in it.
 *
 * `a.b.0` is the file `<folder>/a/b/0`: a string's own bytes, a number or boolean as JSON writes it, nothing for null.
 * A map or list is a folder with `.json` (canonical JSON) and `.text` (a list's scalars, or a map's keys, one a line).
 * Beside a scalar's file, `<file>.json` has it as JSON, and `<file>.null` says that it is null. Keys: `encodeKey`. What has a name
 * that no file can have is only in the `.json` of what it is in; `crowbar-get` says so.
 */
export function valueFiles(document: { readonly [key: string]: Json }, folder: string): JigFile[] {
  const files: JigFile[] = []
  const file = (path: string, text: string): void => void files.push({ path, mode: 0o600, text })
  const visit = (value: Json, path: string): void => {
    if (value === null || typeof value !== 'object') {
      file(path, scalarText(value))
      file(`${path}.json`, `${canonical(value)}\n`)
      if (value === null) file(`${path}.null`, '')
      return
    }
    file(`${path}/.json`, `${canonical(value)}\n`)
    file(`${path}/.text`, containerText(value))
    for (const [key, child] of childrenOf(value)) {
      const name = encodeKey(key)
      if (name.length <= LONGEST_NAME && path.length + name.length < LONGEST_PATH) visit(child, `${path}/${name}`)
    }
  }
  visit(document, folder)
  return files
}

/**
 * A key as one segment of a path: letters, digits, `_` and `-` stay, each other byte of its UTF-8 becomes `%XX`, so no
 * two keys collide and none can leave the folder. The empty key is `%`.
 */
export function encodeKey(key: string): string {
  if (key === '') return '%'
  return Buffer.from(key, 'utf8').toString('latin1')
    .replaceAll(/[^A-Za-z0-9_-]/g, (byte) => `%${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`)
}

/** A scalar as a shell sees it: strings as they are, null as nothing. */
export function scalarText(value: null | boolean | number | string): string {
  if (value === null) return ''
  return typeof value === 'string' ? value : JSON.stringify(value)
}

/** Keys and values of a map in code point order, or of a list with its indexes. */
export function childrenOf(value: readonly Json[] | { readonly [key: string]: Json }): (readonly [string, Json])[] {
  if (Array.isArray(value)) return (value as readonly Json[]).map((item, index) => [String(index), item] as const)
  return Object.entries(value as { readonly [key: string]: Json }).toSorted(([a], [b]) => byCodePoint(a, b))
}

function containerText(value: readonly Json[] | { readonly [key: string]: Json }): string {
  const lines = Array.isArray(value)
    ? (value as readonly Json[]).filter((item) => item === null || typeof item !== 'object').map((item) => scalarText(item as string))
    : childrenOf(value).map(([key]) => key)
  return lines.map((line) => `${line}\n`).join('')
}
