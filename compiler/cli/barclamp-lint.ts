import type { OsDocument } from '../../schemas/documents/rule.ts'
import { lintBarclamp } from '../barclamp/lint.ts'
import { hasErrors } from '../diagnostics/diagnostic.ts'
import { countOf, renderText } from '../diagnostics/render-text.ts'
import { settle } from '../diagnostics/settle.ts'
import { parseFile } from '../parse/parse.ts'
import { checkDocument } from '../validate/check-document.ts'
import { barclampsBelow, readBarclampFolder } from './barclamp-folders.ts'
import { collector, EXIT, formatOf, linesOfTree, readBuiltin, wantsColour } from './session.ts'

/** `crowbar barclamp lint`: the diagnostics are the result, so they go to stdout. */
export function barclampLintCommand(dirs: readonly string[], options: { readonly format: string }): number {
  const format = formatOf(options.format, ['text', 'json'])
  if (format === undefined) return EXIT.usage
  const { found, report } = collector()
  const folders = (dirs.length === 0 ? ['.'] : dirs).flatMap((dir) => readBarclampFolder(dir, report) ?? [])
  const systems = builtinSystems()
  for (const folder of folders) for (const one of barclampsBelow(folder)) lintBarclamp(one, systems, report)
  const diagnostics = settle(found)
  const files = new Map(folders.flatMap(({ tree }) => [...tree.files]))
  if (format === 'json') process.stdout.write(`${JSON.stringify(diagnostics, null, 2)}\n`)
  else if (diagnostics.length > 0) {
    process.stdout.write(renderText(diagnostics, { linesOf: linesOfTree({ commit: null, files }), colour: wantsColour(process.stdout) }))
    process.stderr.write(`\n${countOf(diagnostics)}\n`)
  } else process.stderr.write('Nothing is wrong.\n')
  return hasErrors(diagnostics) ? EXIT.fault : EXIT.done
}

function builtinSystems(): readonly OsDocument[] {
  const builtin = readBuiltin()
  const files = [...builtin.files.keys()].filter((path) => path.includes('/documents/') && /\.ya?ml$/.test(path))
  return files.flatMap((path) => parseFile(builtin, path, () => {})).flatMap((document) => {
    const checked = checkDocument(document, () => {})
    return checked?.kind === 'os' ? [checked.value] : []
  })
}
