import type { Report } from '../../schemas/diagnostic.ts'
import type { BarclampDocument } from '../../schemas/documents/barclamp.ts'
import { error } from '../diagnostics/diagnostic.ts'
import { MAX_FILE_BYTES } from '../parse/choose.ts'
import { rangeOf } from '../parse/document.ts'
import type { TreeFile } from '../tree/tree.ts'
import type { Located, Site } from '../validate/site.ts'
import type { GitTrees } from './git-source.ts'
import type { BarclampTree } from './load-barclamps.ts'
import { pinnedTree } from './pinned-tree.ts'

/** Of all that one barclamp takes from others: each of these files is in memory while a site is compiled, and goes to nodes. */
const MAX_BYTES = 64 * 1024 * 1024

export interface UpstreamOptions {
  readonly site: Site
  readonly gitTrees: GitTrees
  /** Pins are added here. */
  readonly pins: Record<string, string>
}

/**
 * Puts what barclamps take from other repositories (`upstream`) where they say, as if it were among their own files: a role
 * or module that knows nothing of Crowbar, unchanged, at the commit that the lock pins.
 *
 * Hidden files at the top of what is taken are its authors' own and stay out.
 */
export function withUpstream(trees: readonly BarclampTree[], options: UpstreamOptions, report: Report): readonly BarclampTree[] {
  return trees.map((one) => {
    const more = [...one.barclamps].flatMap(([path, document]) => upstreamFiles(path.slice(0, -'barclamp.yaml'.length), document, { ...options, one }, report))
    return more.length === 0 ? one : { ...one, tree: { ...one.tree, files: new Map([...one.tree.files, ...more]) } }
  })
}

function upstreamFiles(folder: string, { value, source }: Located<BarclampDocument>, { site, gitTrees, pins, one }: UpstreamOptions & { readonly one: BarclampTree }, report: Report): readonly (readonly [string, TreeFile])[] {
  const taken: (readonly [string, TreeFile])[] = []
  let bytes = 0
  for (const [place, { git: url, ref, path }] of Object.entries(value.upstream ?? {})) {
    const own = [...one.tree.files.keys()].find((file) => file.startsWith(`${folder}${place}/`))
    if (own !== undefined) {
      report(error('VALUE_INVALID', rangeOf(source, ['upstream', place], 'key'), `The barclamp has files of its own in ${place}: ${own}.`, { fix: 'What comes from elsewhere has a folder to itself, so that it stays what it is.' }))
      continue
    }
    const found = pinnedTree({ url, ref, path, at: (field) => rangeOf(source, ['upstream', place, field]), site, gitTrees }, report)
    if (found === undefined) continue
    pins[found.pin[0]] = found.pin[1]
    const start = found.within === '' ? '' : `${found.within}/`
    const files = [...found.answer.tree.files].filter(([file]) => file.startsWith(start) && !file.slice(start.length).startsWith('.'))
    if (files.length === 0) report(error('REFERENCE_UNKNOWN', rangeOf(source, ['upstream', place, path === undefined ? 'git' : 'path']), `There are no files ${path === undefined ? 'in' : `in ${path} of`} commit ${found.answer.commit.slice(0, 12)} of this repository.`))
    for (const [file, content] of files) {
      bytes += content.size
      if (content.size > MAX_FILE_BYTES || bytes > MAX_BYTES) {
        report(error('FILE_TOO_LARGE', rangeOf(source, ['upstream', place]), `What the barclamp takes from elsewhere has more than 64 MiB with ${file}.`, { fix: 'Take a folder of it, with `path`.' }))
        return taken
      }
      taken.push([`${folder}${place}/${file.slice(start.length)}`, content])
    }
  }
  return taken
}
