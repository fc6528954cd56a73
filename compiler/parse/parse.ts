import type { Diagnostic, Report } from '../../schemas/diagnostic.ts'
import type { Json } from '../../schemas/shape.ts'
import { error } from '../diagnostics/diagnostic.ts'
import type { Tree, TreeFile } from '../tree/tree.ts'
import { TreeError } from '../tree/tree-error.ts'
import { INVENTORY_FOLDER, LOCK_PATH, MAX_FILE_BYTES, chooseDocuments } from './choose.ts'
import { rangeBetween, rangeOf, sourceText } from './document.ts'
import type { Positions, SourceDocument, SourceText } from './document.ts'
import { mergeConflict } from './syntax-error.ts'
import { decode } from './text.ts'
import { parseYaml } from './yaml.ts'

/** Bytes. No document that people write is larger, and a larger one is refused before it is read. */
export const MAX_DOCUMENT_BYTES = 8 * 1024 * 1024

/** Reads every document of a site: those with a kind, the inventory, the lock; in the order of their paths. */
export function parse(tree: Tree, report: Report): readonly SourceDocument[] {
  const chosen = chooseDocuments(tree)
  for (const path of chosen.tooLarge) report(tooLarge(path, tree.files.get(path)?.size ?? 0))
  const paths = [...chosen.documents, ...chosen.inventory, ...(chosen.lock === undefined ? [] : [chosen.lock])]
  return paths.flatMap((path) => parseFile(tree, path, report))
}

interface Read {
  readonly path: string
  readonly documents: readonly SourceDocument[]
  readonly found: readonly Diagnostic[]
}

/** What is in files that were read. A file that two trees share is read once. */
const read = new WeakMap<TreeFile, Read>()

/** Reads the documents of one file of a tree, whatever its place; what cannot be read is reported and gives none. */
export function parseFile(tree: Tree, path: string, report: Report): readonly SourceDocument[] {
  const file = tree.files.get(path)
  if (file === undefined) throw new TypeError(`not in the tree: ${path}`)
  let known = read.get(file)
  if (known?.path !== path) {
    const found: Diagnostic[] = []
    known = { path, documents: documentsOf(tree, path, (one) => void found.push(one)), found }
    read.set(file, known)
  }
  for (const one of known.found) report(one)
  return known.documents
}

function documentsOf(tree: Tree, path: string, report: Report): readonly SourceDocument[] {
  const source = readText(tree, path, report)
  if (source === undefined) return []
  if (path === LOCK_PATH) {
    const conflict = mergeConflict(source)
    if (conflict !== undefined) {
      report({ ...conflict, code: 'LOCK_CONFLICT' })
      return []
    }
  }
  if (path.startsWith(INVENTORY_FOLDER)) {
    const quick = parseInventory(source)
    if (quick !== undefined) return [quick]
  }
  const documents = parseYaml(source, path === LOCK_PATH ? (found) => report(asLockConflict(found)) : report)
  if (path === LOCK_PATH && documents !== undefined && documents.length !== 1) {
    const range = documents[1] === undefined ? rangeBetween(source, 0, 0) : rangeOf(documents[1], [])
    const summary = documents.length === 0 ? 'The lock is empty.' : 'The lock is more than one document.'
    const fix = 'Crowbar writes this file: restore it from the last commit. A site that nothing was ever applied of may also go without it: remove the file.'
    report(error('LOCK_INVALID', range, summary, { fix }))
    return []
  }
  return documents ?? []
}

/** Two clean merges can write one entry twice. */
function asLockConflict(found: Diagnostic): Diagnostic {
  return found.code === 'DUPLICATE_KEY' ? { ...found, code: 'LOCK_CONFLICT', fix: 'Take away the line that is wrong.' } : found
}

/** The text of a file of documents or of a table; undefined, with a report, when it is too large or no UTF-8. */
export function readText(tree: Tree, path: string, report: Report): SourceText | undefined {
  const file = tree.files.get(path)
  const start = rangeBetween(sourceText(path, ''), 0, 0)
  if (file === undefined) throw new TypeError(`not in the tree: ${path}`)
  if (file.size > MAX_DOCUMENT_BYTES) {
    report(tooLarge(path, file.size))
    return undefined
  }
  try {
    return decode(path, file.bytes(), report)
  } catch (cause) {
    if (!(cause instanceof TreeError)) throw cause
    report(error('FILE_UNREADABLE', start, cause.message))
    return undefined
  }
}

function tooLarge(path: string, size: number): Diagnostic {
  const limit = size > MAX_FILE_BYTES ? 'no file of a site may have more than 64 MiB' : 'documents of more than 8 MiB are not read'
  const fix = 'Take it out of the repository; when it is no part of the site, name it in .crowbarignore.'
  return error('FILE_TOO_LARGE', rangeBetween(sourceText(path, ''), 0, 0), `The file has ${Math.ceil(size / 1024 / 1024)} MiB; ${limit}.`, { fix })
}

/**
 * Inventory is written by machines, many megabytes of it, and hardly ever has anything wrong: the fast parser reads it,
 * and the slow one finds places in it only when somebody asks for one.
 */
function parseInventory(source: SourceText): SourceDocument | undefined {
  let value: Json
  try {
    value = JSON.parse(source.text) as Json
  } catch {
    return undefined
  }
  let positions: Positions | undefined
  return {
    path: source.path,
    index: 0,
    value,
    source,
    get positions() {
      positions ??= parseYaml(source, () => {})?.[0]?.positions ?? NOWHERE
      return positions
    },
  }
}

/** JSON that YAML cannot read, such as a key twice: everything stands at the beginning. */
const NOWHERE: Positions = { start: [0], end: [0], key: [null], keyStart: [-1], keyEnd: [-1], next: [1] }
