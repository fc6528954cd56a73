import manifest from '../../package.json' with { type: 'json' }
import { hasErrors } from '../diagnostics/diagnostic.ts'
import { countOf, renderText } from '../diagnostics/render-text.ts'
import { compileSite } from './compile-site.ts'
import type { SiteArguments } from './compile-site.ts'
import { EXIT, formatOf, linesOfTree, wantsColour } from './session.ts'

/** `crowbar validate`: here the diagnostics are the result, so they go to stdout. */
export async function validateCommand(options: SiteArguments & { readonly format: string }): Promise<number> {
  const format = formatOf(options.format, ['text', 'json', 'sarif', 'github'])
  if (format === undefined) return EXIT.usage
  const { tree, diagnostics } = await compileSite(options)
  if (format === 'json') process.stdout.write(`${JSON.stringify(diagnostics, null, 2)}\n`)
  else if (format === 'sarif') process.stdout.write((await import('../diagnostics/render-sarif.ts')).renderSarif(diagnostics, manifest.version))
  else if (format === 'github') process.stdout.write((await import('../diagnostics/render-github.ts')).renderGithub(diagnostics))
  else if (diagnostics.length > 0) {
    process.stdout.write(renderText(diagnostics, { linesOf: linesOfTree(tree), colour: wantsColour(process.stdout) }))
    process.stderr.write(`\n${countOf(diagnostics)}\n`)
  } else process.stderr.write('Nothing is wrong.\n')
  return hasErrors(diagnostics) ? EXIT.fault : EXIT.done
}
