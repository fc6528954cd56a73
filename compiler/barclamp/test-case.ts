import type { Report } from '../../schemas/diagnostic.ts'
import { anyObject, list, map, nullable, object, optional, string } from '../../schemas/shape.ts'
import type { TypeOf } from '../../schemas/shape.ts'
import { parseFile } from '../parse/parse.ts'
import { checkAgainst } from '../validate/check-document.ts'
import type { Located } from '../validate/site.ts'
import type { BarclampFolder } from './read-barclamp.ts'

const node = object({
  os: optional(string({ min: 1 }, 'Default debian-12.')),
  tags: optional(list(string())),
  labels: optional(map(string())),
  networks: optional(anyObject()),
  attributes: optional(anyObject()),
  facts: optional(nullable(anyObject('Over those of a small machine; null: no machine has been seen yet.'))),
})

/** One case of a barclamp, a document of tests/*.yaml: a site in a few lines, and what is to come of it. */
export const caseShape = object({
  name: optional(string({ min: 1 }, 'A sentence about behaviour; default the name of the file.')),
  barclamps: optional(list(string({ min: 1 }), {}, 'Folders of other barclamps, from the folder of this one.')),
  nodes: optional(map(nullable(node), undefined, 'Default one node, n1.')),
  roles: map(anyObject(), undefined, 'Role → as in a deployment; the deployment is called `test`.'),
  attributes: optional(anyObject('Of the deployment.')),
  documents: optional(list(anyObject(), {}, 'More documents of the site, each with its kind.')),
  expect: object({
    documents: optional(map(anyObject(), undefined, 'Step → what its document holds, besides whatever else.')),
    order: optional(list(string({ min: 1 }), {}, 'Steps, in this order, with whatever else between them.')),
    absent: optional(list(string({ min: 1 }), {}, 'Steps that there are not.')),
    diagnostics: optional(list(string({ min: 1 }), {}, 'Codes of the problems that the compiler reports, all of them.')),
  }),
})
export type TestCase = TypeOf<typeof caseShape>

/** Reads the cases in tests/*.yaml, in the order of their files; a file may hold several. What is wrong is reported. */
export function readCases({ tree, folder }: BarclampFolder, report: Report): readonly (Located<TestCase> & { readonly name: string })[] {
  const files = [...tree.files.keys()].filter((path) => path.startsWith(`${folder}tests/`) && /\.ya?ml$/.test(path))
  return files.flatMap((path) => parseFile(tree, path, report)).flatMap((document) => {
    const checked = checkAgainst(document, caseShape, { owner: 'a test case', report })
    if (checked === undefined) return []
    const file = document.path.slice(document.path.lastIndexOf('/') + 1).replace(/\.ya?ml$/, '')
    return [{ ...checked, name: checked.value.name ?? (document.index === 0 ? file : `${file} ${document.index + 1}`) }]
  })
}
