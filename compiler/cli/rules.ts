import { bindTree } from '../compile.ts'
import { hasErrors } from '../diagnostics/diagnostic.ts'
import { rulesTraceText } from '../explain/rules-trace-text.ts'
import { traceRules } from '../explain/rules-trace.ts'
import type { SiteArguments } from './compile-site.ts'
import { gitTrees } from './git-trees.ts'
import { collector, EXIT, formatOf, readBuiltin, readSite, tell } from './session.ts'

/** `crowbar rules trace MACHINE|NODE`. Answers also for a site whose claims contradict each other. */
export async function rulesTraceCommand(name: string, options: SiteArguments & { readonly format: string }): Promise<number> {
  const format = formatOf(options.format, ['text', 'json'])
  if (format === undefined) return EXIT.usage
  const { found, report } = collector()
  const tree = await readSite(options, report)
  const bound = tree === undefined ? undefined : bindTree({ tree, builtin: readBuiltin(), gitTrees: gitTrees({ ask: 'pinned' }) }, { report, failed: () => hasErrors(found) })?.bound
  tell(found, tree)
  if (bound === undefined) return EXIT.fault
  const trace = traceRules(bound, name)
  if ('problem' in trace) {
    process.stderr.write(`crowbar: ${trace.problem}${trace.near === undefined ? '' : `; did you mean ${trace.near}?`}\n`)
    return EXIT.fault
  }
  process.stdout.write(format === 'json' ? `${JSON.stringify(trace, null, 2)}\n` : rulesTraceText(trace))
  return EXIT.done
}
