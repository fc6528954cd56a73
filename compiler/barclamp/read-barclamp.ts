import type { Report } from '../../schemas/diagnostic.ts'
import { error } from '../diagnostics/diagnostic.ts'
import { rangeOf } from '../parse/document.ts'
import { parseFile } from '../parse/parse.ts'
import { emptyBarclamp, loadBarclamps } from '../resolve/load-barclamps.ts'
import type { ResolvedBarclamp } from '../resolve/resolved-site.ts'
import { rangeOfFile } from '../tree/listing.ts'
import type { Tree } from '../tree/tree.ts'
import { checkDocument } from '../validate/check-document.ts'

/** The folder of a barclamp, by itself. */
export interface BarclampFolder {
  /** Paths begin with `folder`. */
  readonly tree: Tree
  /** Empty, or with a slash at the end. */
  readonly folder: string
}

/** Reads a barclamp without a site around it. Undefined: it is none, which is reported. */
export function readBarclamp({ tree, folder }: BarclampFolder, report: Report): ResolvedBarclamp | undefined {
  const path = `${folder}barclamp.yaml`
  if (!tree.files.has(path)) {
    report(error('FILE_UNREADABLE', rangeOfFile(path), 'There is no barclamp.yaml in this folder.', { fix: 'Name the folder of a barclamp; `crowbar barclamp new` makes one.' }))
    return undefined
  }
  let told = false
  const [document, second] = parseFile(tree, path, (diagnostic) => {
    told = true
    report(diagnostic)
  })
  if (document === undefined && !told) report(emptyBarclamp(path))
  if (document === undefined) return undefined
  const checked = checkDocument(document, report)
  if (checked === undefined) return undefined
  if (checked.kind !== 'barclamp' || second !== undefined) {
    report(error('KIND_UNKNOWN', rangeOf(second ?? document, []), 'A barclamp.yaml holds one document of kind barclamp and nothing else.'))
    return undefined
  }
  return [...loadBarclamps([{ origin: 'site', tree, barclamps: new Map([[path, checked]]) }], report).values()][0]
}
