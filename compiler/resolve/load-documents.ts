import type { Report } from '../../schemas/diagnostic.ts'
import type { OsDocument, SourceDocument as SourceSpec } from '../../schemas/documents/rule.ts'
import { error } from '../diagnostics/diagnostic.ts'
import { rangeOf } from '../parse/document.ts'
import { parseFile } from '../parse/parse.ts'
import { checkDocument } from '../validate/check-document.ts'
import type { Located } from '../validate/site.ts'
import { readKeyrings } from './keyrings.ts'
import { readPatches } from './source-builds.ts'
import type { Patch } from './source-builds.ts'
import type { BarclampTree } from './load-barclamps.ts'

export interface CarriedDocuments {
  readonly systems: ReadonlyMap<string, Located<OsDocument>>
  readonly sources: ReadonlyMap<string, Located<SourceSpec>>
  readonly keyrings: ReadonlyMap<string, string>
  readonly patches: ReadonlyMap<string, readonly Patch[]>
}

/** Operating systems and sources that barclamps carry in documents/*.yaml beside their barclamp.yaml, where keyrings are, too; later trees win. */
export function loadDocuments(trees: readonly BarclampTree[], report: Report): CarriedDocuments {
  const systems = new Map<string, Located<OsDocument>>()
  const sources = new Map<string, Located<SourceSpec>>()
  const keyrings = new Map<string, string>()
  const patches = new Map<string, readonly Patch[]>()
  for (const { tree, barclamps } of trees) {
    for (const path of barclamps.keys()) {
      const folder = `${path.slice(0, -'barclamp.yaml'.length)}documents/`
      const files = [...tree.files.keys()].filter((file) => file.startsWith(folder) && /\.ya?ml$/.test(file))
      for (const document of files.flatMap((file) => parseFile(tree, file, report))) {
        const checked = checkDocument(document, report)
        if (checked === undefined) continue
        if (checked.kind === 'os') systems.set(checked.value.name, checked)
        else if (checked.kind === 'source') {
          sources.set(checked.value.name, checked)
          const [one, from] = [new Map([[checked.value.name, checked]]), { tree, folder: path.slice(0, -'barclamp.yaml'.length) }]
          for (const [name, keys] of readKeyrings(one, from, report)) keyrings.set(name, keys)
          for (const [name, files] of readPatches(one, from, report)) patches.set(name, files)
        }
        else report(error('KIND_UNKNOWN', rangeOf(document, ['kind']), `A barclamp cannot carry a document of kind ${checked.kind}.`, { fix: 'Move it out of the barclamp, into the site.' }))
      }
    }
  }
  return { systems, sources, keyrings, patches }
}
