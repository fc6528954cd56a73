import type { Code } from '../diagnostics/codes.ts'
import { CODES } from '../diagnostics/codes.ts'
import type { SiteArguments } from './compile-site.ts'
import { EXIT, formatOf, misused, tell } from './session.ts'

/** `crowbar explain CODE` and `crowbar explain NODE[/ROLE] [PATH]`. */
export async function explainCommand(what: string, path: string | undefined, options: SiteArguments & { readonly format: string }): Promise<number> {
  const format = formatOf(options.format, ['text', 'json'])
  if (format === undefined) return EXIT.usage
  if (/^[A-Z][A-Z0-9_]*$/.test(what)) return explainCode(what, format)
  const { compileSite } = await import('./compile-site.ts')
  const { tree, compiled, diagnostics } = await compileSite(options)
  tell(diagnostics, tree)
  if (compiled === undefined) return EXIT.fault
  const slash = what.indexOf('/')
  const question = slash < 0 ? { node: what, path } : { node: what.slice(0, slash), role: what.slice(slash + 1), path }
  const { explain } = await import('../explain/explain.ts')
  const explained = explain(compiled.ordered.injected, question)
  if ('problem' in explained) {
    process.stderr.write(`crowbar: ${explained.problem}${explained.near === undefined ? '' : `; did you mean ${explained.near}?`}\n`)
    return EXIT.fault
  }
  if (format === 'json') process.stdout.write(`${JSON.stringify(explained.roles, null, 2)}\n`)
  else process.stdout.write((await import('../explain/explain-text.ts')).explainText(explained.roles))
  return EXIT.done
}

async function explainCode(code: string, format: 'text' | 'json'): Promise<number> {
  if (!Object.hasOwn(CODES, code)) {
    const { suggest } = await import('../../schemas/cel/suggest.ts')
    const guess = suggest(code, Object.keys(CODES))
    return misused(`there is no diagnostic ${code}${guess === undefined ? '' : `; did you mean ${guess}?`}`)
  }
  const meaning = CODES[code as Code]
  process.stdout.write(format === 'json' ? `${JSON.stringify({ code, meaning })}\n` : `${code}: ${meaning}\n`)
  return EXIT.done
}
