import { byCodePoint } from '../../schemas/canonical.ts'
import type { Range, Report } from '../../schemas/diagnostic.ts'
import { error, warning } from '../diagnostics/diagnostic.ts'
import type { Tree, TreeFile } from './tree.ts'

/** Files, at most. Ten thousand nodes with an inventory file each are far from it. */
export const MAX_FILES = 200_000

/** What a folder or a commit has at one path. */
export type Listed =
  | { readonly kind: 'file'; readonly file: TreeFile }
  /** A symbolic link; `target` as it is written, undefined when it is no UTF-8. */
  | { readonly kind: 'link'; readonly target: string | undefined }
  /** A repository inside the repository. */
  | { readonly kind: 'repository' }
  /** A device, socket or pipe. */
  | { readonly kind: 'special' }

/** Whether a folder or file of this name is never part of a site. */
export function isLeftOut(name: string): boolean {
  return name === '.git' || name === 'node_modules'
}

/**
 * Makes a tree of what was found: follows links that stay inside, and reports what does not belong into a site.
 *
 * @param listed by path, in any order.
 */
export function assemble(listed: ReadonlyMap<string, Listed>, commit: string | null, report: Report): Tree {
  const found = new Map<string, TreeFile>()
  const links = new Map<string, string>()
  for (const path of [...listed.keys()].toSorted(byCodePoint)) {
    const entry = listed.get(path) as Listed
    if (path.split('/').some(isLeftOut)) continue
    const invalid = invalidPath(path)
    if (invalid !== undefined) report(error('TREE_PATH_INVALID', rangeOfFile(printable(path)), `The path of this file ${invalid}.`, { fix: 'Rename the file.' }))
    else if (entry.kind === 'repository') report(warning('TREE_SUBMODULE', rangeOfFile(path), 'This folder is a repository of its own; what is in it is not read.'))
    else if (entry.kind === 'special') report(warning('TREE_SPECIAL_FILE', rangeOfFile(path), 'This is no regular file; it is not read.'))
    else if (entry.kind === 'file') found.set(path, entry.file)
    else if (entry.target === undefined) report(linkOutside(path, '(not UTF-8)'))
    else links.set(path, entry.target)
  }
  const files = links.size === 0 ? found : followLinks(found, links, report)
  if (files.size > MAX_FILES) report(tooManyFiles())
  return { commit, files }
}

/** The beginning of a file: where a diagnostic about the file as a whole points. */
export function rangeOfFile(path: string): Range {
  return { path, start: { line: 1, column: 1 }, end: { line: 1, column: 1 } }
}

export function tooManyFiles(): ReturnType<typeof error> {
  return error('TREE_TOO_MANY_FILES', undefined, `The site has more than ${MAX_FILES} files.`, { fix: 'Check that --site names the folder of the site and nothing above it.' })
}

function followLinks(found: ReadonlyMap<string, TreeFile>, links: ReadonlyMap<string, string>, report: Report): ReadonlyMap<string, TreeFile> {
  const files = new Map(found)
  for (const [path, target] of links) {
    const real = resolveLink(path, links)
    if (real === OUTSIDE) report(linkOutside(path, target))
    else if (real === ENDLESS) report(warning('TREE_LINK_DANGLING', rangeOfFile(path), `The link leads to itself (${printable(target)}).`, { fix: 'Remove the link.' }))
    else if (!linkOne(files, found, path, real)) {
      report(warning('TREE_LINK_DANGLING', rangeOfFile(path), `The link leads to nothing (${printable(target)}).`, { fix: 'Remove the link, or add what it leads to.' }))
    }
    if (files.size > MAX_FILES) break
  }
  return new Map([...files].toSorted(([a], [b]) => byCodePoint(a, b)))
}

/** Puts what is at `real` also at `path`. False: nothing is there. */
function linkOne(files: Map<string, TreeFile>, found: ReadonlyMap<string, TreeFile>, path: string, real: string): boolean {
  const file = found.get(real)
  if (file !== undefined) {
    files.set(path, file)
    return true
  }
  const folder = `${real}/`
  if (path.startsWith(folder)) return false
  let any = false
  for (const [inside, content] of found) {
    if (!inside.startsWith(folder)) continue
    files.set(`${path}/${inside.slice(folder.length)}`, content)
    any = true
    if (files.size > MAX_FILES) break
  }
  return any
}

const OUTSIDE = Symbol('outside')
const ENDLESS = Symbol('endless')

function resolveLink(path: string, links: ReadonlyMap<string, string>): string | typeof OUTSIDE | typeof ENDLESS {
  let rest = path.split('/')
  let at: string[] = []
  for (let hops = 0; rest.length > 0; ) {
    const name = rest.shift() as string
    if (name === '' || name === '.') continue
    if (name === '..') {
      if (at.length === 0) return OUTSIDE
      at.pop()
      continue
    }
    at.push(name)
    const target = links.get(at.join('/'))
    if (target === undefined) continue
    if (target.startsWith('/')) return OUTSIDE
    if (++hops > 40) return ENDLESS
    at = at.slice(0, -1)
    rest = [...target.split('/'), ...rest]
  }
  return at.length === 0 ? ENDLESS : at.join('/')
}

function linkOutside(path: string, target: string): ReturnType<typeof error> {
  return error('TREE_LINK_OUTSIDE', rangeOfFile(path), `The link leads out of the repository, to ${printable(target)}.`, {
    fix: 'Copy what it leads to into the repository, or remove the link.',
  })
}

function invalidPath(path: string): string | undefined {
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  if (/[\u0000-\u001f\u007f]/.test(path)) return 'holds a control character'
  if (path.includes('\ufffd')) return 'is not UTF-8'
  if (path.startsWith('/')) return 'is absolute'
  const names = path.split('/')
  if (names.includes('..') || names.includes('.') || names.includes('')) return 'leads out of its folder'
  if (names.some((name) => name.toLowerCase() === '.git')) return 'lies in a folder that belongs to git'
  return undefined
}

function printable(text: string): string {
  // oxlint-disable-next-line no-control-regex -- so that no file name can write to a terminal
  return text.replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`)
}
