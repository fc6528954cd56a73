import type { Diagnostic, Range, Report } from '../../schemas/diagnostic.ts'
import type { BarclampDocument } from '../../schemas/documents/barclamp.ts'
import type { BarclampSource } from '../../schemas/documents/site.ts'
import { error } from '../diagnostics/diagnostic.ts'
import { MAX_FILE_BYTES } from '../parse/choose.ts'
import { rangeOf } from '../parse/document.ts'
import { parseFile } from '../parse/parse.ts'
import type { Tree } from '../tree/tree.ts'
import { checkDocument } from '../validate/check-document.ts'
import type { Located, Site } from '../validate/site.ts'
import { gitPath } from './git-source.ts'
import type { GitTrees } from './git-source.ts'
import { emptyBarclamp } from './load-barclamps.ts'
import type { BarclampTree } from './load-barclamps.ts'
import { pinnedTree } from './pinned-tree.ts'

/** Of all barclamps of one repository together: each of their files is in memory while a site is compiled. */
const MAX_BYTES = 256 * 1024 * 1024

type GitEntry = Extract<BarclampSource, { readonly git: string }>

export interface GitEntryQuestion {
  readonly site: Site
  /** Its place in `barclamps` of the site document. */
  readonly index: number
  readonly entry: GitEntry
  readonly gitTrees: GitTrees
}

/** Barclamps of one git repository, and the commit that they are of. */
export interface GitBarclamps {
  readonly trees: readonly BarclampTree[]
  /** Key of the lock → commit. */
  readonly pin: readonly [string, string]
}

/** Loads the barclamps of a git repository as the lock pins it. Undefined: reported. */
export function gitBarclamps({ site, index, entry, gitTrees }: GitEntryQuestion, report: Report): GitBarclamps | undefined {
  const { source } = site.site
  const at = (field: string): Range => rangeOf(source, ['barclamps', index, field])
  const { git: url, ref } = entry
  const pinned = pinnedTree({ url, ref, path: entry.path, at, site, gitTrees }, report)
  if (pinned === undefined) return undefined
  const { answer, within, pin } = pinned
  const prefix = gitPath({ url, ref }, '')
  const found = barclampsIn(answer.tree, within)
  if (found.folders.length === 0) {
    const where = entry.path === undefined ? 'in it' : `in or below ${entry.path}`
    report(error('REFERENCE_UNKNOWN', at(entry.path === undefined ? 'git' : 'path'), `There is no barclamp.yaml ${where}, in commit ${answer.commit.slice(0, 12)} of this repository.`))
    return undefined
  }
  let broken = false
  for (const diagnostic of answer.diagnostics) {
    const path = diagnostic.range?.path
    if (path === undefined) {
      broken ||= diagnostic.severity === 'error'
      report({ ...diagnostic, range: at('git'), fix: 'Name the folder of it that has the barclamps with `path`.' })
      continue
    }
    if (!found.folders.some((folder) => path.startsWith(folder))) continue
    broken ||= diagnostic.severity === 'error'
    report(prefixed(diagnostic, prefix))
  }
  const files = new Map([...found.files].map(([path, file]) => [prefix + path, file]))
  let bytes = 0
  for (const [path, { size }] of files) {
    bytes += size
    if (size <= MAX_FILE_BYTES) continue
    broken = true
    report(error('FILE_TOO_LARGE', at('git'), `${path} has ${Math.ceil(size / 1024 / 1024)} MiB; no file of a barclamp may have more than 64 MiB.`))
  }
  if (bytes > MAX_BYTES) {
    broken = true
    report(error('FILE_TOO_LARGE', at('git'), `The barclamps of this repository have ${Math.ceil(bytes / 1024 / 1024)} MiB together, and may have 256 MiB.`, { fix: 'What is larger is staged from a source, and not a part of a barclamp.' }))
  }
  if (broken) return undefined
  const tree: Tree = { commit: answer.commit, files }
  const barclamps = new Map<string, Located<BarclampDocument>>()
  for (const folder of found.folders) {
    const path = `${prefix}${folder}barclamp.yaml`
    let told = false
    const documents = parseFile(tree, path, (diagnostic) => {
      told = true
      report(diagnostic)
    })
    if (documents.length === 0 && !told) report(emptyBarclamp(path))
    for (const document of documents) {
      const checked = checkDocument(document, report)
      if (checked?.kind === 'barclamp') barclamps.set(path, checked)
      else if (checked !== undefined) report(error('KIND_UNKNOWN', rangeOf(document, ['kind']), 'A barclamp.yaml holds one document of kind barclamp and nothing else.'))
    }
  }
  const names = new Set([...barclamps.values()].map(({ value }) => value.name))
  for (const [i, name] of (entry.replaces ?? []).entries()) {
    if (!names.has(name)) report(error('REFERENCE_UNKNOWN', rangeOf(source, ['barclamps', index, 'replaces', i]), `This repository has no barclamp ${name}.`))
  }
  return { trees: [{ origin: 'git', tree, barclamps, replaces: new Set(entry.replaces) }], pin }
}

/** The outermost folders with a barclamp.yaml, each with a slash at the end ('' is the root), and all that is in them. */
function barclampsIn(tree: Tree, within: string): { readonly folders: readonly string[]; readonly files: Tree['files'] } {
  const start = within === '' ? '' : `${within}/`
  const folders: string[] = []
  for (const path of tree.files.keys()) {
    if (!path.startsWith(start) || !/(?:^|\/)barclamp\.yaml$/.test(path)) continue
    const folder = path.slice(0, -'barclamp.yaml'.length)
    if (!/(?:^|\/)\./.test(folder)) folders.push(folder)
  }
  const outermost = folders.filter((folder) => !folders.some((other) => other !== folder && folder.startsWith(other)))
  return { folders: outermost, files: new Map([...tree.files].filter(([path]) => outermost.some((folder) => path.startsWith(folder)))) }
}

function prefixed(diagnostic: Diagnostic, prefix: string): Diagnostic {
  const moved = (range: Range): Range => ({ ...range, path: prefix + range.path })
  return { ...diagnostic, ...(diagnostic.range === undefined ? {} : { range: moved(diagnostic.range) }), related: diagnostic.related.map((one) => ({ ...one, range: moved(one.range) })) }
}
